"""The states of a run in the scheduler's half, and which may follow which."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum


class RunState(Enum):
    """How far the executor has got with a run."""

    PENDING = "its row is read before the engine gets its order"
    ORDERED = "the engine has its order, and hasn't reported a task"
    LAUNCHED = "its task is known, but its row may not show the ARN yet"
    LIVE = "its task is known, and its row shows the ARN (a callback has no row)"
    ENDED = "the engine has reported its end, and its row decides what to tell Airflow"
    REPORTED = "its end was reported to Airflow, and its row doesn't show that yet"
    DROPPED = "the executor has forgotten it, and the engine stops its task"
    DONE = "nothing is left to do for it"


TRANSITIONS: Mapping[RunState, frozenset[RunState]] = {
    RunState.PENDING: frozenset(
        {
            RunState.ORDERED,
            RunState.LAUNCHED,
            RunState.LIVE,
            RunState.ENDED,
            RunState.DROPPED,
            RunState.DONE,
        }
    ),
    RunState.ORDERED: frozenset(
        {RunState.LAUNCHED, RunState.LIVE, RunState.ENDED, RunState.DROPPED, RunState.DONE}
    ),
    RunState.LAUNCHED: frozenset({RunState.LIVE, RunState.ENDED, RunState.DROPPED, RunState.DONE}),
    RunState.LIVE: frozenset({RunState.ENDED, RunState.DROPPED, RunState.DONE}),
    RunState.ENDED: frozenset({RunState.PENDING, RunState.REPORTED, RunState.DONE}),
    RunState.REPORTED: frozenset({RunState.PENDING, RunState.DONE}),
    RunState.DROPPED: frozenset({RunState.DONE}),
    RunState.DONE: frozenset(),
}
"""The states that may follow each state."""

WITH_ENGINE = frozenset({RunState.ORDERED, RunState.LAUNCHED, RunState.LIVE})
"""The engine has an order for the run, and owes its terminal report."""
