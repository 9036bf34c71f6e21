"""The scheduler's loop around one executor: heartbeats that are measured, and between them what core does."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar

from benchmarks.setup import forget_all

# isort: split
from airflow.executors.base_executor import BaseExecutor
from airflow.jobs.job import Job
from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
from airflow.utils.session import create_session

from benchmarks.airflow_rows import make_workloads, one_task_dag, queue_rows
from benchmarks.bare_client import OTHER
from benchmarks.processes import in_child
from ecs_async_executor.local import Control

T = TypeVar("T")

PAUSE = 0.05
"""Seconds between two heartbeats, where many are wanted. A scheduler that has little to do waits a second."""
CHUNK = 500
"""Workloads that are made at once; the scheduler makes at most `[scheduler] max_tis_per_query` of them in a turn."""


class Beat(NamedTuple):
    """What one heartbeat took, in seconds."""

    wall: float
    cpu: float
    """Of the thread that called it. The rest is waiting: for a core, for Python's lock."""


class Loop:
    """One scheduler and its executor, which the caller has made and ends."""

    def __init__(self, executor: BaseExecutor, rows: int) -> None:
        """Start the executor. `rows` task instances wait in the database from now on, queued by this scheduler."""
        self.executor = executor
        self.heartbeats: list[Beat] = []
        self._runner = SchedulerJobRunner(job=Job(), executors=[executor])
        with create_session() as session:
            session.add(self._runner.job)
        executor.job_id = self._runner.job.id
        executor.start()
        self.run_id = queue_rows(self._runner.job.id, rows, one_task_dag("benchmark"))
        self.queued = 0
        """Tasks that were handed to it."""

    @property
    def longest(self) -> float:
        """Seconds that the longest heartbeat took; 0 if time was up before the first one."""
        return max((beat.wall for beat in self.heartbeats), default=0.0)

    def queue(self, count: int) -> None:
        """Hand the next tasks to the executor, as the scheduler does."""
        for start in range(self.queued, self.queued + count, CHUNK):
            indexes = range(start, min(start + CHUNK, self.queued + count))
            with create_session() as session:
                for workload in make_workloads(self.run_id, self.executor.jwt_generator, indexes):
                    self.executor.queue_workload(workload, session)
        self.queued += count

    def beat(self) -> None:
        """Heartbeat, measured; then process its events, as core does."""
        begun, cpu = time.perf_counter(), time.thread_time()
        try:
            self.executor.heartbeat()
        finally:
            self.heartbeats.append(Beat(time.perf_counter() - begun, time.thread_time() - cpu))
        runner: Any = self._runner
        with create_session() as session:
            runner._process_executor_events(executor=self.executor, session=session)  # noqa: SLF001  core's loop
        with create_session() as session:
            runner._process_task_event_logs(self.executor._task_event_logs, session)  # noqa: SLF001  as above

    def beat_for(
        self, seconds: float, *, each: Callable[[], None] | None = None, pause: float = PAUSE
    ) -> None:
        """Heartbeat for so long, with a pause (seconds) between two; call `each` between heartbeats."""
        until = time.monotonic() + seconds
        self.beat_until(lambda: time.monotonic() >= until, seconds + 600, each=each, pause=pause)

    def beat_until(
        self,
        done: Callable[[], bool],
        limit: float,
        *,
        each: Callable[[], None] | None = None,
        pause: float = PAUSE,
    ) -> None:
        """Heartbeat until something is true; raises `TimeoutError` if it is not within `limit` seconds."""
        deadline = time.monotonic() + limit
        while not done():
            if time.monotonic() > deadline:
                raise TimeoutError(f"It took longer than {limit:.0f} s.")
            self.beat()
            if each is not None:
                each()
            time.sleep(pause)


def fresh(function: Callable[..., T], *arguments: Any, **named: Any) -> T:
    """Call a function in a process of its own, with an empty database."""
    forget_all()
    return in_child(function, *arguments, **named)


def every(seconds: float, function: Callable[[], Any]) -> Callable[[], Any]:
    """Return a function that asks another one now and then only, and repeats its last answer meanwhile."""
    due, last = 0.0, None

    def sometimes() -> Any:
        nonlocal due, last
        if time.monotonic() >= due:
            last = function()
            due = time.monotonic() + seconds
        return last

    return sometimes


def created(ecs: Control, *, of_other: bool = False) -> list[float]:
    """Return the times when ECS created tasks, sorted, in epoch seconds; those of `bare.OTHER`, or all others."""
    tasks = ecs.tasks()
    return sorted(task["createdAt"] for task in tasks if (task.get("startedBy") == OTHER) is of_other)


class TimeIsUp(BaseException):
    """A heartbeat has taken all the time there was. No Exception, since executors catch those."""


@contextmanager
def cut_after(seconds: float) -> Iterator[None]:
    """Break off what the `with` block does after so many seconds, even inside a heartbeat. Main thread only."""

    def cut(*_: object) -> None:
        raise TimeIsUp

    before = signal.signal(signal.SIGALRM, cut)
    signal.setitimer(signal.ITIMER_REAL, seconds, 0.5)  # again, where an exception is lost
    try:
        yield
    except TimeIsUp:
        pass
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
