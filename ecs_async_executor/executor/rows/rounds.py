"""The rows that are as they should be, as far as we know: which of them are read next, a few at every heartbeat. Pure."""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")

CHECK_AFTER = 15.0
"""Seconds between two looks at a run's row, at least."""
CHECKS_PER_SECOND = 100
"""Bounds the cost; with very many runs, each is looked at less often."""
PAUSE = 0.25
"""Seconds between two takes, each of which is so much smaller: no heartbeat does much, and no query is for a few."""


class RoundRobin(Generic[T]):
    """How to look at each of them, in the order in which they are due. The looks are made once, and used many times."""

    def __init__(self) -> None:
        self._reads: dict[str, T] = {}
        self._due: deque[tuple[float, str, T]] = deque()
        """What `_reads` says, and older looks that it says no more."""
        self._last = 0.0

    def __len__(self) -> int:
        return len(self._reads)

    def add(self, run_id: str, read: T, now: float) -> None:
        """Look at this run's row like this now and then, and no more as before."""
        self._reads[run_id] = read
        self._due.append((now + CHECK_AFTER, run_id, read))

    def discard(self, run_id: str) -> None:
        """Look at this run's row no more."""
        self._reads.pop(run_id, None)

    def take(self, now: float) -> list[T]:
        """Give the looks that are due now, as many as the time since the last take allows; ten seconds' at most."""
        passed = now - self._last
        if passed < PAUSE or not self._due or self._due[0][0] > now:
            return []
        self._last = now
        limit = int(min(10.0, passed) * CHECKS_PER_SECOND)
        taken: list[T] = []
        while self._due and self._due[0][0] <= now and len(taken) < limit:
            _, run_id, read = self._due.popleft()
            if self._reads.get(run_id) is read:
                taken.append(read)
                self._due.append((now + CHECK_AFTER, run_id, read))
        return taken
