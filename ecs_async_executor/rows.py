"""Reads the task instances' rows: what `sync()` asks the database."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
from airflow.utils.state import TaskInstanceState
from sqlalchemy import select

from ecs_async_executor.decisions import Row
from ecs_async_executor.runs import Run

COLUMNS = (
    TaskInstance.id,
    TaskInstance.state,
    TaskInstance.try_number,
    TaskInstance.external_executor_id,
    TaskInstance.queued_by_job_id,
)


def read_rows(runs: Iterable[Run]) -> dict[str, Row]:
    """Read the rows of these runs, by run id; a run whose row is gone is left out. Nothing is locked or written."""
    tasks = [run for run in runs if not run.is_callback]
    if not tasks:
        return {}
    # Not the scoped session: in this thread that is the scheduler's own, and closing it would release its row locks.
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


def _row(row: Any) -> Row:
    return Row(
        state=None if row.state is None else str(row.state),
        try_number=row.try_number,
        external_executor_id=row.external_executor_id,
        queued_by_job_id=row.queued_by_job_id,
    )
