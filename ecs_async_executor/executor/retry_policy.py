"""Decides whether a failed start is retried, when, and with which profile.

The caller passes the time and the source of randomness.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from enum import Enum
from random import random as system_random
from typing import Any

from airflow.executors.workloads import ExecuteTask

from ecs_async_executor.backoff import Random, backoff
from ecs_async_executor.config.growth import sets_memory
from ecs_async_executor.config.profiles import Profile, Profiles
from ecs_async_executor.event_names import EventName
from ecs_async_executor.executor.runs import Run
from ecs_async_executor.executor.setbacks import Setback, setbacks_of
from ecs_async_executor.messages import LaunchFailed, Stopped

TASKS_REMEMBERED = 10_000
"""How many tasks' setbacks are remembered across tries; the oldest are dropped."""


class _Cause(Enum):
    """Why a run falls back."""

    WAITED = "it waited for its profile's capacity_timeout"
    INTERRUPTED = "AWS reclaimed its task's capacity too often"
    OUTGROWN = "its task was killed for lack of memory"


class RetryPolicy:
    """Lack of capacity costs the run time; every other start failure costs it a start attempt."""

    def __init__(self, profiles: Profiles, random: Random = system_random) -> None:
        self._profiles = profiles
        self._random = random
        self._noted: OrderedDict[Hashable, tuple[Setback, ...]] = OrderedDict()
        """What happened to tasks (all tries together) since this scheduler started. The database has it too, a moment later."""

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
        if run.lost_standby:
            return True  # it starts cold now, and that can fail in its own right
        if not run.costs_attempt and run.waits_since is not None:
            return not self._waited_enough(run, now) or self._profile(run).fallback is not None
        return run.starts < self.max_starts(run) and not (run.ended is not None and run.ended.permanent)

    def delay(self, run: Run) -> float:
        """Return the seconds until a run's next launch: none if ECS had no room, as the engine sends it once there is."""
        if run.lost_standby:
            return 0.0
        if run.costs_attempt:
            return backoff(run.starts, base=10.0, cap=60.0, random=self._random)
        if isinstance(run.ended, Stopped) or (
            isinstance(run.ended, LaunchFailed) and run.ended.waited is not None
        ):
            return 0.0
        return backoff(run.number, base=5.0, cap=300.0, random=self._random)

    def must_look_back(self, run: Run) -> bool:
        """Return whether a run's profile depends on its task's earlier launches, so that they must be read first."""
        return run.try_number > 1 and not run.is_callback and self._profiles.of(run.queue).looks_back

    def adjust(self, run: Run, now: float) -> list[tuple[EventName, str]]:
        """Give a run the profile that its waits and its task's earlier launches ask for.

        Call it before each launch. Returns what changed, for people to read.
        """
        changed = []
        if (reason := self.fall_back(run, now)) is not None:
            changed.append((EventName.FALLBACK, reason))
        if (reason := self._grow(run)) is not None:
            changed.append((EventName.MEMORY, reason))
        return changed

    def fall_back(self, run: Run, now: float) -> str | None:
        """Switch a run to its fallback profile if it has waited, was interrupted or lacked memory for long enough.

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
        if most is not None and self._count(run, profile) >= most:
            return _Cause.INTERRUPTED
        return _Cause.OUTGROWN if profile.fallback_on_out_of_memory and self._outgrew(run, profile) else None

    def _outgrew(self, run: Run, profile: Profile) -> bool:
        """Return whether a run's task was killed for lack of memory at the profile's largest size."""
        largest = profile.sizes[-1].memory
        if largest is not None:
            return any(_size(each) >= largest for each in self._kills(run))
        names = _names_from(profile)  # what is too little further on is too little here
        return any(each.profile in names for each in self._kills(run))

    def _explain(self, run: Run, cause: _Cause) -> str:
        profile = self._profile(run)
        if cause is _Cause.WAITED:
            what = f"Not started for {profile.capacity_timeout:.0f} s, for lack of capacity or S3"
        elif cause is _Cause.INTERRUPTED:
            count = self._count(run, profile)
            what = f"Interrupted {count} time{'s' * (count > 1)}"
        else:
            what = _killed(max(self._kills(run), key=_size), "Try")
        to = profile.fallback.name if profile.fallback is not None else ""
        return f"{what}: the queue {profile.name} falls back to {to}."

    def _grow(self, run: Run) -> str | None:
        """Give a run more memory than its task was killed at, if its profile has it; say what it gets, once."""
        kills = self._kills(run)
        worst = max(kills, key=_size) if kills else None
        if worst is None:
            return None
        # Its workload comes and goes.
        run.sets_memory = run.sets_memory or sets_memory(_executor_config(run.workload))
        if _size(worst) <= run.killed_at:
            return None
        run.killed_at = _size(worst)
        profile = self._profile(run)
        if profile.memory is None:
            return None
        if run.sets_memory:
            return f"Its executor_config sets its memory, so its queue gives it no more, though {_killed(worst)}."
        gets = f"Try {run.try_number} gets {profile.memory} MiB"
        if profile.memory > run.killed_at:
            return f"{gets}: {_killed(worst)}."
        return f"{gets}, the most that the queue {profile.name} has, though {_killed(worst)}."

    def note_end(self, run: Run, now: float) -> list[Setback]:
        """Note how a launch ended: a wait for capacity begins, goes on or is over.

        Returns what the task's later launches may depend on, and so must be kept in the database.
        """
        if run.costs_attempt:
            run.waits_since = None  # this launch did get capacity
        elif run.waits_since is None:
            waited = run.ended.waited if isinstance(run.ended, LaunchFailed) else None
            run.waits_since = now - (waited or 0.0)
        if run.is_callback or not isinstance(run.ended, Stopped):
            return []
        profile = self._profile(run)
        looks_back = self._profiles.of(run.queue).looks_back
        # A profile may be taught to give more memory before the next try, but nothing else counts what nobody asked for.
        found = [
            each
            for each in setbacks_of(run.ended, run.try_number, profile)
            if looks_back or each.event is EventName.OUT_OF_MEMORY
        ]
        if found and looks_back:
            self._remember(run, found)
        return found

    def _remember(self, run: Run, found: list[Setback]) -> None:
        self._noted[run.task] = (*self._noted.get(run.task, ()), *found)
        self._noted.move_to_end(run.task)
        if len(self._noted) > TASKS_REMEMBERED:
            self._noted.popitem(last=False)

    def _profile(self, run: Run) -> Profile:
        return self._profiles.of(run.queue, run.fallbacks, run.outgrown)

    def _setbacks(self, run: Run, event: EventName) -> list[Setback]:
        """Return what happened to a run's task, each ECS task once: two schedulers may have noted its end."""
        noted = self._noted.get(run.task, ()) if self._noted else ()
        if not noted and not run.setbacks:
            return []  # nearly always, and this is asked about each run
        known = (*run.setbacks, *noted)
        return list({each.arn: each for each in known if each.event is event}.values())

    def _kills(self, run: Run) -> list[Setback]:
        return self._setbacks(run, EventName.OUT_OF_MEMORY)

    def _count(self, run: Run, profile: Profile) -> int:
        interruptions = self._setbacks(run, EventName.INTERRUPTED)
        return sum(each.profile == profile.name for each in interruptions)

    def _waited_enough(self, run: Run, now: float) -> bool:
        timeout = self._profile(run).capacity_timeout
        return run.waits_since is not None and now - run.waits_since >= timeout


def _size(kill: Setback) -> int:
    """Return the MiB at which a task was killed for lack of memory; 0 if ECS didn't show it."""
    return kill.memory or 0


# The other places that speak of a lack of memory: engine/diagnosis/causes/containers.py names them.
def _killed(kill: Setback, begin: str = "try") -> str:
    size = f" at {kill.memory} MiB" if kill.memory is not None else ""
    return f"{begin} {kill.try_number} was killed for lack of memory{size}"


def _names_from(profile: Profile | None) -> frozenset[str]:
    """Return the names of a profile and of all that it may fall back to."""
    names = set()
    while profile is not None:
        names.add(profile.name)
        profile = profile.fallback
    return frozenset(names)


def _executor_config(workload: Any) -> Any:
    return workload.ti.executor_config if isinstance(workload, ExecuteTask) else None
