"""Whether a run that never ran is launched again, when, and by which profile. The time and the dice come from the caller."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from random import random as system_random

from ecs_async_executor.backoff import Random, backoff
from ecs_async_executor.config.profiles import Profile, Profiles
from ecs_async_executor.executor.runs import Run

TASKS_REMEMBERED = 10_000
"""Tasks whose interruptions are remembered over their tries, the latest."""


class RetryPolicy:
    """Lack of capacity costs time, every other start failure costs one of the run's start attempts."""

    def __init__(self, profiles: Profiles, random: Random = system_random) -> None:
        self._profiles = profiles
        self._random = random
        self._interruptions: OrderedDict[tuple[Hashable, str], int] = OrderedDict()
        """By task, whatever its try, and profile. A scheduler that starts again begins to count anew."""

    def max_starts(self, run: Run) -> int:
        """Start attempts of a run, the first included."""
        return self._profile(run).max_starts

    def allow(self, run: Run, now: float) -> bool:
        """Tell whether a run may be launched again."""
        if not run.costs_attempt and run.waits_since is not None:
            return not self._waited_enough(run, now) or self._profile(run).fallback is not None
        return run.starts < self.max_starts(run) and not getattr(run.ended, "permanent", False)

    def delay(self, run: Run) -> float:
        """Seconds until then. Thousands may wait for room, and each try takes one of the calls that AWS allows."""
        if run.costs_attempt:
            return backoff(run.starts, base=10.0, cap=60.0, random=self._random)
        return backoff(run.number, base=5.0, cap=300.0, random=self._random)

    def fall_back(self, run: Run, now: float) -> str | None:
        """Let a run that has waited, or was interrupted, long and often enough go on by another profile; say so if it does."""
        before = self._profile(run)
        if not run.costs_attempt and before.fallback is not None and self._waited_enough(run, now):
            run.fallbacks += 1
            run.waits_since = None
            return (
                f"Not started for {before.capacity_timeout:.0f} s, for lack of capacity or S3:"
                f" the queue {before.name} falls back to {before.fallback.name}."
            )
        count = self._count(run, before)
        if before.fallback is None or before.fallback_after is None or count < before.fallback_after:
            return None
        run.fallbacks += 1
        further = self.fall_back(run, now)
        times = f"{count} time{'s' * (count > 1)}"
        return (
            further or f"Interrupted {times}: the queue {before.name} falls back to {before.fallback.name}."
        )

    def interrupted(self, run: Run) -> None:
        """AWS has taken back the capacity that a run's task had."""
        profile = self._profile(run)
        if profile.fallback_after is None:
            return
        self._interruptions[run.task, profile.name] = self._count(run, profile) + 1
        self._interruptions.move_to_end((run.task, profile.name))
        if len(self._interruptions) > TASKS_REMEMBERED:
            self._interruptions.popitem(last=False)

    def _profile(self, run: Run) -> Profile:
        return self._profiles.of(run.queue, run.fallbacks)

    def _count(self, run: Run, profile: Profile) -> int:
        return self._interruptions.get((run.task, profile.name), 0)

    def _waited_enough(self, run: Run, now: float) -> bool:
        timeout = self._profile(run).capacity_timeout
        return run.waits_since is not None and now - run.waits_since >= timeout
