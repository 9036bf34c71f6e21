"""The states of a run in the scheduler's half, and which may follow which."""

from __future__ import annotations

import pytest

from ecs_async_executor.errors import ImpossibleTransitionError
from ecs_async_executor.executor.run_state import TRANSITIONS, WITH_ENGINE, RunState
from ecs_async_executor.executor.runs import Run


def make(state: RunState) -> Run:
    return Run("run", "key", "dag.task of scheduled, try 1", None, ti_id="ti", state=state)


def test_a_run_moves_by_this_table():
    run = make(RunState.PENDING)
    run.move(RunState.ORDERED, "because", 1.0)
    assert (run.state, str(run.history)) == (RunState.ORDERED, "+0.0 s ORDERED (because)")
    with pytest.raises(ImpossibleTransitionError, match="can't go from ORDERED to PENDING"):
        run.move(RunState.PENDING, "because", 2.0)


def test_every_state_is_reached_and_only_the_end_is_final():
    assert frozenset().union(*TRANSITIONS.values()) == set(RunState)
    assert [state for state in RunState if not TRANSITIONS[state]] == [RunState.DONE]


def test_a_run_that_the_engine_has_may_end_at_any_time():
    assert all(
        {RunState.ENDED, RunState.DROPPED, RunState.DONE} <= TRANSITIONS[state] for state in WITH_ENGINE
    )
