"""Rows of the metadata database for the fleet page: live tasks, events, schedulers; without their Dags."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta, timezone
from typing import Any

from airflow.models.log import Log
from airflow.models.taskinstance import TaskInstance
from sqlalchemy import Connection, insert

NOW = datetime(2026, 11, 27, 3, 0, tzinfo=timezone.utc)
ARN = "arn:aws:ecs:eu-central-1:123456789012:task/default/"


def ago(seconds: float) -> datetime:
    """Return a time before NOW."""
    return NOW - timedelta(seconds=seconds)


def task_row(**changes: Any) -> dict[str, Any]:
    """Make a queued task's row."""
    return {
        "id": uuid.uuid4(),
        "dag_id": "dag",
        "task_id": "task",
        "run_id": "run",
        "map_index": -1,
        "pool": "default_pool",
        "pool_slots": 1,
        "queue": "default",
        "state": "queued",
        "try_number": 1,
        "max_tries": 0,
        "queued_by_job_id": 7,
        "external_executor_id": str(uuid.uuid4()),
        "executor": None,
        "executor_config": {},
        "queued_dttm": ago(60),
        "start_date": None,
        "updated_at": ago(30),
        "span_status": "not_started",
        "dag_version_id": None,
        **changes,
    }


def event_row(event: str, text: str, **changes: Any) -> dict[str, Any]:
    """Make an event's row."""
    return {
        "dttm": ago(10),
        "event": event,
        "extra": text,
        "dag_id": "dag",
        "task_id": "task",
        "run_id": "run",
        "map_index": -1,
        "try_number": 1,
        **changes,
    }


def add_tasks(connection: Connection, *rows: dict[str, Any]) -> None:
    """Insert tasks' rows."""
    connection.execute(insert(TaskInstance.__table__), list(rows))


def add_events(connection: Connection, *rows: dict[str, Any]) -> None:
    """Insert events' rows."""
    connection.execute(insert(Log.__table__), list(rows))
