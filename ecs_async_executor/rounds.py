"""Whose row is to be looked at next: all runs in turn, so that every heartbeat does the same little. Pure."""

from __future__ import annotations

from collections import deque

CHECK_AFTER = 15.0
"""Seconds between two looks at a run's row, at least."""
CHECKS_PER_SECOND = 200
"""Bounds the cost; with very many runs, each is looked at less often."""


class Rounds:
    """The runs, by id, in the order in which their next look is due."""

    def __init__(self) -> None:
        self._due: deque[tuple[float, str]] = deque()
        self._next_at = 0.0

    def __len__(self) -> int:
        return len(self._due)

    def add(self, run_id: str, now: float) -> None:
        """Look at a run after a while; it is to be added again after each look."""
        self._due.append((now + CHECK_AFTER, run_id))

    def take(self, now: float) -> list[str]:
        """Give the runs to look at now: `CHECKS_PER_SECOND` at most, and none within the same second."""
        if now < self._next_at or not self._due or self._due[0][0] > now:
            return []
        self._next_at = now + 1.0
        taken: list[str] = []
        while self._due and self._due[0][0] <= now and len(taken) < CHECKS_PER_SECOND:
            taken.append(self._due.popleft()[1])
        return taken
