"""The last events of a run, and moving it from state to state."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

import pytest

from ecs_async_executor.errors import ImpossibleTransitionError
from ecs_async_executor.history import EVENTS, RUNS_DUMPED, History, describe_oldest, move


def test_it_tells_each_state_with_its_reason_and_the_seconds_since_the_one_before():
    history = History()
    history.note(100.0, "WAITING", "launch ordered")
    history.note(102.5, "SENDING", "its turn")
    assert str(history) == "+0.0 s WAITING (launch ordered), +2.5 s SENDING (its turn)"


def test_it_keeps_the_last_events():
    history = History()
    for number in range(EVENTS + 1):
        history.note(float(number), f"STATE{number}", "why")
    assert "STATE0" not in str(history)
    assert str(history).count("STATE") == EVENTS


def test_a_run_without_events_says_so():
    assert str(History()) == "no events"


class Light(Enum):
    """Any states."""

    RED = "stop"
    GREEN = "go"
    OFF = "the end"


TRANSITIONS = {
    Light.RED: frozenset({Light.GREEN, Light.OFF}),
    Light.GREEN: frozenset({Light.RED}),
    Light.OFF: frozenset(),
}


@dataclass
class Run:
    """What a move and a dump need of a run."""

    label: str
    state: Light = Light.RED
    history: History = field(default_factory=History)


def test_a_dump_describes_the_runs_that_have_been_in_their_state_for_longest():
    runs = [Run(f"run {number}") for number in range(RUNS_DUMPED + 5)]
    for number, run in enumerate(runs):
        run.history.note(1000.0 - number, "WAITING", "because")
    lines = describe_oldest(runs).splitlines()[1:]
    assert len(lines) == RUNS_DUMPED
    assert lines[0] == f"  {runs[-1].label}: +0.0 s WAITING (because)"


def test_a_run_moves_to_a_state_that_may_follow_and_its_history_tells_why():
    run = Run("dag.task of scheduled, try 1")
    move(run, Light.GREEN, TRANSITIONS, "the road is free", 1.0)
    assert run.state is Light.GREEN
    assert str(run.history) == "+0.0 s GREEN (the road is free)"


@pytest.mark.parametrize(
    ("before", "after"),
    [(before, after) for before in Light for after in Light if after not in TRANSITIONS[before]],
)
def test_any_other_move_raises_with_the_runs_history_and_changes_nothing(before: Light, after: Light):
    run = Run("dag.task of scheduled, try 1", before)
    run.history.note(0.0, before.name, "an earlier event")
    with pytest.raises(ImpossibleTransitionError) as caught:
        move(run, after, TRANSITIONS, "because", 1.0)
    history = f"+0.0 s {before.name} (an earlier event)"
    assert str(caught.value) == (
        f"dag.task of scheduled, try 1 can't go from {before.name} to {after.name} (because)."
        f" Please report it with this history: {history}."
    )
    assert (run.state, str(run.history)) == (before, history)
