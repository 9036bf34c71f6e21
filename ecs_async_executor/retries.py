"""Whether a run that never ran is launched again, when, and by which profile. The time and the dice come from the caller."""

from __future__ import annotations

from collections import OrderedDict
from random import random as system_random

from ecs_async_executor.engine.backoff import Random, backoff
from ecs_async_executor.profiles import Profile, Profiles
from ecs_async_executor.runs import Run

TASKS_REMEMBERED = 10_000
"""Tasks whose interruptions are remembered over their tries, the latest."""


class Retries:
    """Lack of capacity costs time, every other start failure costs one of the run's start attempts."""

    def __init__(self, profiles: Profiles, random: Random = system_random) -> None:
        self._profiles = profiles
        self._random = random
        self._interruptions: OrderedDict[str, int] = OrderedDict()
        """By task, whatever its try. A scheduler that starts again begins to count anew."""

    def profile(self, run: Run) -> Profile:
        """Give the profile that a run's next launch is made by."""
        return self._profiles.of(run.queue, run.fallbacks)

    def max_starts(self, run: Run) -> int:
        """Start attempts of a run, the first included."""
        return self.profile(run).max_starts

    def allow(self, run: Run, now: float) -> bool:
        """Tell whether a run may be launched again."""
        if not run.costs_attempt and run.waits_since is not None:
            return not self._waited_enough(run, now) or self.profile(run).fallback is not None
        return run.starts < self.max_starts(run) and not getattr(run.ended, "permanent", False)

    def delay(self, run: Run) -> float:
        """Seconds until then. Thousands may wait for room, and each try takes one of the calls that AWS allows."""
        if run.costs_attempt:
            return backoff(run.starts, base=10.0, cap=60.0, random=self._random)
        return backoff(run.number, base=5.0, cap=300.0, random=self._random)

    def fall_back(self, run: Run, now: float) -> str | None:
        """Let a run that has waited, or was interrupted, long and often enough go on by another profile; say so if it does."""
        before = self.profile(run)
        if not run.costs_attempt and before.fallback is not None and self._waited_enough(run, now):
            run.fallbacks += 1
            run.waits_since = None
            return f"No capacity for {before.capacity_timeout:.0f} s: the queue {before.name} falls back to {before.fallback.name}."
        count = self._interruptions.get(run.task, 0)
        run.fallbacks = max(run.fallbacks, self._fallbacks_after(run.queue, count))
        after = self.profile(run)
        if after is before:
            return None
        return f"Interrupted {count} time{'s' * (count > 1)}: the queue {before.name} falls back to {after.name}."

    def interrupted(self, run: Run) -> None:
        """AWS has taken back the capacity that a run's task had."""
        self._interruptions[run.task] = self._interruptions.pop(run.task, 0) + 1
        if len(self._interruptions) > TASKS_REMEMBERED:
            self._interruptions.popitem(last=False)

    def _waited_enough(self, run: Run, now: float) -> bool:
        return run.waits_since is not None and now - run.waits_since >= self.profile(run).capacity_timeout

    def _fallbacks_after(self, queue: str, interruptions: int) -> int:
        fallbacks, profile = 0, self._profiles.of(queue)
        while profile.fallback is not None and profile.fallback_after is not None:
            interruptions -= profile.fallback_after
            if interruptions < 0:
                break
            fallbacks, profile = fallbacks + 1, profile.fallback
        return fallbacks
