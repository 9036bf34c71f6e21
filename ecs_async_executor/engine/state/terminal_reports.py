"""What the ledger reports about runs that have ended, or that wait for room or an image. Pure."""

from __future__ import annotations

from dataclasses import replace

from ecs_async_executor.engine.diagnosis.call_failures import Failure, Kind
from ecs_async_executor.engine.diagnosis.standbys import of_standby
from ecs_async_executor.engine.diagnosis.stopped_tasks import judge, memory_of, without_workload
from ecs_async_executor.engine.payloads import NOT_FETCHED, fetched_by
from ecs_async_executor.engine.responses import Task
from ecs_async_executor.engine.state.entry import Entry
from ecs_async_executor.engine.state.failure_rules import FAILURE_RULES
from ecs_async_executor.messages import Cancelled, Diagnosis, LaunchFailed, Recovery, Stopped, Usage
from ecs_async_executor.standby.command import is_standby
from ecs_async_executor.task_arn import TaskArn
from ecs_async_executor.task_cost import make_usage, size_of

LOST_REMEDY = (
    "Read the container's own log stream in CloudWatch for how it ended. If it may still run, check that the executor asks in the cluster, Region and"
    " account in which it was launched."
)
"""The remedy if ECS doesn't show a task: ECS may have forgotten it, or the executor may be asking the wrong place."""


def stopped(entry: Entry, task: Task) -> Stopped:
    """Report the end of a task whose lastStatus is STOPPED."""
    verdict = judge(task, entry.container)
    url = entry.stored or fetched_by(task, entry.container) or ""
    arn = TaskArn.parse(entry.arn)
    region = arn.region if arn else ""
    if is_standby(url):
        verdict = of_standby(verdict, url, region)
    elif url and verdict.exit_code == NOT_FETCHED:
        verdict = without_workload(verdict, url, region)
    diagnosis = verdict.diagnosis
    if entry.task.timed_out and not verdict.ran:
        diagnosis = replace(
            diagnosis,
            summary=f"The task did not run within {entry.launch_timeout:.0f} s, so it was stopped.",
            remedy="It waited for capacity, its network interface or its image: look at its status and times in the ECS "
            "console (or aws ecs describe-tasks), or raise `launch_timeout`.",
        )
    return Stopped(
        entry.run_id,
        entry.number,
        entry.arn,
        exit_code=verdict.exit_code,
        ran=verdict.ran,
        permanent=verdict.permanent,
        costs_attempt=not verdict.capacity,
        interrupted=verdict.interrupted,
        unexplained=verdict.unexplained,
        out_of_memory=verdict.out_of_memory,
        memory=memory_of(task, entry.container),
        diagnosis=diagnosis,
        usage=_usage(entry, task),
        standby=entry.is_warm,
    )


def _usage(entry: Entry, task: Task) -> Usage | None:
    """Return what a task has used since its run has it: before that, it was the pool's."""
    whole = usage_of(task, task.pull_started_at, task.stopped_at)
    age = entry.task.standby_age
    if whole is None or age is None or not entry.is_warm:
        return replace(whole, standby=None) if whole is not None and entry.is_warm else whole
    before = min(whole.seconds, (task.started_at or 0.0) - (task.pull_started_at or 0.0) + age)
    return replace(whole, seconds=whole.seconds - before, standby=before)


def usage_of(task: Task, begin: float | None, end: float | None) -> Usage | None:
    """Return what a task has used between two times; None if one of them isn't known, or ECS shows no size."""
    if end is None:
        return None
    return make_usage(
        size_of(task.cpu, (each.cpu for each in task.containers)),
        size_of(task.memory, (each.memory or each.memory_reservation for each in task.containers)),
        capacity=task.capacity_provider_name or task.launch_type or "",
        architecture=task.architecture,
        pull_started_at=begin,
        ended_at=end,
    )


def no_room(entry: Entry, why: Diagnosis, waited: float) -> LaunchFailed:
    """Report that a launch that was never sent has waited too long for room: ECS has refused others, and says `why`."""
    return LaunchFailed(entry.run_id, entry.number, why, permanent=False, costs_attempt=False, waited=waited)


def waits_for_room(why: Diagnosis, place: str, seconds: float) -> Diagnosis:
    """Explain that a launch waits behind others for which ECS has had no room for so many seconds."""
    return replace(why, detail=f"{place}, {seconds:.0f} s after ECS first refused one")


def no_image(image: str) -> Diagnosis:
    """Explain that a launch waits for the revision that runs its image."""
    return Diagnosis(
        f"No task definition for the image {image} is registered yet.",
        "one registration a second, or fewer if AWS throttles them",
        "Nothing to do: the task is launched once there is one. If it lasts, the scheduler's log says what ECS answers.",
    )


def lost(entry: Entry, diagnosis: Diagnosis, *, permanent: bool = False) -> Stopped:
    """Report a task that ECS doesn't show: whether and how it ended is unknown."""
    return Stopped(
        entry.run_id,
        entry.number,
        entry.arn,
        exit_code=None,
        ran=True,
        permanent=permanent,
        diagnosis=diagnosis,
        lost=True,
        standby=entry.is_warm,
    )


def not_launched(entry: Entry, failure: Failure, waited: float = 0.0) -> LaunchFailed | Stopped | Cancelled:
    """Report a launch that is over because of this failure, after it has `waited` for room for so many seconds.

    It has definitely started nothing, unless the failure is a fault: then RunTask may have started a task that the
    engine can't see, because code in this process breaks its calls. No code runs twice: if Airflow's row is still
    QUEUED, this report fails the task. Its next try has another id, and the API server rejects the `run` call of a
    container that starts under the old id (404; 409 while the row is failed). If the row is RUNNING by then, nothing
    fails, and the engine searches for the task again. StopTask isn't an option: it needs the ARN, which neither
    RunTask nor ListTasks returned.
    """
    if entry.stop_reason is not None:
        return Cancelled(entry.run_id)
    diagnosis = (entry.launch.fault or failure).diagnosis if failure.kind is Kind.FAULT else failure.diagnosis
    if entry.launch.recovery is Recovery.SEARCH_ONLY:
        return lost(entry, diagnosis)
    rule = FAILURE_RULES[failure.kind]
    return LaunchFailed(
        entry.run_id,
        entry.number,
        diagnosis,
        permanent=rule.permanent,
        costs_attempt=rule.costs_attempt,
        may_exist=failure.kind is Kind.FAULT,
        waited=waited if failure.kind is Kind.CAPACITY else None,
    )
