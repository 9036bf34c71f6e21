"""Airflow's scheduler in a process of its own, with one executor, and a gauge that others can read meanwhile."""

from __future__ import annotations

import logging
import multiprocessing
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from airflow.executors.base_executor import BaseExecutor
from airflow.jobs.job import Job, run_job
from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
from airflow.logging_config import configure_logging
from airflow.models.taskinstance import TaskInstance
from airflow.providers.amazon.aws.executors.ecs import AwsEcsExecutor
from sqlalchemy import update

from ecs_async_executor import AsyncEcsExecutor

FORK = multiprocessing.get_context("fork")  # Airflow is imported once, not for every scheduler


class Gauge:
    """What a scheduler's process lets others see. Times are in seconds of `time.monotonic`."""

    def __init__(self) -> None:
        self.started = FORK.Event()
        """The executor has started."""
        self.go = FORK.Event()
        """It may have work."""
        self._slots = FORK.Value("i", 0, lock=False)
        self._longest = FORK.Value("d", 0.0, lock=False)
        self._begun = FORK.Value("d", 0.0, lock=False)
        self._crash = FORK.Array("c", 200, lock=False)

    @property
    def slots(self) -> int:
        """The slots that the executor holds: its tasks in hand."""
        return int(self._slots.value)

    @property
    def longest_heartbeat(self) -> float:
        """The longest heartbeat so far, that which is going on included."""
        begun = self._begun.value
        return max(float(self._longest.value), time.monotonic() - begun if begun else 0.0)

    @property
    def crash(self) -> str:
        """The exception that a heartbeat let out, which ends the scheduler; empty if there was none."""
        return bytes(self._crash.value).decode(errors="replace")

    @contextmanager
    def heartbeat(self, executor: BaseExecutor) -> Iterator[None]:
        """Measure one."""
        self._begun.value = time.monotonic()
        try:
            yield
        except Exception as error:
            self._crash.value = f"{type(error).__name__}: {error}".encode()[:199]
            raise
        finally:
            self._longest.value, self._begun.value = self.longest_heartbeat, 0.0
            self._slots.value = executor.slots_occupied


class Measured(BaseExecutor):
    """Measures the executor that follows in the MRO."""

    gauge: ClassVar[Gauge]
    _held: Sequence[Any] = ()

    def start(self) -> None:
        """Start, and wait for leave."""
        super().start()
        self.gauge.started.set()
        self.gauge.go.wait()

    def heartbeat(self) -> None:
        """Heartbeat, measured. Without the benchmark that started it, the scheduler ends."""
        parent = multiprocessing.parent_process()
        if parent is None or not parent.is_alive():
            os._exit(1)
        with self.gauge.heartbeat(self):
            super().heartbeat()
        # Core (3.3.2) lets these rows be collected before it has written them. That is no executor's fault.
        self._held = list(self._task_event_logs)


class Labelled(Measured):
    """Labels its ECS tasks for `Workers`, too."""

    def queue_workload(self, workload: Any, session: Any) -> None:
        """Queue it labelled, as if the Dag's author had done it; both executors pass this on to RunTask as it is."""
        ti = workload.ti
        environment = [{"name": "TASK", "value": ti.task_id}]
        ti.executor_config = {
            "group": f"{ti.task_id}/{ti.id}",
            "overrides": {"containerOverrides": [{"name": "airflow", "environment": environment}]},
        }
        # In its row, too: a launch after a failed one reads it from there.
        row = update(TaskInstance).where(TaskInstance.id == ti.id)
        session.execute(row.values(executor_config=ti.executor_config))
        super().queue_workload(workload, session)


class Theirs(Labelled, AwsEcsExecutor):
    """The executor of Airflow's Amazon provider."""


class Ours(Labelled, AsyncEcsExecutor):
    """The executor of this package."""


EXECUTORS: dict[str, type[Measured]] = {"AwsEcsExecutor": Theirs, "AsyncEcsExecutor": Ours}


@contextmanager
def scheduler(executor: str, log: Path, kinds: Mapping[str, type[Measured]] = EXECUTORS) -> Iterator[Gauge]:
    """Run a scheduler with an executor of these kinds until the context ends, and then kill it; `go` gives it leave."""
    gauge = Gauge()
    process = FORK.Process(target=_run, args=(kinds[executor], gauge, log), daemon=True)
    process.start()
    try:
        if not gauge.started.wait(60):
            raise RuntimeError(f"The scheduler did not start: see {log}")
        yield gauge
    finally:
        process.kill()
        process.join()


def _run(kind: type[Measured], gauge: Gauge, log: Path) -> None:
    with log.open("w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "INFO"
    configure_logging()
    logging.disable(logging.NOTSET)
    kind.gauge = gauge
    job = Job()
    runner = SchedulerJobRunner(job=job, executors=[kind()])
    run_job(job=job, execute_callable=runner._execute)  # noqa: SLF001  as `airflow scheduler` does
