"""Counts what has happened in the last minute. Sans-I/O: the caller passes in the time."""

from __future__ import annotations

from collections import deque

MINUTE = 60.0


class LastMinute:
    """How often something happened in the last minute, to the second; it keeps 61 numbers at most."""

    def __init__(self) -> None:
        self._seconds: deque[list[int]] = deque()
        """A second on the caller's clock, and how often it happened in it."""
        self._count = 0

    def note(self, now: float) -> None:
        """Count one."""
        second = int(now)
        if self._seconds and self._seconds[-1][0] == second:
            self._seconds[-1][1] += 1
        else:
            self._seconds.append([second, 1])
        self._count += 1
        self._drop_old(now)

    def count(self, now: float) -> int:
        """Return how often it happened."""
        self._drop_old(now)
        return self._count

    def _drop_old(self, now: float) -> None:
        while self._seconds and self._seconds[0][0] <= now - MINUTE:
            self._count -= self._seconds.popleft()[1]
