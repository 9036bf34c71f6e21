"""The last events of a run."""

from __future__ import annotations

from dataclasses import dataclass, field

from ecs_async_executor.history import EVENTS, RUNS_DUMPED, History, describe_oldest


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


@dataclass
class Run:
    """What a dump needs of a run."""

    label: str
    history: History = field(default_factory=History)


def test_a_dump_describes_the_runs_that_have_been_in_their_state_for_longest():
    runs = [Run(f"run {number}") for number in range(RUNS_DUMPED + 5)]
    for number, run in enumerate(runs):
        run.history.note(1000.0 - number, "WAITING", "because")
    lines = describe_oldest(runs).splitlines()[1:]
    assert len(lines) == RUNS_DUMPED
    assert lines[0] == f"  {runs[-1].label}: +0.0 s WAITING (because)"
