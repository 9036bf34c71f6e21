"""The states of the engine's runs, and which may follow which."""

from __future__ import annotations

from itertools import pairwise

import pytest

from ecs_async_executor.engine.state.entry import TRANSITIONS, Entry, State
from ecs_async_executor.errors import ImpossibleTransitionError

ALLOWED = [(before, after) for before in State for after in State if after in TRANSITIONS[before]]
IMPOSSIBLE = [(before, after) for before in State for after in State if after not in TRANSITIONS[before]]


def entry(state: State) -> Entry:
    return Entry("run", "dag.task of scheduled, try 1", 1, state)


@pytest.mark.parametrize(("before", "after"), ALLOWED)
def test_a_run_moves_to_the_states_that_may_follow(before: State, after: State):
    run = entry(before)
    run.move(after, "because", 1.0)
    assert run.state is after
    assert f"{after.name} (because)" in str(run.history)


@pytest.mark.parametrize(("before", "after"), IMPOSSIBLE)
def test_any_other_move_raises_and_changes_nothing(before: State, after: State):
    run = entry(before)
    with pytest.raises(ImpossibleTransitionError):
        run.move(after, "because", 1.0)
    assert run.state is before
    assert str(run.history) == "no events"


def test_the_error_names_the_task_and_tells_its_history():
    run = entry(State.WAITING)
    for at, state in enumerate((State.SENDING, State.WATCHING, State.ENDED)):
        run.move(state, f"event {at}", float(at))
    with pytest.raises(ImpossibleTransitionError) as caught:
        run.move(State.SENDING, "its turn", 3.0)
    assert str(caught.value) == (
        "dag.task of scheduled, try 1 can't go from ENDED to SENDING (its turn). Please report it with this history:"
        " +0.0 s SENDING (event 0), +1.0 s WATCHING (event 1), +1.0 s ENDED (event 2)."
    )


def test_every_state_is_reached_and_only_the_end_is_final():
    reached = {after for _, after in ALLOWED} | {State.WAITING}
    assert reached == set(State)
    assert [state for state in State if not TRANSITIONS[state]] == [State.ENDED]


@pytest.mark.parametrize("state", [state for state in State if state is not State.ENDED])
def test_a_run_can_be_forgotten_in_every_state(state: State):
    assert State.ENDED in TRANSITIONS[state]


def test_the_usual_path_is_possible():
    path = [State.WAITING, State.SENDING, State.WATCHING, State.ENDED]
    assert all(after in TRANSITIONS[before] for before, after in pairwise(path))
