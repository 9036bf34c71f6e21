"""Whose row is to be looked at next: all runs in turn, so that every heartbeat does the same little. Pure."""

from __future__ import annotations

from collections import deque

CHECK_AFTER = 15.0
"""Seconds between two looks at a run's row, at least."""
CHECKS_PER_SECOND = 100
"""Bounds the cost; with very many runs, each is looked at less often."""
PAUSE = 0.25
"""Seconds between two takes, each of which is so much smaller: no heartbeat does much, and no query is for a few."""


class Rounds:
    """The runs, by id, in the order in which their next look is due."""

    def __init__(self) -> None:
        self._due: deque[tuple[float, str]] = deque()
        self._last = 0.0

    def __len__(self) -> int:
        return len(self._due)

    def add(self, run_id: str, now: float) -> None:
        """Look at a run after a while; it is to be added again after each look."""
        self._due.append((now + CHECK_AFTER, run_id))

    def take(self, now: float) -> list[str]:
        """Give the runs to look at now, as many as the time since the last take allows; ten seconds' at most."""
        passed = now - self._last
        if passed < PAUSE or not self._due or self._due[0][0] > now:
            return []
        self._last = now
        limit = int(min(10.0, passed) * CHECKS_PER_SECOND)
        taken: list[str] = []
        while self._due and self._due[0][0] <= now and len(taken) < limit:
            taken.append(self._due.popleft()[1])
        return taken
