"""Which phase a task instance is in, when it began, and how long each phase took. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ecs_async_executor.demo.snapshot import Queueing, Snapshot, TaskInstance


class Phase(str, Enum):
    """A task instance's phase: Airflow's state, or while that is QUEUED, the progress in ECS."""

    WAITING = "waiting"  # for the tasks before it
    SCHEDULED = "scheduled"  # waits for one of the [core] parallelism slots
    LAUNCHING = "launching"  # QUEUED: RunTask is on its way
    PROVISIONING = "provisioning"  # ECS prepares the container
    STARTING = "starting"  # the container runs and imports Airflow
    RUNNING = "running"
    DEFERRED = "deferred"
    RESCHEDULED = "rescheduled"
    RETRYING = "up for retry"
    SUCCESS = "success"
    FAILED = "failed"
    SKIPPED = "skipped"
    OTHER = "other"

    @property
    def is_final(self) -> bool:
        """Whether no phase follows."""
        return self in {Phase.SUCCESS, Phase.FAILED, Phase.SKIPPED}


_OF_STATE = {
    None: Phase.WAITING,
    "scheduled": Phase.SCHEDULED,
    "running": Phase.RUNNING,
    "deferred": Phase.DEFERRED,
    "up_for_reschedule": Phase.RESCHEDULED,
    "up_for_retry": Phase.RETRYING,
    "success": Phase.SUCCESS,
    "failed": Phase.FAILED,
    "upstream_failed": Phase.FAILED,
    "skipped": Phase.SKIPPED,
}

_BEFORE_RUNNING = frozenset({"PROVISIONING", "PENDING", "ACTIVATING"})


def current_queueing(task: TaskInstance) -> Queueing | None:
    """Return the queueing that Airflow's row refers to; None if the task was never queued."""
    return next((queueing for queueing in task.queueings if queueing.run_id == task.current), None)


def phase(task: TaskInstance) -> Phase:
    """Return the current phase."""
    if task.state != "queued":
        return _OF_STATE.get(task.state, Phase.OTHER)
    queueing = current_queueing(task)
    if queueing is None or not queueing.ecs_tasks:
        return Phase.LAUNCHING
    status = queueing.ecs_tasks[-1].last_status
    if status in _BEFORE_RUNNING:
        return Phase.PROVISIONING
    # A container that stopped while its task is QUEUED never ran it: the executor launches again.
    return Phase.STARTING if status == "RUNNING" else Phase.LAUNCHING


def phase_began(task: TaskInstance) -> float | None:
    """Return when the current phase began; None if that isn't recorded, and for final phases."""
    queueing = current_queueing(task)
    ecs_task = queueing.ecs_tasks[-1] if queueing is not None and queueing.ecs_tasks else None
    now = phase(task)
    if now is Phase.SCHEDULED:
        return task.scheduled_at
    if now is Phase.LAUNCHING:
        return task.queued_at
    if now is Phase.PROVISIONING and ecs_task is not None:
        return ecs_task.created_at
    if now is Phase.STARTING and ecs_task is not None:
        return _latest(ecs_task.started_at, task.queued_at)
    if now is Phase.RUNNING and queueing is not None:
        return queueing.running_at
    if now in {Phase.DEFERRED, Phase.RESCHEDULED, Phase.RETRYING} and ecs_task is not None:
        return ecs_task.stopped_at
    return None


@dataclass(frozen=True)
class Durations:
    """Seconds in each phase, summed over all queueings. `total` runs from first scheduled to the end."""

    scheduled: float = 0.0
    launching: float = 0.0
    provisioning: float = 0.0
    starting: float = 0.0
    running: float = 0.0
    total: float = 0.0


def durations(task: TaskInstance) -> Durations:
    """Return how long each phase took; an unfinished phase counts as nothing."""
    scheduled = launching = provisioning = starting = running = 0.0
    for queueing in task.queueings:
        scheduled += _between(queueing.scheduled_at, queueing.queued_at)
        for position, ecs_task in enumerate(queueing.ecs_tasks):
            # What a standby did before it was taken is nobody's time.
            created_at = _latest(ecs_task.created_at, queueing.queued_at)
            started_at = _latest(ecs_task.started_at, queueing.queued_at)
            if position == 0:
                launching += _between(queueing.queued_at, created_at)
            provisioning += _between(created_at, started_at)
            if position + 1 == len(queueing.ecs_tasks) and queueing.running_at is not None:
                starting += _between(started_at, queueing.running_at)
                running += _between(queueing.running_at, ecs_task.stopped_at)
            else:
                starting += _between(started_at, ecs_task.stopped_at)
    first = min((q.scheduled_at for q in task.queueings if q.scheduled_at is not None), default=None)
    last = max((e.stopped_at for e in task.ecs_tasks if e.stopped_at is not None), default=None)
    return Durations(scheduled, launching, provisioning, starting, running, _between(first, last))


@dataclass(frozen=True)
class Starts:
    """Seconds from queued to running of each queueing that ran in its first ECS task, in a standby or in a new one."""

    warm: tuple[float, ...] = ()
    cold: tuple[float, ...] = ()


def was_warm(queueing: Queueing) -> bool:
    """Return whether a standby was given the task: it was there before the task was queued."""
    queued_at, launched = queueing.queued_at, queueing.ecs_tasks
    return queued_at is not None and bool(launched) and launched[0].created_at < queued_at


def starts(snapshot: Snapshot) -> Starts:
    """Return how long the tasks took to start, warm and cold."""
    found: dict[bool, list[float]] = {True: [], False: []}
    for queueing in (each for task in snapshot.tasks for each in task.queueings):
        if queueing.queued_at is None or queueing.running_at is None or len(queueing.ecs_tasks) != 1:
            continue
        found[was_warm(queueing)].append(queueing.running_at - queueing.queued_at)
    return Starts(tuple(found[True]), tuple(found[False]))


def finished(snapshot: Snapshot) -> int:
    """Return how many task instances have ended."""
    return sum(phase(task).is_final for task in snapshot.tasks)


def _latest(moment: float | None, earliest: float | None) -> float | None:
    """Return the moment, but none before the earliest; None if there is no moment."""
    return moment if moment is None or earliest is None else max(moment, earliest)


def _between(begin: float | None, end: float | None) -> float:
    """Return the seconds between two moments, whose clocks may differ in resolution; 0 if either is missing."""
    return 0.0 if begin is None or end is None else max(0.0, end - begin)
