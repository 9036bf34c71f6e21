"""How late the engine's event loop wakes up: the worst of each second. Sans-I/O."""

from __future__ import annotations

from ecs_async_executor.measurements import Measurements
from ecs_async_executor.metrics import LOOP_LAG

INTERVAL = 1.0
"""Seconds that one measurement stands for."""


class LoopLag:
    """Told of each sleep of the loop; measures the one that ended latest."""

    def __init__(self, measurements: Measurements) -> None:
        self._measurements = measurements
        self._worst = 0.0
        self._next_at = float("-inf")

    def note(self, due: float, now: float) -> None:
        """Note that a sleep that was due to end at `due` has ended now."""
        self._worst = max(self._worst, now - due)
        if now >= self._next_at:
            self._measurements.time(LOOP_LAG, self._worst)
            self._worst, self._next_at = 0.0, now + INTERVAL
