"""Reads task instances by the ids that containers carry. Nothing here writes, and nothing locks.

`external_executor_id` has no index, so reading by it scans the table: only for what the live rows don't explain.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from uuid import UUID

from airflow import settings
from airflow.models.taskinstance import TaskInstance
from airflow.models.taskinstancehistory import TaskInstanceHistory
from airflow.utils.session import create_session
from sqlalchemy import Select, make_url, select
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from ecs_async_executor.errors import OperationError
from ecs_async_executor.fleet.executors import NOT_OURS, find_our_executors
from ecs_async_executor.fleet.live import Event, Fleet
from ecs_async_executor.fleet.queries import LIVE_STATES, read_events, read_fleet
from ecs_async_executor.fleet.view import choose_failures

BATCH = 500
"""Ids in one query: SQLite takes 999 parameters."""


@dataclass(frozen=True, slots=True)
class FoundRow:
    """A task instance, or an earlier try of one. Times are seconds since 1970."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    try_number: int
    state: str | None
    external_id: str | None
    ti_id: str
    """Its UUID when it had this try."""
    changed_at: float | None
    """When its row last changed, or its try ended: whichever is later."""
    earlier_try: bool = False
    max_tries: int = 0
    """How many retries the task has."""
    queued_at: float | None = None

    @property
    def is_live(self) -> bool:
        """Whether Airflow counts on its container."""
        return not self.earlier_try and self.state in LIVE

    @property
    def label(self) -> str:
        """Return `dag/run/task`, with the map index if it has one: what `ecs-async stop` takes."""
        name = f"{self.dag_id}/{self.run_id}/{self.task_id}"
        return f"{name}/{self.map_index}" if self.map_index >= 0 else name


_OTHER_CONFIGURATION = (
    "Run it with the scheduler's configuration: its AIRFLOW_HOME, or its AIRFLOW__... variables."
)
_NO_TABLE = ("no such table", "no such column", "UndefinedTable", "UndefinedColumn", "1146", "1054")
"""What SQLite says, psycopg's classes, and MySQL's error codes (ER_NO_SUCH_TABLE, ER_BAD_FIELD_ERROR)."""

LIVE = frozenset(state.value for state in LIVE_STATES)


def read_live(session: Session) -> list[FoundRow]:
    """Read all rows that any executor has in hand: an id there protects its container, whoever queued it."""
    return _rows(session, _select(TaskInstance).where(TaskInstance.state.in_(LIVE_STATES)))


def read_by_external_ids(session: Session, ids: Iterable[str]) -> list[FoundRow]:
    """Read the rows, and the earlier tries, that show one of these ids."""
    return _in_batches(session, ids, "external_executor_id")


def read_by_ti_ids(session: Session, ids: Iterable[str]) -> list[FoundRow]:
    """Read the rows, and the earlier tries, that have one of these UUIDs; texts that are none are skipped."""
    return _in_batches(session, [uuid for each in ids if (uuid := _uuid(each)) is not None], "id")


def read_named(
    session: Session, dag_id: str, task_id: str, run_id: str | None = None, map_index: int | None = None
) -> list[FoundRow]:
    """Read one task's rows, the newest Dag run first."""
    query = _select(TaskInstance).where(TaskInstance.dag_id == dag_id, TaskInstance.task_id == task_id)
    if run_id is not None:
        query = query.where(TaskInstance.run_id == run_id)
    if map_index is not None:
        query = query.where(TaskInstance.map_index == map_index)
    if run_id is None:  # all runs there ever were may be many
        query = query.where(TaskInstance.state.in_(LIVE_STATES))
    return _rows(session, query.order_by(TaskInstance.queued_dttm.desc()).limit(1000))


def read_all(now: float) -> tuple[Fleet, list[Event]]:
    """Read the fleet, and the last failures; raises `OperationError`, also if no row here can be this executor's."""
    ours = find_our_executors()
    if not ours.names:
        raise OperationError(f"{NOT_OURS} {_OTHER_CONFIGURATION}")
    with readable() as session:
        found = read_fleet(session, ours, now)
        failures = choose_failures(found, frozenset(dag_id for _, dag_id in found.failures))
        return found, read_events(session, failures)


@contextmanager
def readable() -> Iterator[Session]:
    """Open a session; raise an `OperationError` in place of the database's errors, which quote statements and hosts."""
    _require_file(make_url(settings.SQL_ALCHEMY_CONN or "sqlite://"))
    try:
        with create_session(scoped=False) as session:
            yield session
    except SQLAlchemyError as error:
        raise OperationError(_unreadable(error)) from None


def _require_file(url: URL) -> None:
    """Raise if SQLite's file isn't there: opening it would create an empty one."""
    name = url.database or ""
    is_path = url.get_backend_name() == "sqlite" and Path(name).is_absolute()
    if is_path and not Path(name).is_file():
        raise OperationError(f"There is no database {name}. {_OTHER_CONFIGURATION}")


def _unreadable(error: SQLAlchemyError) -> str:
    cause = getattr(error, "orig", None)
    if any(words in f"{type(cause).__name__} {cause}" for words in _NO_TABLE):
        return f"The database here has no Airflow tables, or too old ones. {_OTHER_CONFIGURATION}"
    return (
        f"Airflow's metadata database can't be read ({type(error).__name__}). Check `[database] sql_alchemy_conn` "
        "and the network here: `airflow db check`."
    )


def _select(model: Any) -> Select[Any]:
    is_history = model is TaskInstanceHistory
    return select(
        model.dag_id,
        model.run_id,
        model.task_id,
        model.map_index,
        model.try_number,
        model.state,
        model.external_executor_id,
        (model.task_instance_id if is_history else model.id).label("ti_id"),
        model.updated_at,
        model.end_date,
        model.max_tries,
        model.queued_dttm,
    )


def _in_batches(session: Session, ids: Iterable[Any], column: str) -> list[FoundRow]:
    found: list[FoundRow] = []
    for batch in _batches(sorted(set(ids))):
        for model in (TaskInstance, TaskInstanceHistory):
            name = "task_instance_id" if column == "id" and model is TaskInstanceHistory else column
            query = _select(model).where(getattr(model, name).in_(batch))
            found += _rows(session, query, earlier_try=model is TaskInstanceHistory)
    return found


def _batches(ids: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(ids), BATCH):
        yield ids[start : start + BATCH]


def _rows(session: Session, query: Select[Any], *, earlier_try: bool = False) -> list[FoundRow]:
    return [_row(row, earlier_try) for row in session.execute(query)]


def _row(row: Any, earlier_try: bool) -> FoundRow:  # noqa: FBT001  as in FoundRow
    times = [_seconds(time) for time in (row.updated_at, row.end_date)]
    known = [time for time in times if time is not None]
    return FoundRow(
        row.dag_id,
        row.run_id,
        row.task_id,
        row.map_index,
        row.try_number,
        None if row.state is None else str(row.state),
        row.external_executor_id,
        str(row.ti_id),
        max(known) if known else None,
        earlier_try,
        row.max_tries or 0,
        _seconds(row.queued_dttm),
    )


def _seconds(time: datetime | None) -> float | None:
    """Return seconds since 1970; SQLite gives times without a zone, which are UTC."""
    if time is None:
        return None
    return (time if time.tzinfo is not None else time.replace(tzinfo=timezone.utc)).timestamp()


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
