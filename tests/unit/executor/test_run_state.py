"""The states of a run in the scheduler's half, and which may follow which."""

from __future__ import annotations

import pytest

from ecs_async_executor.errors import ImpossibleTransitionError
from ecs_async_executor.executor.run_state import TRANSITIONS, WITH_ENGINE, RunState
from ecs_async_executor.executor.runs import Run

ALLOWED = [(before, after) for before in RunState for after in RunState if after in TRANSITIONS[before]]
IMPOSSIBLE = [
    (before, after) for before in RunState for after in RunState if after not in TRANSITIONS[before]
]


def make(state: RunState) -> Run:
    return Run("run", "key", "dag.task of scheduled, try 1", None, ti_id="ti", state=state)


@pytest.mark.parametrize(("before", "after"), ALLOWED)
def test_a_run_moves_to_the_states_that_may_follow(before: RunState, after: RunState):
    run = make(before)
    run.move(after, "because", 1.0)
    assert run.state is after
    assert f"{after.name} (because)" in str(run.history)


@pytest.mark.parametrize(("before", "after"), IMPOSSIBLE)
def test_any_other_move_raises_with_the_runs_history_and_changes_nothing(before: RunState, after: RunState):
    run = make(before)
    run.history.note(0.0, before.name, "an earlier event")
    with pytest.raises(ImpossibleTransitionError) as caught:
        run.move(after, "because", 1.0)
    assert str(caught.value) == (
        f"dag.task of scheduled, try 1 can't go from {before.name} to {after.name} (because)."
        f" Please report it with this history: +0.0 s {before.name} (an earlier event)."
    )
    assert run.state is before


def test_every_state_is_reached_and_only_the_end_is_final():
    assert {after for _, after in ALLOWED} == set(RunState)
    assert [state for state in RunState if not TRANSITIONS[state]] == [RunState.DONE]


def test_a_run_that_the_engine_has_may_end_at_any_time():
    assert all(
        {RunState.ENDED, RunState.DROPPED, RunState.DONE} <= TRANSITIONS[state] for state in WITH_ENGINE
    )
