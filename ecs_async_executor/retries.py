"""Whether a run that never ran is launched again, and when. Pure; the time and the dice come from the caller."""

from __future__ import annotations

from dataclasses import dataclass
from random import random as system_random

from ecs_async_executor.engine.backoff import Random, backoff
from ecs_async_executor.runs import Run


@dataclass(frozen=True, slots=True)
class Retries:
    """Lack of capacity costs time, every other start failure costs one of the run's start attempts."""

    max_starts: int
    """Start attempts of a run, the first included."""
    capacity_timeout: float
    """Seconds that a run may wait for capacity."""
    random: Random = system_random

    def allow(self, run: Run, now: float) -> bool:
        """Tell whether a run may be launched again."""
        if not run.costs_attempt and run.waits_since is not None:
            return now - run.waits_since < self.capacity_timeout
        return run.starts < self.max_starts and not getattr(run.ended, "permanent", False)

    def delay(self, run: Run) -> float:
        """Seconds until then. Thousands may wait for room, and each try takes one of the calls that AWS allows."""
        if run.costs_attempt:
            return backoff(run.starts, base=10.0, cap=60.0, random=self.random)
        return backoff(run.number, base=5.0, cap=300.0, random=self.random)
