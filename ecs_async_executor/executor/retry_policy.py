"""Decides whether a failed start is retried, when, and with which profile.

The caller passes the time and the source of randomness.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from enum import Enum
from random import random as system_random

from ecs_async_executor.backoff import Random, backoff
from ecs_async_executor.config.profiles import Profile, Profiles
from ecs_async_executor.executor.runs import Run
from ecs_async_executor.messages import Stopped

TASKS_REMEMBERED = 10_000
"""How many tasks' interruptions are remembered across tries; the oldest are dropped."""


class _Cause(Enum):
    """Why a run falls back."""

    WAITED = "it waited for its profile's capacity_timeout"
    INTERRUPTED = "AWS reclaimed its task's capacity too often"


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

    def capacity_timeout(self, run: Run) -> float:
        """Return the seconds that a run waits for capacity at most, before it fails or falls back."""
        return self._profile(run).capacity_timeout

    def describe_tries(self, run: Run) -> str:
        """Return what was tried until a run's start was given up; empty if its first start decided."""
        if not run.costs_attempt and run.waits_since is not None:
            return f"It waited {self.capacity_timeout(run):.0f} s (`capacity_timeout`) without success."
        if run.starts > 1 and isinstance(run.ended, Stopped) and not run.ended.ran:
            return f"Start {run.starts} of {self.max_starts(run)} failed, too."
        return ""

    def allow(self, run: Run, now: float) -> bool:
        """Return whether a run may be launched again."""
        if not run.costs_attempt and run.waits_since is not None:
            return not self._waited_enough(run, now) or self._profile(run).fallback is not None
        return run.starts < self.max_starts(run) and not (run.ended is not None and run.ended.permanent)

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
        reason = None
        while (cause := self._cause_to_fall_back(run, now)) is not None:
            reason = self._explain(run, cause)
            run.fallbacks += 1
            if cause is _Cause.WAITED:
                run.waits_since = None  # it waits anew, for the fallback's time
                break
        return reason

    def _cause_to_fall_back(self, run: Run, now: float) -> _Cause | None:
        profile = self._profile(run)
        if profile.fallback is None:
            return None
        if not run.costs_attempt and self._waited_enough(run, now):
            return _Cause.WAITED
        most = profile.fallback_after
        return _Cause.INTERRUPTED if most is not None and self._count(run, profile) >= most else None

    def _explain(self, run: Run, cause: _Cause) -> str:
        profile = self._profile(run)
        if cause is _Cause.WAITED:
            what = f"Not started for {profile.capacity_timeout:.0f} s, for lack of capacity or S3"
        else:
            count = self._count(run, profile)
            what = f"Interrupted {count} time{'s' * (count > 1)}"
        to = profile.fallback.name if profile.fallback is not None else ""
        return f"{what}: the queue {profile.name} falls back to {to}."

    def note_end(self, run: Run, now: float) -> None:
        """Note how a launch ended: a wait for capacity begins, goes on or is over."""
        if run.costs_attempt:
            run.waits_since = None  # this launch did get capacity
        elif run.waits_since is None:
            run.waits_since = now
        if isinstance(run.ended, Stopped) and run.ended.interrupted:
            self.interrupted(run)

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
