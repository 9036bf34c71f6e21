"""Launches the same tasks with AwsEcsExecutor and with AsyncEcsExecutor, in one run, on a local ECS.

    python -m benchmarks.launch [--tasks 200] [--latency 0.1]

Prints one table: what a heartbeat costs the scheduler, and how fast tasks are launched. No AWS rate limits apply.
Machines are noisy: read the ratios.
"""

from __future__ import annotations

import argparse
import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from benchmarks.airflow_home import make_database

# isort: split
from airflow.executors.base_executor import BaseExecutor
from airflow.jobs.job import Job
from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
from airflow.providers.amazon.aws.executors.ecs import AwsEcsExecutor
from airflow.utils.session import create_session
from rich.console import Console
from rich.table import Table

from ecs_async_executor import AsyncEcsExecutor
from ecs_async_executor.local import Options, serve_in_process
from tests.support.bulk import queue_many
from tests.support.scheduler import one_task_dag

WITHOUT_LIMITS = {
    "AIRFLOW__ECS_ASYNC_EXECUTOR__CONCURRENCY": "100",
    "AIRFLOW__ECS_ASYNC_EXECUTOR__MODIFY_RATE": "0",
    "AIRFLOW__ECS_ASYNC_EXECUTOR__RUN_TASK_RATE": "0",
}


@dataclass(frozen=True)
class Result:
    """One executor's figures, in seconds."""

    wall: float
    heartbeats: list[float]
    tasks: int

    @property
    def rate(self) -> float:
        """Launches a second."""
        return self.tasks / self.wall


def measure(executor: BaseExecutor, launched: Callable[[], int], tasks: int) -> Result:
    """Queue tasks on an executor and heartbeat it, as the scheduler does, until all are launched."""
    runner = SchedulerJobRunner(job=Job(), executors=[executor])
    with create_session() as session:
        session.add(runner.job)
    executor.job_id = runner.job.id
    executor.start()
    for workload in queue_many(runner.job.id, executor.jwt_generator, tasks, one_task_dag("bench")):
        executor.queued_tasks[workload.ti.key] = workload
    heartbeats = []
    begun = time.perf_counter()
    while launched() < tasks:
        before = time.perf_counter()
        executor.heartbeat()
        heartbeats.append(time.perf_counter() - before)
        time.sleep(0.05)
    return Result(time.perf_counter() - begun, heartbeats, tasks)


def main() -> None:
    """Measure both, print the table."""
    parser = argparse.ArgumentParser(description="Launch the same tasks with both executors.")
    parser.add_argument("--tasks", type=int, default=200, help="default: %(default)s")
    parser.add_argument(
        "--latency", type=float, default=0.1, help="of the API, in seconds; default: %(default)s"
    )
    arguments = parser.parse_args()
    logging.disable(logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    make_database()
    os.environ |= WITHOUT_LIMITS
    conditions = {"latency": {"*": arguments.latency}}
    with serve_in_process(
        Options(runtime="simulated", conditions=conditions, plan={"defaults": {"duration": 3600}})
    ) as ecs:
        os.environ["AWS_ENDPOINT_URL_ECS"] = ecs.endpoint_url
        official = AwsEcsExecutor()
        theirs = measure(official, lambda: len(official.active_workers), arguments.tasks)
        ours_executor = AsyncEcsExecutor()
        ours = measure(ours_executor, lambda: count_launched(ours_executor), arguments.tasks)
        ours_executor.end()
    show(theirs, ours, arguments)


def count_launched(executor: AsyncEcsExecutor) -> int:
    """Count the runs that ECS has accepted."""
    supervisor = executor._supervisor  # noqa: SLF001  a benchmark looks inside
    return sum(run.launched is not None for run in supervisor.runs) if supervisor else 0


def show(theirs: Result, ours: Result, arguments: argparse.Namespace) -> None:
    """Print the table."""
    table = Table(
        title=f"{arguments.tasks} tasks, API latency {arguments.latency * 1000:.0f} ms, no rate limits"
    )
    for column in ("", "AwsEcsExecutor", "AsyncEcsExecutor", "ratio"):
        table.add_column(column, justify="left" if not column else "right")
    for name, unit, a, b in (
        ("longest heartbeat", "ms", max(theirs.heartbeats) * 1000, max(ours.heartbeats) * 1000),
        ("all heartbeats together", "ms", sum(theirs.heartbeats) * 1000, sum(ours.heartbeats) * 1000),
        ("launches a second", "", theirs.rate, ours.rate),
    ):
        table.add_row(name, f"{a:,.1f} {unit}", f"{b:,.1f} {unit}", f"{max(a, b) / min(a, b):,.0f} x")
    Console().print(table)


if __name__ == "__main__":
    main()
