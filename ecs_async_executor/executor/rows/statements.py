"""The task instances' rows: all that the executor asks and tells the database itself."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airflow._shared.timezones import timezone
from airflow.executors.workloads import ExecuteTask
from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
from airflow.utils.sqlalchemy import with_row_locks
from airflow.utils.state import TaskInstanceState
from sqlalchemy import bindparam, or_, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import joinedload

from ecs_async_executor.executor.decisions import Row

log = logging.getLogger(__name__)

# Never the scoped session: in the scheduler's thread that is the scheduler's own, and closing it would release its
# row locks.

COLUMNS = (
    TaskInstance.id,
    TaskInstance.state,
    TaskInstance.try_number,
    TaskInstance.external_executor_id,
    TaskInstance.queued_by_job_id,
    TaskInstance.last_heartbeat_at,
)
IDS_PER_QUERY = 500
"""Databases limit the parameters of a statement."""
ROWS_PER_WRITE = 50
"""Rows that are locked at once. A driver may send a statement for each, and workers wait for the locks meanwhile."""


@dataclass(frozen=True, slots=True)
class Read:
    """One run's row is to be read."""

    run_id: str
    ti_id: Any
    label: str
    ids: frozenset[str]
    """By which the row is found after it was cleared, which gives it a new primary key."""
    workload: bool = False
    """Its workload is to be made again, too."""
    expected: Row | None = None
    """Nothing is to be decided if the row is still like this one; None if there is in any case."""


@dataclass(frozen=True, slots=True)
class Publication:
    """One run's row is to show this external executor id, if it is otherwise like this (as read, or as core has made it)."""

    run_id: str
    ti_id: Any
    try_number: int
    job_id: Any
    instead_of: str | None
    external_id: str


def read_rows(reads: Iterable[Read]) -> dict[str, Row]:
    """Read the rows of these runs, by run id; a run whose row is gone is left out. Nothing is locked or written."""
    wanted = list(reads)
    found: dict[str, Row] = {}
    # API servers stamp heartbeats by this clock, and core compares them with it. Taken before the rows are read: none may
    # look older than it is.
    now = timezone.utcnow()
    if not wanted:
        return found
    with create_session(scoped=False) as session:
        for start in range(0, len(wanted), IDS_PER_QUERY):
            part = wanted[start : start + IDS_PER_QUERY]
            query = select(*COLUMNS).where(TaskInstance.id.in_([read.ti_id for read in part]))
            by_ti = {str(row.id): _row(row, now) for row in session.execute(query)}
            found |= {read.run_id: by_ti[str(read.ti_id)] for read in part if str(read.ti_id) in by_ti}
        # Clearing a running task gives its row a new id; what stays is the external executor id.
        by_external = {external: read for read in wanted if read.run_id not in found for external in read.ids}
        externals = list(by_external)
        for start in range(0, len(externals), IDS_PER_QUERY):
            query = select(*COLUMNS).where(
                TaskInstance.state == TaskInstanceState.RESTARTING,
                TaskInstance.external_executor_id.in_(externals[start : start + IDS_PER_QUERY]),
            )
            for row in session.execute(query):
                found[by_external[row.external_executor_id].run_id] = _row(row, now)
    return found


LEFT_OUT = ("map_index", "try_number", "state", "queue")
"""Columns of orphans that core, in one version or another, does not load: each would cost a query for each row."""


def read_left_out(ids: Sequence[Any]) -> dict[Any, dict[str, Any]]:
    """Read what core leaves out of the task instances that it hands over, by their id."""
    found: dict[Any, dict[str, Any]] = {}
    columns = [getattr(TaskInstance, name) for name in LEFT_OUT]
    with create_session(scoped=False) as session:
        for start in range(0, len(ids), IDS_PER_QUERY):
            query = select(TaskInstance.id, *columns).where(
                TaskInstance.id.in_(ids[start : start + IDS_PER_QUERY])
            )
            for ti_id, *values in session.execute(query):
                found[ti_id] = dict(zip(LEFT_OUT, values, strict=True))
    return found


def read_workloads(reads: Sequence[Read]) -> dict[str, ExecuteTask | None]:
    """Make the workloads of these runs again, without a token, by run id.

    A run whose row is gone is left out; None stands for a workload that can't be made. Raises `SQLAlchemyError`.
    """
    if not reads:
        return {}
    try:
        return _read_workloads(reads)
    except SQLAlchemyError:
        raise
    except Exception:
        if len(reads) == 1:
            log.exception("Can't make the workload of %s again", reads[0].label)
            return {reads[0].run_id: None}
    # One of them can't be read (its executor_config names a class that is not installed here): which?
    return {run_id: workload for read in reads for run_id, workload in read_workloads([read]).items()}


def _read_workloads(reads: Sequence[Read]) -> dict[str, ExecuteTask | None]:
    by_ti = {str(read.ti_id): read for read in reads}
    query = (
        select(TaskInstance)
        .where(TaskInstance.id.in_([read.ti_id for read in reads]))
        .options(joinedload(TaskInstance.dag_model), joinedload(TaskInstance.dag_run))
    )
    with create_session(scoped=False) as session:
        tis = session.scalars(query).unique()
        return {by_ti[str(ti.id)].run_id: ExecuteTask.make(ti) for ti in tis}


def write_external_ids(publications: Sequence[Publication]) -> frozenset[str]:
    """Write what rows shall show, and give the runs whose row shows it now.

    Left out are rows that somebody has locked, and those that are not as their `Publication` says.
    """
    written: set[str] = set()
    for start in range(0, len(publications), ROWS_PER_WRITE):
        part = {str(publish.ti_id): publish for publish in publications[start : start + ROWS_PER_WRITE]}
        ids = [publish.ti_id for publish in part.values()]
        with create_session(scoped=False) as session:
            # To wait for a lock would be to hold the others meanwhile.
            query = select(TaskInstance.id).where(TaskInstance.id.in_(ids))
            locked = with_row_locks(query, of=TaskInstance, session=session, skip_locked=True)
            free = [part[str(ti_id)] for ti_id in session.scalars(locked)]
            if free:
                # By the connection: a session makes of many updates one by primary key, which compares nothing.
                session.connection().execute(_COMPARE_AND_SWAP, [_parameters(publish) for publish in free])
            published_ids = select(TaskInstance.id, TaskInstance.external_executor_id).where(
                TaskInstance.id.in_(ids)
            )
            for ti_id, external_id in session.execute(published_ids):
                if part[str(ti_id)].external_id == external_id:
                    written.add(part[str(ti_id)].run_id)
    return frozenset(written)


# `or_`, since `in_` makes parameters that no statement for many rows can have.
_COMPARE_AND_SWAP = (
    update(TaskInstance)
    .where(
        TaskInstance.id == bindparam("ti_id"),
        TaskInstance.try_number == bindparam("its_try"),
        TaskInstance.queued_by_job_id.is_not_distinct_from(bindparam("its_job")),
        TaskInstance.external_executor_id.is_not_distinct_from(bindparam("instead_of")),
        or_(TaskInstance.state == TaskInstanceState.QUEUED, TaskInstance.state == TaskInstanceState.RUNNING),
    )
    .values(external_executor_id=bindparam("external_id"))
)


def _parameters(publish: Publication) -> dict[str, Any]:
    return {
        "ti_id": publish.ti_id,
        "its_try": publish.try_number,
        "its_job": publish.job_id,
        "instead_of": publish.instead_of,
        "external_id": publish.external_id,
    }


def _row(row: Any, now: datetime) -> Row:
    return Row(
        state=None if row.state is None else str(row.state),
        try_number=row.try_number,
        external_executor_id=row.external_executor_id,
        queued_by_job_id=row.queued_by_job_id,
        heartbeat_age=row.last_heartbeat_at and (now - row.last_heartbeat_at).total_seconds(),
    )
