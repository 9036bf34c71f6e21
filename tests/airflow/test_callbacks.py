"""Deadline callbacks run on the executor: they have no task instance, and only the executor tells how they end."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from airflow.executors.workloads.callback import CallbackFetchMethod
from airflow.models.callback import Callback, ExecutorCallback
from airflow.models.dagrun import DagRun
from airflow.sdk import DAG
from airflow.utils.session import create_session
from sqlalchemy import delete, select

from ecs_async_executor.local import Control
from ecs_async_executor.workloads import CAN_RUN_CALLBACKS
from tests.support.ecs import end_all, live
from tests.support.scheduler import Scheduler, finish_all_rows, logged_events, one_task_dag

pytestmark = pytest.mark.skipif(not CAN_RUN_CALLBACKS, reason="callbacks run in containers since Airflow 3.3")
Enqueue = Callable[[], None]


class Definition:
    """A callback's definition, as a Dag serializes it."""

    def serialize(self) -> dict[str, object]:
        return {"path": "package.function", "kwargs": {"text": "late"}, "executor": None}


@pytest.fixture
def enqueue(scheduler: Scheduler, run_dag: Callable[[DAG], str]) -> Iterator[Enqueue]:
    """Store a callback of a Dag run, and let the scheduler hand it to the executor."""

    def store_and_enqueue() -> None:
        run_id = run_dag(one_task_dag("with_deadline"))
        with create_session() as session:
            dag_run = session.scalars(select(DagRun).where(DagRun.run_id == run_id)).one()
            callback = ExecutorCallback(Definition(), CallbackFetchMethod.IMPORT_PATH)  # type: ignore[arg-type]  # as much as it needs
            callback.data |= {"dag_run_id": dag_run.id, "dag_id": dag_run.dag_id}
            callback.state = "pending"
            session.add(callback)
        finish_all_rows()
        with create_session() as session:
            scheduler.runner._enqueue_executor_callbacks(session)

    yield store_and_enqueue
    with create_session() as session:
        session.execute(delete(Callback))


def stored() -> Callback:
    with create_session(scoped=False) as session:
        callback = session.scalars(select(Callback)).one()
        session.expunge_all()
        return callback


def until_state(scheduler: Scheduler, state: str) -> Callback:
    scheduler.until(lambda: str(stored().state) == state, step=scheduler.heartbeat)
    return stored()


def test_a_callback_is_seen_running_and_exit_code_0_is_its_success(
    scheduler: Scheduler, ecs: Control, enqueue: Enqueue
) -> None:
    ecs.set_plan(duration=0.7, exit_code=0)
    enqueue()
    until_state(scheduler, "running")
    assert len(scheduler.executor.running) == 1
    until_state(scheduler, "success")
    scheduler.until_idle()
    assert len(ecs.tasks()) == 1


@pytest.mark.parametrize("exit_code", [1, 137])
def test_any_other_exit_code_fails_it_with_the_reason_and_runs_it_only_once(
    scheduler: Scheduler, ecs: Control, enqueue: Enqueue, exit_code: int
) -> None:
    ecs.set_plan(duration=0, exit_code=exit_code)
    enqueue()
    callback = until_state(scheduler, "failed")
    assert f"exit code {exit_code}" in str(callback.output)
    scheduler.until_idle()
    assert len(ecs.tasks()) == 1


def test_a_lost_host_fails_it(scheduler: Scheduler, ecs: Control, enqueue: Enqueue) -> None:
    ecs.set_plan(interruption={"after": 0, "host_lost": True})
    enqueue()
    assert "capacity" in str(until_state(scheduler, "failed").output)


def test_a_start_that_fails_is_tried_again(scheduler: Scheduler, ecs: Control, enqueue: Enqueue) -> None:
    ecs.add_fault("start_failure", times=2)
    ecs.set_plan(duration=0, exit_code=0)
    enqueue()
    until_state(scheduler, "success")
    assert len(ecs.tasks()) == 3
    assert not logged_events("ecs launch failed"), "the Audit Log is for tasks"


def test_when_all_starts_have_failed_the_callback_fails(
    scheduler: Scheduler, ecs: Control, enqueue: Enqueue
) -> None:
    ecs.set_plan(start_failure="CannotPullContainerError: i/o timeout")
    enqueue()
    assert "CannotPullContainerError" in str(until_state(scheduler, "failed").output)
    assert len(ecs.tasks()) == 3
    scheduler.until_idle()


def test_a_refused_launch_fails_it(scheduler: Scheduler, ecs: Control, enqueue: Enqueue) -> None:
    ecs.add_fault("access_denied", action="RunTask")
    enqueue()
    assert "AccessDenied" in str(until_state(scheduler, "failed").output)


def test_a_running_callback_holds_a_slot(scheduler: Scheduler, ecs: Control, enqueue: Enqueue) -> None:
    enqueue()
    until_state(scheduler, "running")
    assert scheduler.executor.slots_occupied == 1
    assert len(live(ecs)) == 1
    end_all(ecs)
    until_state(scheduler, "failed")
    scheduler.until_idle()
