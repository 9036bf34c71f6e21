"""Decides whether a failed start is retried, when, and with which profile.

The caller passes the time and the source of randomness.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from random import random as system_random

from ecs_async_executor.backoff import Random, backoff
from ecs_async_executor.config.profiles import Profile, Profiles
from ecs_async_executor.executor.runs import Run

TASKS_REMEMBERED = 10_000
"""How many tasks' interruptions are remembered across tries; the oldest are dropped."""


class RetryPolicy:
    """Lack of capacity costs the run time; every other start failure costs it a start attempt."""

    def __init__(self, profiles: Profiles, random: Random = system_random) -> None:
        self._profiles = profiles
        self._random = random
        self._interruptions: OrderedDict[tuple[Hashable, str], int] = OrderedDict()
        """Counts by task (all tries together) and profile. A restarted scheduler starts from zero."""

    def max_starts(self, run: Run) -> int:
        """Return how many start attempts a run has, the first included."""
        return self._profile(run).max_starts

    def allow(self, run: Run, now: float) -> bool:
        """Return whether a run may be launched again."""
        if not run.costs_attempt and run.waits_since is not None:
            return not self._waited_enough(run, now) or self._profile(run).fallback is not None
        return run.starts < self.max_starts(run) and not getattr(run.ended, "permanent", False)

    def delay(self, run: Run) -> float:
        """Return the seconds until a run's next launch.

        Longer for lack of capacity: thousands may wait for it, and each try uses a call from AWS's limit.
        """
        if run.costs_attempt:
            return backoff(run.starts, base=10.0, cap=60.0, random=self._random)
        return backoff(run.number, base=5.0, cap=300.0, random=self._random)

    def fall_back(self, run: Run, now: float) -> str | None:
        """Switch a run to its fallback profile if it has waited or was interrupted for long enough.

        Returns the reason, for people to read; None if the run keeps its profile.
        """
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
        """Note that AWS reclaimed the capacity of a run's task."""
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
