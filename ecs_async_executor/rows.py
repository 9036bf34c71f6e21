"""Reads the task instances' rows: the one query of `sync()`."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
from sqlalchemy import select

from ecs_async_executor.decisions import Row


def read_rows(ids: Collection[UUID]) -> dict[str, Row]:
    """Read the rows of these task instances, by id. Nothing is locked or written."""
    if not ids:
        return {}
    columns = (
        TaskInstance.id,
        TaskInstance.state,
        TaskInstance.try_number,
        TaskInstance.external_executor_id,
        TaskInstance.queued_by_job_id,
    )
    # Not the scoped session: in this thread that is the scheduler's own, and closing it would release its row locks.
    with create_session(scoped=False) as session:
        rows = session.execute(select(*columns).where(TaskInstance.id.in_(ids))).all()
    return {
        str(row.id): Row(
            state=None if row.state is None else str(row.state),
            try_number=row.try_number,
            external_executor_id=row.external_executor_id,
            queued_by_job_id=row.queued_by_job_id,
        )
        for row in rows
    }
