"""How a run ended whose task was launched: its terminal report. Pure."""

from __future__ import annotations

from dataclasses import replace

from ecs_async_executor.engine.entry import Entry
from ecs_async_executor.engine.messages import Diagnosis, Stopped
from ecs_async_executor.engine.payloads import NOT_FETCHED, fetched_by
from ecs_async_executor.engine.responses import Task
from ecs_async_executor.engine.stops import judge, without_workload

NOT_SHOWN = (
    "See the task's log for how it ended. If it may still run, check that the executor asks in the cluster, Region and"
    " account in which it was launched."
)
"""The remedy if ECS does not show a task: it may have forgotten it, or the wrong place is asked."""


def stopped(entry: Entry, task: Task) -> Stopped:
    """Report the end of a task that was seen with lastStatus STOPPED."""
    verdict = judge(task, entry.container)
    if verdict.exit_code == NOT_FETCHED and (entry.stored or fetched_by(task, entry.container)):
        verdict = without_workload(verdict)
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
