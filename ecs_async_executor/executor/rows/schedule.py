"""When each run's row is read next: at one time of its own, or in turn with all others. Sans-I/O."""

from __future__ import annotations

import heapq
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")

CHECK_AFTER = 15.0
"""Seconds between two looks at a run's row, at least."""
CHECKS_PER_SECOND = 100
"""Bounds the cost; with very many runs, each is looked at less often."""
PAUSE = 0.25
"""Seconds between two takes, each of which is so much smaller: no heartbeat does much, and no query is for a few."""


class DueTimes:
    """Runs, by id, each with the one time at which its row is to be looked at."""

    def __init__(self) -> None:
        self._at: dict[str, float] = {}
        self._heap: list[tuple[float, int, str]] = []
        """What `_at` says, and older times that it says no more. Of the same time, the first to come is first."""
        self._count = 0

    def __len__(self) -> int:
        return len(self._at)

    def __contains__(self, run_id: str) -> bool:
        return run_id in self._at

    def add(self, run_id: str, at: float) -> None:
        """Look at a run at this time, and at no other that was said before."""
        self._at[run_id] = at
        self._count += 1
        heapq.heappush(self._heap, (at, self._count, run_id))

    def discard(self, run_id: str) -> None:
        """Forget a run, whether it is to be looked at or not."""
        self._at.pop(run_id, None)

    def take(self, now: float, *, limit: int) -> list[str]:
        """Take the runs that are due, the longest overdue first, `limit` at most."""
        taken: list[str] = []
        while self._heap and self._heap[0][0] <= now and len(taken) < limit:
            at, _, run_id = heapq.heappop(self._heap)
            if self._at.get(run_id) == at:
                del self._at[run_id]
                taken.append(run_id)
        return taken


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
