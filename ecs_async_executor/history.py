"""The states that one run has been in, as a short list of events: for the debug dump, and for errors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from heapq import nsmallest
from typing import Any, Protocol, TypeVar

from ecs_async_executor.errors import ImpossibleTransitionError

StateT = TypeVar("StateT", bound=Enum)

EVENTS = 8
"""Events that a history keeps: enough for the last launch, and small, because ten thousand runs have one."""
RUNS_DUMPED = 20
"""Runs that a debug dump describes at most."""


@dataclass(slots=True, repr=False)
class History:
    """The last events of one run. Times are in seconds, on the caller's clock."""

    _events: tuple[Any, ...] = ()
    """Time, state and reason of the first event, then of the next: flat, because nested tuples take more memory."""

    def note(self, at: float, state: str, why: str) -> None:
        """Note that the run is in this state from now on."""
        self._events = (*self._events[3 * (1 - EVENTS) :], at, state, why)

    @property
    def last_at(self) -> float:
        """When the last event happened; minus infinity if there was none."""
        return float(self._events[-3]) if self._events else float("-inf")

    def __str__(self) -> str:
        """Return the events in order, each with the seconds since the one before."""
        if not self._events:
            return "no events"
        times, states, reasons = self._events[::3], self._events[1::3], self._events[2::3]
        since = [at - before for before, at in zip((times[0], *times), times, strict=False)]
        return ", ".join(
            f"+{seconds:.1f} s {state} ({why})"
            for seconds, state, why in zip(since, states, reasons, strict=True)
        )


class HasHistory(Protocol):
    """A run, as either half knows it."""

    label: str
    history: History


class HasState(HasHistory, Protocol[StateT]):
    """A run, and the state it is in."""

    state: StateT


def move(
    run: HasState[StateT],
    state: StateT,
    transitions: Mapping[StateT, frozenset[StateT]],
    why: str,
    now: float,
) -> None:
    """Change a run's state and note it in its history; raise `ImpossibleTransitionError` if it may not follow."""
    if state not in transitions[run.state]:
        raise ImpossibleTransitionError(run.label, run.state.name, state.name, why, run.history)
    run.state = state
    run.history.note(now, state.name, why)


def describe_oldest(runs: Iterable[HasHistory]) -> str:
    """Describe the runs that have been in their state for longest, each on a line of its own."""
    oldest = nsmallest(RUNS_DUMPED, runs, key=lambda run: run.history.last_at)
    return "".join(f"\n  {run.label}: {run.history}" for run in oldest)
