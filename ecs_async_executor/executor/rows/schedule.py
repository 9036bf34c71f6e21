"""Decides when each run's row is read next: at a set time, or in turn with all others. Sans-I/O."""

from __future__ import annotations

import heapq
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")

CHECK_AFTER = 15.0
"""Seconds between two reads of a run's row in turn, at least."""
CHECKS_PER_SECOND = 100
"""Rows read in turn per second, at most: with very many runs, each is read less often."""
PAUSE = 0.25
"""Seconds between two batches: short enough to keep each small, long enough to make a query worthwhile."""


class DueTimes:
    """The time at which each run's row is due to be read, by run id."""

    def __init__(self) -> None:
        self._at: dict[str, float] = {}
        self._heap: list[tuple[float, int, str]] = []
        """The times in `_at`, and stale ones that were replaced. The count keeps equal times in order."""
        self._count = 0

    def __len__(self) -> int:
        return len(self._at)

    def __contains__(self, run_id: str) -> bool:
        return run_id in self._at

    def add(self, run_id: str, at: float) -> None:
        """Schedule a run's row for this time instead of any earlier choice."""
        self._at[run_id] = at
        self._count += 1
        heapq.heappush(self._heap, (at, self._count, run_id))

    def discard(self, run_id: str) -> None:
        """Remove a run; do nothing if it isn't scheduled."""
        self._at.pop(run_id, None)

    def take(self, now: float, *, limit: int) -> list[str]:
        """Remove and return the runs that are due, the longest overdue first, `limit` at most."""
        taken: list[str] = []
        while self._heap and self._heap[0][0] <= now and len(taken) < limit:
            at, _, run_id = heapq.heappop(self._heap)
            if self._at.get(run_id) == at:
                del self._at[run_id]
                taken.append(run_id)
        return taken


class RoundRobin(Generic[T]):
    """Repeats each run's read at intervals, the longest overdue first. Reads are made once and reused."""

    def __init__(self) -> None:
        self._reads: dict[str, T] = {}
        self._due: deque[tuple[float, str, T]] = deque()
        """The reads in `_reads`, and stale ones that were replaced or discarded."""
        self._last = 0.0

    def __len__(self) -> int:
        return len(self._reads)

    def add(self, run_id: str, read: T, now: float) -> None:
        """Repeat this read of a run's row from now on, instead of any earlier one."""
        self._reads[run_id] = read
        self._due.append((now + CHECK_AFTER, run_id, read))

    def discard(self, run_id: str) -> None:
        """Stop reading this run's row in turn."""
        self._reads.pop(run_id, None)

    def take(self, now: float) -> list[T]:
        """Return due reads, as many as the time since the last call allows (ten seconds' worth at most)."""
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
