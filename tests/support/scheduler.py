"""Steps the real scheduler code by hand, and reads and changes rows as the API server would."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from airflow.callbacks.database_callback_sink import DatabaseCallbackSink
from airflow.jobs.job import Job, JobState
from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
from airflow.models import Log
from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
from sqlalchemy import select, update

from benchmarks.airflow_rows import create_run, one_task_dag, store_dag, task_instances
from ecs_async_executor import AsyncEcsExecutor
from ecs_async_executor.executor.interpreter import restore
from ecs_async_executor.executor.parts import Parts
from ecs_async_executor.executor.runs import Runs

__all__ = [
    "Scheduler",
    "crash",
    "create_run",
    "end_job",
    "finish_all_rows",
    "logged_events",
    "next_scheduler",
    "one_task_dag",
    "running_scheduler",
    "set_row",
    "store_dag",
    "task_instances",
]


@dataclass
class Scheduler:
    """One scheduler's loop, a step at a time."""

    runner: SchedulerJobRunner
    executor: AsyncEcsExecutor

    @property
    def job_id(self) -> int:
        return int(self.runner.job.id)

    def step(self) -> None:
        """Do what one turn of `_run_scheduler_loop` does with an executor."""
        self.schedule()
        self.heartbeat()

    def schedule(self) -> None:
        """Hand tasks to the executor's queue."""
        with create_session() as session:
            self.runner._do_scheduling(session)
            session.expunge_all()

    def adopt(self) -> None:
        """Adopt or reset what belongs to no living scheduler, as core does at start and every five minutes."""
        self.runner.adopt_or_reset_orphaned_tasks()

    def heartbeat(self) -> None:
        """Heartbeat the executor and process its events, without queueing anything new."""
        self.executor.heartbeat()
        with create_session() as session:
            self.runner._process_executor_events(executor=self.executor, session=session)
        with create_session() as session:
            self.runner._process_task_event_logs(self.executor._task_event_logs, session)

    def until(
        self, done: Callable[[], Any], *, step: Callable[[], None] | None = None, seconds: float = 60
    ) -> Any:
        """Step until something is true."""
        deadline = time.monotonic() + seconds
        while not (result := done()):
            assert time.monotonic() < deadline, f"still waiting; {parts_of(self.executor).reconciler!r}"
            (step or self.step)()
            time.sleep(0.02)
        return result

    def launched(self, count: int = 1, **where: Any) -> list[TaskInstance]:
        """Step until this many task instances show the ARN of their ECS task, and give them."""

        def those_with_arns() -> list[TaskInstance] | None:
            tis = [ti for ti in task_instances(**where) if (ti.external_executor_id or "").startswith("arn:")]
            return tis if len(tis) >= count else None

        found: list[TaskInstance] = self.until(those_with_arns)
        assert len(found) == count
        return found

    def until_state(self, state: str | None, **where: Any) -> TaskInstance:
        """Step until the one task instance is in this state, and give it."""
        found: TaskInstance = self.until(
            lambda: next((ti for ti in task_instances(**where) if ti.state == state), None)
        )
        return found

    def until_idle(self, *, step: Callable[[], None] | None = None) -> None:
        """Heartbeat until nothing is in hand: every slot is free, every run forgotten."""
        self.until(
            lambda: not self.executor.slots_occupied and not len(self.runs), step=step or self.heartbeat
        )

    @property
    def runs(self) -> Runs:
        """The runs in hand."""
        return parts_of(self.executor).reconciler.runs

    def rest(self, seconds: float = 0.5) -> None:
        """Step for a while, to see that nothing happens."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.step()
            time.sleep(0.02)


def parts_of(executor: AsyncEcsExecutor) -> Parts:
    """The parts of a started executor."""
    assert executor._parts is not None
    return executor._parts


@contextmanager
def running_scheduler() -> Iterator[Scheduler]:
    runner = SchedulerJobRunner(job=Job())
    with create_session() as session:
        session.add(runner.job)
    executor = runner.executor
    assert isinstance(executor, AsyncEcsExecutor)
    executor.job_id = runner.job.id
    executor.callback_sink = DatabaseCallbackSink()
    executor.start()
    try:
        yield Scheduler(runner, executor)
    finally:
        executor.end()


def crash(scheduler: Scheduler) -> None:
    """Let this scheduler die between two instructions: nothing is finished, nothing handed over."""
    executor = scheduler.executor
    parts, executor._parts = parts_of(executor), None
    parts.engine.close(0.0)
    parts.engine._engine._thread.join(5)
    parts.database.close(5)
    parts.status_thread.close(5)
    parts.monitor.close()
    restore()  # what a process that is really dead can't leave behind
    end_job(scheduler)


def end_job(scheduler: Scheduler) -> None:
    """Let the other schedulers see that this one is gone."""
    with create_session(scoped=False) as session:
        session.get_one(Job, scheduler.job_id).state = JobState.FAILED


@contextmanager
def next_scheduler() -> Iterator[Scheduler]:
    """Start one more scheduler, and let it adopt what is orphaned."""
    with running_scheduler() as scheduler:
        scheduler.adopt()
        yield scheduler


def finish_all_rows() -> None:
    """Let all workers report success."""
    with create_session(scoped=False) as session:
        unfinished = TaskInstance.state.is_(None) | TaskInstance.state.not_in(("success", "failed"))
        session.execute(update(TaskInstance).where(unfinished).values(state="success"))


def set_row(ti: TaskInstance, **values: Any) -> None:
    """Change the row as the API server does when the worker reports."""
    with create_session(scoped=False) as session:
        row = session.scalars(select(TaskInstance).where(TaskInstance.id == ti.id)).one()
        for name, value in values.items():
            setattr(row, name, value)


def logged_events(event: str) -> list[str]:
    with create_session(scoped=False) as session:
        return [
            log.extra or "" for log in session.scalars(select(Log).where(Log.event == event).order_by(Log.id))
        ]
