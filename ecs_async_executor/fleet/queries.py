"""Reads the fleet from Airflow's metadata database. Every query has a limit and uses an index.

Nothing here writes, and nothing locks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

from airflow.jobs.job import Job as JobRow
from airflow.models.dag import DagModel
from airflow.models.log import Log
from airflow.models.taskinstance import TaskInstance
from airflow.utils.state import TaskInstanceState
from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from ecs_async_executor.event_names import DELAYS, FAILURES, SCHEDULER_STATUS, EventName
from ecs_async_executor.fleet.costs import Costs, sum_texts
from ecs_async_executor.fleet.executors import OurExecutors
from ecs_async_executor.fleet.live import FORGOTTEN_AFTER, Event, Fleet, Job, TaskRow
from ecs_async_executor.scheduler_status import SchedulerStatus, decode

LIVE_STATES = (TaskInstanceState.QUEUED, TaskInstanceState.RUNNING, TaskInstanceState.RESTARTING)
TASKS = 20_000
"""Live tasks in one read, at most."""
DELAYS_READ = 20_000
"""Events about tasks that don't run yet in one read, at most: the newest ones."""
FAILURES_READ = 5_000
"""Failures among which a user's last ones are looked for; only their ids and Dags are read."""
FAILURES_SECONDS = 24 * 3600
COSTS_READ = 20_000
"""Rows of `log_cost` in one read, at most: the newest ones."""
COSTS_HOURS = 24
STATUSES = 200
"""Statuses in one read, at most: the last written ones, one for each executor of each start of a scheduler."""

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  UTC

_TASK_COLUMNS = (
    TaskInstance.dag_id,
    TaskInstance.run_id,
    TaskInstance.task_id,
    TaskInstance.map_index,
    TaskInstance.try_number,
    TaskInstance.state,
    TaskInstance.queue,
    TaskInstance.external_executor_id,
    TaskInstance.queued_by_job_id,
    TaskInstance.queued_dttm,
    TaskInstance.start_date,
    TaskInstance.updated_at,
    TaskInstance.executor,
)
_EVENT_COLUMNS = (
    Log.dag_id,
    Log.run_id,
    Log.task_id,
    Log.map_index,
    Log.try_number,
    Log.event,
    Log.dttm,
    Log.extra,
)


def read_fleet(session: Session, ours: OurExecutors, now: float) -> Fleet:
    """Read what the page needs for all users, except the texts of failures; raises `SQLAlchemyError`."""
    tasks, left_out = _read_tasks(session, ours)
    statuses = _read_statuses(session, now)
    queued = [row.queued_at or now - FAILURES_SECONDS for row in tasks if row.state == "queued"]
    job_ids = {row.job_id for row in tasks if row.job_id is not None} | {each.job_id for each in statuses}
    return Fleet(
        now,
        tasks,
        left_out,
        _read_delays(session, min(queued)) if queued else (),
        _read_failures(session, now),
        statuses,
        _read_jobs(session, job_ids),
        _count_scheduled(session, ours),
    )


def read_events(session: Session, ids: Sequence[int]) -> list[Event]:
    """Read events by their ids, the newest first; raises `SQLAlchemyError`."""
    if not ids:
        return []
    query = select(*_EVENT_COLUMNS).where(Log.id.in_(ids)).order_by(Log.id.desc())
    return [_event(row) for row in session.execute(query)]


def read_costs(session: Session, now: float) -> Costs:
    """Sum what the ECS tasks that ended in the last day have used; raises `SQLAlchemyError`."""
    query = (
        select(Log.dag_id, Log.extra)
        .where(
            Log.event == EventName.COST.value,
            Log.dttm >= _time(now - COSTS_HOURS * 3600),
            Log.dag_id.is_not(None),
        )
        .order_by(Log.id.desc())
        .limit(COSTS_READ)
    )
    rows = [(row.dag_id, row.extra or "") for row in session.execute(query)]
    return Costs(sum_texts(rows), COSTS_HOURS, len(rows) < COSTS_READ)


def _read_tasks(session: Session, ours: OurExecutors) -> tuple[tuple[TaskRow, ...], int]:
    live = TaskInstance.state.in_(LIVE_STATES), _of_ours(ours)
    query = select(*_TASK_COLUMNS).where(*live).order_by(TaskInstance.queued_dttm).limit(TASKS + 1)
    found = session.execute(query).all()
    left_out = 0
    if len(found) > TASKS:
        count = session.scalar(select(func.count()).select_from(TaskInstance).where(*live)) or 0
        left_out, found = max(1, count - TASKS), found[:TASKS]
    if ours.any_default and ours.depends_on_team:
        teams = _teams(session, {row.dag_id for row in found if row.executor is None})
        found = [row for row in found if row.executor or ours.is_default_of(teams.get(row.dag_id))]
    return tuple(_task(row) for row in found), left_out


def _of_ours(ours: OurExecutors) -> ColumnElement[bool]:
    mine: list[ColumnElement[bool]] = [TaskInstance.executor.in_(ours.names)]
    if ours.any_default:
        mine.append(TaskInstance.executor.is_(None))
    return or_(*mine)


def _count_scheduled(session: Session, ours: OurExecutors) -> dict[str, int]:
    """Count by Dag what Airflow has scheduled and holds back: for a slot, a pool, a Dag's limit."""
    query = (
        select(TaskInstance.dag_id, func.count().label("tasks"))
        .where(TaskInstance.state == TaskInstanceState.SCHEDULED, _of_ours(ours))
        .group_by(TaskInstance.dag_id)
    )
    return {row.dag_id: row.tasks for row in session.execute(query)}


def _task(row: Any) -> TaskRow:
    return TaskRow(
        row.dag_id,
        row.run_id,
        row.task_id,
        row.map_index,
        row.try_number,
        str(row.state),
        row.queue or "",
        row.external_executor_id,
        row.queued_by_job_id,
        _seconds(row.queued_dttm),
        _seconds(row.start_date),
        _seconds(row.updated_at),
    )


def _teams(session: Session, dag_ids: Iterable[str]) -> dict[str, str | None]:
    found: dict[str, str | None] = DagModel.get_dag_id_to_team_name_mapping(list(dag_ids), session=session)
    return found


def _read_delays(session: Session, since: float) -> tuple[Event, ...]:
    query = (
        select(*_EVENT_COLUMNS)
        .where(Log.event.in_(DELAYS), Log.dttm >= _time(since - 60.0), Log.dag_id.is_not(None))
        .order_by(Log.id.desc())
        .limit(DELAYS_READ)
    )
    return tuple(_event(row) for row in session.execute(query))


def _read_failures(session: Session, now: float) -> tuple[tuple[int, str], ...]:
    query = (
        select(Log.id, Log.dag_id)
        .where(Log.event.in_(FAILURES), Log.dttm >= _time(now - FAILURES_SECONDS), Log.dag_id.is_not(None))
        .order_by(Log.id.desc())
        .limit(FAILURES_READ)
    )
    return tuple((row.id, row.dag_id) for row in session.execute(query))


def _read_statuses(session: Session, now: float) -> tuple[SchedulerStatus, ...]:
    # Not by id: each start of a scheduler adds a row, and a scheduler that lives may have one of the oldest.
    query = (
        select(Log.extra)
        .where(Log.event == SCHEDULER_STATUS, Log.logical_date >= _time(now - FORGOTTEN_AFTER))
        .order_by(Log.logical_date.desc())
        .limit(STATUSES)
    )
    found = (decode(text) for text in session.scalars(query))
    return tuple(status for status in found if status is not None and now - status.at < FORGOTTEN_AFTER)


def _read_jobs(session: Session, ids: Iterable[int]) -> dict[int, Job]:
    query = select(JobRow.id, JobRow.hostname, JobRow.end_date).where(JobRow.id.in_(list(ids)))
    return {row.id: Job(row.hostname or "", row.end_date is not None) for row in session.execute(query)}


def _event(row: Sequence[object]) -> Event:
    dag_id, run_id, task_id, map_index, try_number, name, at, text = row
    return Event(
        str(dag_id or ""),
        str(run_id or ""),
        str(task_id or ""),
        map_index if isinstance(map_index, int) else -1,
        try_number if isinstance(try_number, int) else None,
        str(name),
        _seconds(at) or 0.0,
        str(text or ""),
    )


def _seconds(time: object) -> float | None:
    """Return seconds since 1970. Airflow's columns give UTC; `timestamp()` would ask their zone, which takes 25 µs."""
    return (time.replace(tzinfo=None) - _EPOCH).total_seconds() if isinstance(time, datetime) else None


def _time(seconds: float) -> datetime:
    return (_EPOCH + timedelta(seconds=seconds)).replace(tzinfo=timezone.utc)
