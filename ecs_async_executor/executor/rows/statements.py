"""The SQL statements by which the executor itself reads and writes task instances' rows."""

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

from ecs_async_executor.executor.decisions import ExpectedRow, Row
from ecs_async_executor.executor.task_facts import DagOwners

log = logging.getLogger(__name__)

# Never use the scoped session: in the scheduler's thread it is the scheduler's own, and closing it would
# release the scheduler's row locks.

COLUMNS = (
    TaskInstance.id,
    TaskInstance.state,
    TaskInstance.try_number,
    TaskInstance.external_executor_id,
    TaskInstance.queued_by_job_id,
    TaskInstance.last_heartbeat_at,
)
IDS_PER_QUERY = 500
"""Ids in one statement, at most: databases limit its parameters."""
ROWS_PER_WRITE = 50
"""Rows locked at once, at most. The driver may send a statement per row, while workers wait for the locks."""


@dataclass(frozen=True, slots=True)
class Read:
    """A request to read one run's row."""

    run_id: str
    ti_id: Any
    label: str
    ids: frozenset[str]
    """External executor ids. They identify the row after a clear, which gives it a new primary key."""
    workload: bool = False
    """Whether to make the run's workload again, too."""
    expected: ExpectedRow | None = None
    """A row like this needs no decision; None: any row needs one."""
    looks_back: bool = False
    """Whether to read what happened to the task's earlier launches, too."""
    key: Any = None
    """The task's key in the Audit Log; only needed to look back."""


@dataclass(frozen=True, slots=True)
class Publication:
    """A request to write an external executor id to one run's row, if the row is as described here."""

    run_id: str
    ti_id: Any
    try_number: int
    job_id: Any
    instead_of: str | None
    external_id: str


def read_rows(reads: Iterable[Read]) -> dict[str, Row]:
    """Read runs' rows, by run id, without locking or writing; the result omits runs whose row is gone."""
    wanted = list(reads)
    found: dict[str, Row] = {}
    # API servers stamp heartbeats with this clock, and core compares them with it. We read it before the
    # rows, so that no heartbeat looks older than it is.
    now = timezone.utcnow()
    if not wanted:
        return found
    with create_session(scoped=False) as session:
        for start in range(0, len(wanted), IDS_PER_QUERY):
            part = wanted[start : start + IDS_PER_QUERY]
            query = select(*COLUMNS).where(TaskInstance.id.in_([read.ti_id for read in part]))
            by_ti = {str(row.id): _row(row, now) for row in session.execute(query)}
            found |= {read.run_id: by_ti[str(read.ti_id)] for read in part if str(read.ti_id) in by_ti}
        # Clearing a running task gives its row a new primary key but keeps the external executor id.
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
"""Columns of orphans that some versions of core don't load: each would cost a query per row."""


def read_left_out(ids: Sequence[Any]) -> dict[Any, dict[str, Any]]:
    """Read the columns that core leaves out of the task instances it hands over, by task instance id."""
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


def read_workloads(reads: Sequence[Read], owners: DagOwners | None = None) -> dict[str, ExecuteTask | None]:
    """Make the workloads of these runs again, without a token, by run id.

    The result omits runs whose row is gone, and holds None for a workload that can't be made. Notes their Dags' owners.
    Raises `SQLAlchemyError`.
    """
    if not reads:
        return {}
    try:
        return _read_workloads(reads, owners or DagOwners())
    except SQLAlchemyError:
        raise
    except Exception:
        if len(reads) == 1:
            log.exception("Can't make the workload of %s again", reads[0].label)
            return {reads[0].run_id: None}
    # One of them can't be read (its executor_config names a class that isn't installed here): try each alone.
    return {run_id: workload for read in reads for run_id, workload in read_workloads([read], owners).items()}


def _read_workloads(reads: Sequence[Read], owners: DagOwners) -> dict[str, ExecuteTask | None]:
    by_ti = {str(read.ti_id): read for read in reads}
    query = (
        select(TaskInstance)
        .where(TaskInstance.id.in_([read.ti_id for read in reads]))
        .options(joinedload(TaskInstance.dag_model), joinedload(TaskInstance.dag_run))
    )
    with create_session(scoped=False) as session:
        tis = session.scalars(query).unique().all()
        for ti in tis:
            owners.note(ti.dag_id, ti.dag_model.owners)
        return {by_ti[str(ti.id)].run_id: ExecuteTask.make(ti) for ti in tis}


def write_external_ids(publications: Sequence[Publication]) -> frozenset[str]:
    """Write external executor ids, and return the runs whose row shows theirs afterwards.

    Skips rows that someone has locked, and rows that are not as their `Publication` describes.
    """
    written: set[str] = set()
    for start in range(0, len(publications), ROWS_PER_WRITE):
        part = {str(each.ti_id): each for each in publications[start : start + ROWS_PER_WRITE]}
        ids = [each.ti_id for each in part.values()]
        with create_session(scoped=False) as session:
            # Waiting for a lock would mean holding the others all that time.
            query = select(TaskInstance.id).where(TaskInstance.id.in_(ids))
            locked = with_row_locks(query, of=TaskInstance, session=session, skip_locked=True)
            free = [part[str(ti_id)] for ti_id in session.scalars(locked)]
            if free:
                # Through the connection: a session would turn many updates into a bulk update by primary key,
                # without the comparisons.
                session.connection().execute(_COMPARE_AND_SWAP, [_parameters(each) for each in free])
            after = select(TaskInstance.id, TaskInstance.external_executor_id).where(TaskInstance.id.in_(ids))
            for ti_id, external_id in session.execute(after):
                if part[str(ti_id)].external_id == external_id:
                    written.add(part[str(ti_id)].run_id)
    return frozenset(written)


# `or_` because an `executemany` statement can't have the expanding parameters of `in_`.
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


def _parameters(publication: Publication) -> dict[str, Any]:
    return {
        "ti_id": publication.ti_id,
        "its_try": publication.try_number,
        "its_job": publication.job_id,
        "instead_of": publication.instead_of,
        "external_id": publication.external_id,
    }


def _row(row: Any, now: datetime) -> Row:
    return Row(
        state=None if row.state is None else str(row.state),
        try_number=row.try_number,
        external_executor_id=row.external_executor_id,
        queued_by_job_id=row.queued_by_job_id,
        heartbeat_age=row.last_heartbeat_at and (now - row.last_heartbeat_at).total_seconds(),
    )
