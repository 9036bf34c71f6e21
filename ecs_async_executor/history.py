"""What has happened to one run, as a short list of events: for the debug dump, and for errors."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from heapq import nsmallest
from typing import Protocol

EVENTS = 8
"""Events that a history keeps: enough for the last launch, and small, because ten thousand runs have one."""
RUNS_DUMPED = 20
"""Runs that a debug dump describes at most."""


@dataclass(slots=True, repr=False)
class History:
    """The last events of one run. Times are in seconds, on the caller's clock."""

    _events: tuple[tuple[float, str, str], ...] = ()

    def note(self, at: float, state: str, why: str) -> None:
        """Note that the run is in this state from now on."""
        self._events = (*self._events[1 - EVENTS :], (at, state, why))

    @property
    def last_at(self) -> float:
        """When the last event happened; minus infinity if there was none."""
        return self._events[-1][0] if self._events else float("-inf")

    def __str__(self) -> str:
        """Return the events in order, each with the seconds since the one before."""
        if not self._events:
            return "no events"
        before = self._events[0][0]
        parts = []
        for at, state, why in self._events:
            parts.append(f"+{at - before:.1f} s {state} ({why})")
            before = at
        return ", ".join(parts)


class HasHistory(Protocol):
    """A run, as either half knows it."""

    label: str
    history: History


def describe_oldest(runs: Iterable[HasHistory]) -> str:
    """Describe the runs that have been in their state for longest, each on a line of its own."""
    oldest = nsmallest(RUNS_DUMPED, runs, key=lambda run: run.history.last_at)
    return "".join(f"\n  {run.label}: {run.history}" for run in oldest)
