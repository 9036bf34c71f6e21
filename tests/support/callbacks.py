"""Deadline callbacks as core stores them and hands them over."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from airflow.executors.workloads.callback import CallbackFetchMethod
from airflow.models.callback import Callback, ExecutorCallback
from airflow.models.dagrun import DagRun
from airflow.sdk import DAG
from airflow.utils.session import create_session
from sqlalchemy import delete, select

from ecs_async_executor.executor.airflow_compat import CAN_RUN_CALLBACKS
from tests.support.scheduler import Scheduler, one_task_dag

needs_callbacks = pytest.mark.skipif(
    not CAN_RUN_CALLBACKS, reason="callbacks run in containers since Airflow 3.3"
)


class Definition:
    """A callback's definition, as a Dag serializes it."""

    def serialize(self) -> dict[str, object]:
        return {"path": "package.function", "kwargs": {"text": "late"}, "executor": None}


def store_callback(run_dag: Callable[[DAG], str]) -> None:
    """Start a run of a Dag, and store a callback of it."""
    run_id = run_dag(one_task_dag("with_deadline"))
    with create_session() as session:
        dag_run = session.scalars(select(DagRun).where(DagRun.run_id == run_id)).one()
        callback = ExecutorCallback(Definition(), CallbackFetchMethod.IMPORT_PATH)  # type: ignore[arg-type]  # as much as it needs
        callback.data |= {"dag_run_id": dag_run.id, "dag_id": dag_run.dag_id}
        callback.state = "pending"
        session.add(callback)


def enqueue_callbacks(scheduler: Scheduler) -> None:
    """Let the scheduler hand the stored callbacks to the executor."""
    with create_session() as session:
        scheduler.runner._enqueue_executor_callbacks(session)


def stored_callback() -> Callback:
    with create_session(scoped=False) as session:
        callback = session.scalars(select(Callback)).one()
        session.expunge_all()
        return callback


def delete_callbacks() -> None:
    with create_session() as session:
        session.execute(delete(Callback))
