"""Simulates the workers with SQL, thousands of tasks at once: their rows go from queued to running to success.

A row is running once it shows its ECS task's ARN; it succeeds a while later, before its container ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from multiprocessing.connection import Connection

# isort: split
from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
from sqlalchemy import func, select, update

from benchmarks.processes import beside, step_back

EVERY = 0.5
"""Seconds between two updates."""


@contextmanager
def sql_workers(*, work: float, spare: int = 0) -> Iterator[None]:
    """Simulate workers during the `with` block: their code takes `work` seconds; the first `spare` rows never end."""
    with beside(_play, work, spare) as connection:
        step_back()
        yield
        connection.send("stop")


def _play(connection: Connection, work: float, spare: int) -> None:
    while not connection.poll(EVERY):
        _step(work, spare)


def _step(work: float, spare: int) -> None:
    now = datetime.now(timezone.utc)
    row = TaskInstance
    started = update(row).where(row.state == "queued", row.external_executor_id.startswith("arn:"))
    ended = update(row).where(
        row.state == "running", row.map_index >= spare, row.start_date < now - timedelta(seconds=work)
    )
    quietly = {"synchronize_session": False}
    with create_session(scoped=False) as session:
        session.execute(
            started.values(state="running", start_date=now, last_heartbeat_at=now), execution_options=quietly
        )
    with create_session(scoped=False) as session:
        session.execute(ended.values(state="success", end_date=now), execution_options=quietly)


def count_rows(state: str) -> int:
    """Count the rows in a state."""
    with create_session(scoped=False) as session:
        return session.scalar(select(func.count()).where(TaskInstance.state == state)) or 0


def succeed(indexes: list[int]) -> None:
    """End the code of these tasks, by map index."""
    with create_session(scoped=False) as session:
        session.execute(
            update(TaskInstance)
            .where(TaskInstance.map_index.in_(indexes))
            .values(state="success", end_date=datetime.now(timezone.utc)),
            execution_options={"synchronize_session": False},
        )


def external_ids() -> dict[int, str]:
    """Return each row's `external_executor_id`, a run id or an ARN, by map index."""
    with create_session(scoped=False) as session:
        rows = session.execute(select(TaskInstance.map_index, TaskInstance.external_executor_id))
        return {index: shown or "" for index, shown in rows}
