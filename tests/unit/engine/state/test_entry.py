"""The states of the engine's runs, and which may follow which."""

from __future__ import annotations

from itertools import pairwise

import pytest

from ecs_async_executor.engine.state.entry import TRANSITIONS, Entry, State
from ecs_async_executor.errors import ImpossibleTransitionError


def entry(state: State) -> Entry:
    return Entry("run", "dag.task of scheduled, try 1", 1, state)


def test_a_run_moves_by_this_table():
    run = entry(State.WAITING)
    run.move(State.SENDING, "because", 1.0)
    assert (run.state, str(run.history)) == (State.SENDING, "+0.0 s SENDING (because)")
    run.move(State.WATCHING, "because", 2.0)
    with pytest.raises(ImpossibleTransitionError, match="can't go from WATCHING to SENDING"):
        run.move(State.SENDING, "because", 3.0)


def test_every_state_is_reached_and_only_the_end_is_final():
    assert frozenset({State.WAITING}).union(*TRANSITIONS.values()) == set(State)
    assert [state for state in State if not TRANSITIONS[state]] == [State.ENDED]


@pytest.mark.parametrize("state", [state for state in State if state is not State.ENDED])
def test_a_run_can_be_forgotten_in_every_state(state: State):
    assert State.ENDED in TRANSITIONS[state]


def test_the_usual_path_is_possible():
    path = [State.WAITING, State.SENDING, State.WATCHING, State.ENDED]
    assert all(after in TRANSITIONS[before] for before, after in pairwise(path))
