"""A task's lifecycle as a value: its status is a function of its timeline and of `now`. Pure.

Times are epoch seconds. The order of lastStatus values is AWS's ("Amazon ECS task lifecycle"). A moment
that a task never reaches is `NEVER`, so a stop before the start simply skips the moments in between.
"""

from __future__ import annotations

import math
import signal
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NEVER = math.inf
SIGTERM_EXIT = 128 + signal.SIGTERM
SIGKILL_EXIT = 128 + signal.SIGKILL
SPOT = ("SpotInterruption", "Your Spot Task was interrupted.")
HOST_TERMINATED = ("TerminationNotice", "Host EC2 (instance i-0123456789abcdef0) terminated.")
ESSENTIAL_EXITED = ("EssentialContainerExited", "Essential container in task exited")

MOMENTS = (
    ("created_at", "PROVISIONING"),
    ("pending_at", "PENDING"),
    ("pull_started_at", "ACTIVATING"),
    ("pull_stopped_at", "ACTIVATING"),
    ("started_at", "RUNNING"),
    ("deactivating_at", "DEACTIVATING"),
    ("stopping_at", "STOPPING"),
    ("execution_stopped_at", "DEPROVISIONING"),
    ("stopped_at", "STOPPED"),
)
_moments_of = attrgetter(*(name for name, _ in MOMENTS))


@dataclass(frozen=True, slots=True)
class ContainerEnd:
    """How and when a container ended. ECS omits `exit_code` if it never ran or its end was not observed."""

    at: float = NEVER
    exit_code: int | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Timeline:
    """When a task reaches each moment of its lifecycle, past or planned; `ends` is in its containers' order."""

    created_at: float
    pending_at: float = NEVER
    pull_started_at: float = NEVER
    pull_stopped_at: float = NEVER
    started_at: float = NEVER
    deactivating_at: float = NEVER
    stopping_at: float = NEVER
    execution_stopped_at: float = NEVER
    stopped_at: float = NEVER
    stop_code: str | None = None
    stopped_reason: str | None = None
    ends: tuple[ContainerEnd, ...] = ()

    def rank(self, now: float) -> int:
        """Return the index in MOMENTS of the last moment reached."""
        moments = _moments_of(self)
        rank = len(moments) - 1
        while rank and moments[rank] > now:
            rank -= 1
        return rank

    def last_status(self, now: float) -> str:
        """Return ECS's lastStatus."""
        return MOMENTS[self.rank(now)][1]

    def desired_status(self, now: float) -> str:
        """Return ECS's desiredStatus, which is always RUNNING or STOPPED."""
        return "STOPPED" if self.deactivating_at <= now else "RUNNING"

    def version(self, now: float) -> int:
        """Return a number that increases with every change that DescribeTasks can show."""
        return 1 + self.rank(now) + sum(end.at <= now for end in self.ends)


@dataclass(frozen=True, slots=True)
class Interruption:
    """AWS takes the capacity away `after` seconds, counted from the start or, if `early`, from creation."""

    after: float = 0.0
    early: bool = False
    host_lost: bool = False


@dataclass(frozen=True, slots=True)
class Course:
    """What happens to a task that nobody stops. Durations are in seconds.

    `stop_seconds` is the time from SIGTERM to the exit. `ends` gives containers other than the main one their
    own exit code and reason. `start_failure` is the stoppedReason of a task that never runs because of
    `failed_container` (the main one if empty).
    """

    provisioning: float = 0.0
    pending: float = 0.0
    pull: float = 0.0
    activating: float = 0.0
    duration: float = 1.0
    deactivating: float = 0.0
    stop_seconds: float = 0.0
    deprovisioning: float = 0.0
    exit_code: int | None = 0
    reason: str | None = None
    stop_code: str = ESSENTIAL_EXITED[0]
    stopped_reason: str = ESSENTIAL_EXITED[1]
    start_failure: str | None = None
    failed_container: str = ""
    interruption: Interruption | None = None
    ends: Mapping[str, tuple[int | None, str | None]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stop:
    """A stop from outside the task. `exit_code` is for containers that SIGTERM or SIGKILL ends."""

    at: float
    code: str
    reason: str
    exit_code: int | None = SIGTERM_EXIT
    seconds: float = 0.0
    deactivating: float = 0.0
    deprovisioning: float = 0.0


def stopped(timeline: Timeline, stop: Stop) -> Timeline:
    """Return the timeline after `stop`; a task that is already ending ignores it."""
    if timeline.deactivating_at <= stop.at:
        return timeline
    past = {
        name: at if at <= stop.at else NEVER
        for (name, _), at in zip(MOMENTS, _moments_of(timeline), strict=True)
    }
    ran = timeline.started_at <= stop.at
    stopping_at = stop.at + stop.deactivating
    ended_at = stopping_at + (stop.seconds if ran else 0.0)
    lost = ContainerEnd(ended_at, stop.exit_code if ran else None)
    past.update(
        deactivating_at=stop.at,
        stopping_at=stopping_at,
        execution_stopped_at=ended_at,
        stopped_at=ended_at + stop.deprovisioning,
    )
    return Timeline(
        **past,
        stop_code=stop.code,
        stopped_reason=stop.reason,
        ends=tuple(end if end.at <= stop.at else lost for end in timeline.ends),
    )


def stop_of(course: Course, at: float, verdict: tuple[str, str], stop_timeout: float) -> Stop:
    """Return the stop of a simulated task: SIGTERM, then SIGKILL if it still runs after `stop_timeout`."""
    code, reason = verdict
    in_time = course.stop_seconds <= stop_timeout
    return Stop(
        at,
        code,
        reason,
        exit_code=SIGTERM_EXIT if in_time else SIGKILL_EXIT,
        seconds=min(course.stop_seconds, stop_timeout),
        deactivating=course.deactivating,
        deprovisioning=course.deprovisioning,
    )


def host_lost(at: float) -> Stop:
    """Return the stop of a task whose host is gone, so that nothing reports exit codes."""
    return Stop(at, *HOST_TERMINATED, exit_code=None)


def planned(
    created_at: float, course: Course, names: Sequence[str], main: str, stop_timeout: float
) -> Timeline:
    """Return the whole timeline of a simulated task with the containers `names`; `main` decides its end."""
    pending_at = created_at + course.provisioning
    pull_started_at = pending_at + course.pending
    pull_stopped_at = pull_started_at + course.pull
    started_at = pull_stopped_at + course.activating
    begun = Timeline(
        created_at, pending_at, pull_started_at, pull_stopped_at, ends=(ContainerEnd(),) * len(names)
    )
    if course.start_failure is not None:
        failure = Stop(
            started_at, "TaskFailedToStart", course.start_failure, deprovisioning=course.deprovisioning
        )
        timeline = stopped(begun, failure)
        ends = (
            replace(end, reason=course.start_failure) if name == (course.failed_container or main) else end
            for name, end in zip(names, timeline.ends, strict=True)
        )
        return replace(timeline, ends=tuple(ends))
    exited_at = started_at + course.duration
    ending_at = exited_at + course.deactivating
    timeline = replace(
        begun,
        started_at=started_at,
        deactivating_at=exited_at,
        stopping_at=ending_at,
        execution_stopped_at=ending_at,
        stopped_at=ending_at + course.deprovisioning,
        stop_code=course.stop_code,
        stopped_reason=course.stopped_reason,
        ends=tuple(
            ContainerEnd(exited_at, course.exit_code, course.reason)
            if name == main
            else ContainerEnd(ending_at, *course.ends.get(name, (SIGTERM_EXIT, None)))
            for name in names
        ),
    )
    if (interruption := course.interruption) is None:
        return timeline
    at = interruption.after + (created_at if interruption.early else started_at)
    if interruption.host_lost:
        return stopped(timeline, host_lost(at))
    return stopped(timeline, stop_of(course, at, SPOT, stop_timeout))
