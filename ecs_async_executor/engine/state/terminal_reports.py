"""How a run ended whose task was launched, or may have been: its terminal report. Pure."""

from __future__ import annotations

from dataclasses import replace

from ecs_async_executor.engine.diagnosis.stopped_tasks import judge, without_workload
from ecs_async_executor.engine.payloads import NOT_FETCHED, fetched_by
from ecs_async_executor.engine.responses import Task
from ecs_async_executor.engine.state.entry import Entry
from ecs_async_executor.messages import Cancelled, Diagnosis, LaunchFailed, Recovery, Stopped

NOT_SHOWN = (
    "See the task's log for how it ended. If it may still run, check that the executor asks in the cluster, Region and"
    " account in which it was launched."
)
"""The remedy if ECS does not show a task: it may have forgotten it, or the wrong place is asked."""


def stopped(entry: Entry, task: Task) -> Stopped:
    """Report the end of a task that was seen with lastStatus STOPPED."""
    verdict = judge(task, entry.container)
    if verdict.exit_code == NOT_FETCHED and (url := entry.stored or fetched_by(task, entry.container)):
        verdict = without_workload(verdict, url)
    diagnosis = verdict.diagnosis
    if entry.timed_out and not verdict.ran:
        diagnosis = replace(
            diagnosis,
            summary=f"The task did not run within {entry.launch_timeout:.0f} s, so it was stopped.",
            remedy="See in ECS what it waited for (capacity, network, image), or raise `launch_timeout`.",
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
        diagnosis=diagnosis,
    )


def gone(entry: Entry, diagnosis: Diagnosis) -> Stopped:
    """Report a task that ECS does not show: neither that it has ended nor how was seen."""
    return Stopped(
        entry.run_id,
        entry.number,
        entry.arn,
        exit_code=None,
        ran=True,
        permanent=False,
        diagnosis=diagnosis,
        lost=True,
    )


def given_up(entry: Entry, diagnosis: Diagnosis) -> LaunchFailed | Stopped | Cancelled:
    """Report a run whose task nobody can see, though RunTask may have started it: its calls fail in this process.

    No code runs twice. If Airflow's row is still QUEUED, this fails the task; its next try has another id, and the API
    server refuses the `run` of a container that begins under the old one (404; 409 while the row is failed). If the row is
    RUNNING by then, nothing is failed, but the task is looked for again. StopTask can't be tried: it needs the ARN, which
    RunTask and ListTasks didn't give.
    """
    if entry.stop_reason is not None:
        return Cancelled(entry.run_id)
    if entry.recovery is Recovery.FIND:
        return gone(entry, diagnosis)
    return LaunchFailed(entry.run_id, entry.number, diagnosis, permanent=True)
