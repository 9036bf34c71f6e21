"""Measures standbys: how many there are, and what those without a task cost. Sans-I/O."""

from __future__ import annotations

from collections import Counter

from ecs_async_executor.engine.standby.standbys import Standbys
from ecs_async_executor.measurements import Measurements, Series
from ecs_async_executor.metrics import STANDBY_IDLE, STANDBYS


class StandbyMeter:
    """Told of one engine's standbys now and then. `now` is the loop's time."""

    def __init__(self, measurements: Measurements) -> None:
        self._measurements = measurements
        self._counted: Counter[str] = Counter()
        """Whole idle seconds, by pool."""

    def gauges(self, standbys: Standbys, now: float) -> dict[Series, float]:
        """Count the idle time since the last time, and return the gauges."""
        for pool, seconds in standbys.idle_seconds().items():
            more = int(seconds) - self._counted[pool]
            self._counted[pool] += more
            self._measurements.count(STANDBY_IDLE, pool, amount=more)
        return {
            (STANDBYS, (stage.name.lower(), pool)): count
            for (stage, pool), count in standbys.stages(now).items()
        }
