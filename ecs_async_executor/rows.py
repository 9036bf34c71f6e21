"""The task instances' rows: all that the executor asks and tells the database itself."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Any

from airflow.executors.workloads import ExecuteTask
from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
from airflow.utils.sqlalchemy import with_row_locks
from airflow.utils.state import TaskInstanceState
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import joinedload, lazyload, load_only

from ecs_async_executor.decisions import Row
from ecs_async_executor.runs import Run

log = logging.getLogger(__name__)

# Never the scoped session: in this thread that is the scheduler's own, and closing it would release its row locks.

COLUMNS = (
    TaskInstance.id,
    TaskInstance.state,
    TaskInstance.try_number,
    TaskInstance.external_executor_id,
    TaskInstance.queued_by_job_id,
)
IDS_PER_QUERY = 500
"""Databases limit the parameters of a statement."""


def read_rows(runs: Iterable[Run]) -> dict[str, Row]:
    """Read the rows of these runs, by run id; a run whose row is gone is left out. Nothing is locked or written."""
    tasks = [run for run in runs if not run.is_callback]
    if not tasks:
        return {}
    with create_session(scoped=False) as session:
        query = select(*COLUMNS).where(TaskInstance.id.in_([run.ti_id for run in tasks]))
        by_ti = {str(row.id): _row(row) for row in session.execute(query)}
        found = {run.run_id: by_ti[str(run.ti_id)] for run in tasks if str(run.ti_id) in by_ti}
        # Clearing a running task gives its row a new id; what stays is the external executor id.
        by_external = {external: run for run in tasks if run.run_id not in found for external in run.ids}
        if by_external:
            query = select(*COLUMNS).where(
                TaskInstance.state == TaskInstanceState.RESTARTING,
                TaskInstance.external_executor_id.in_(by_external),
            )
            for row in session.execute(query):
                found[by_external[row.external_executor_id].run_id] = _row(row)
    return found


def read_try_numbers(ids: Sequence[Any]) -> dict[Any, int]:
    """Read the try numbers of these task instances, by their id."""
    found: dict[Any, int] = {}
    with create_session(scoped=False) as session:
        for start in range(0, len(ids), IDS_PER_QUERY):
            part = ids[start : start + IDS_PER_QUERY]
            query = select(TaskInstance.id, TaskInstance.try_number).where(TaskInstance.id.in_(part))
            found.update({row.id: row.try_number for row in session.execute(query)})
    return found


def read_workloads(runs: Sequence[Run]) -> dict[str, ExecuteTask | None]:
    """Make the workloads of these runs again, without a token, by run id.

    A run whose row is gone is left out; None stands for a workload that can't be made. Raises `SQLAlchemyError`.
    """
    if not runs:
        return {}
    try:
        return _read_workloads(runs)
    except SQLAlchemyError:
        raise
    except Exception:
        if len(runs) == 1:
            log.exception("Can't make the workload of %s again", runs[0].label)
            return {runs[0].run_id: None}
    # One of them can't be read (its executor_config names a class that is not installed here): which?
    return {run_id: workload for run in runs for run_id, workload in read_workloads([run]).items()}


def _read_workloads(runs: Sequence[Run]) -> dict[str, ExecuteTask | None]:
    by_ti = {str(run.ti_id): run for run in runs}
    query = (
        select(TaskInstance)
        .where(TaskInstance.id.in_([run.ti_id for run in runs]))
        .options(joinedload(TaskInstance.dag_model), joinedload(TaskInstance.dag_run))
    )
    with create_session(scoped=False) as session:
        tis = session.scalars(query).unique()
        return {by_ti[str(ti.id)].run_id: ExecuteTask.make(ti) for ti in tis}


def write_external_ids(runs: Iterable[Run], job_id: Any) -> None:
    """Write what the rows of these runs shall show, if they are still theirs; rows locked by others are left out."""
    shown = [run for run in runs if not run.is_callback and run.published]
    for start in range(0, len(shown), IDS_PER_QUERY):
        _write_external_ids({str(run.ti_id): run for run in shown[start : start + IDS_PER_QUERY]}, job_id)


def _write_external_ids(by_ti: dict[str, Run], job_id: Any) -> None:
    query = (
        select(TaskInstance)
        .where(
            TaskInstance.id.in_([run.ti_id for run in by_ti.values()]),
            TaskInstance.state.in_((TaskInstanceState.QUEUED, TaskInstanceState.RUNNING)),
            TaskInstance.queued_by_job_id == job_id,
        )
        .options(load_only(*COLUMNS, raiseload=True), lazyload(TaskInstance.dag_run))
    )
    with create_session(scoped=False) as session:
        locked = with_row_locks(query, of=TaskInstance, session=session, skip_locked=True)
        for ti in session.scalars(locked):
            run = by_ti[str(ti.id)]
            if ti.try_number == run.try_number and (not run.fenced or ti.external_executor_id in run.ids):
                ti.external_executor_id = run.published


def _row(row: Any) -> Row:
    return Row(
        state=None if row.state is None else str(row.state),
        try_number=row.try_number,
        external_executor_id=row.external_executor_id,
        queued_by_job_id=row.queued_by_job_id,
    )
