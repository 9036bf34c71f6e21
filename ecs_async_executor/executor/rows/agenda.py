"""Whose row is to be looked at, and when. Costs what is due, however much is not. Pure."""

from __future__ import annotations

import heapq


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
