"""The SQL statement that reads what happened to a task's earlier launches, from the Audit Log."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from airflow.models.log import Log
from airflow.utils.session import create_session
from sqlalchemy import select, tuple_

from ecs_async_executor.event_names import SETBACKS
from ecs_async_executor.executor.rows.statements import Read
from ecs_async_executor.executor.setbacks import Setback, parse

KEYS_PER_QUERY = 100
"""Tasks in one statement, at most: each has four parameters, and databases limit them."""

_KEY = (Log.dag_id, Log.task_id, Log.run_id, Log.map_index)
"""The first columns of the index `idx_log_task_instance`."""


def read_setbacks(reads: Sequence[Read]) -> dict[str, tuple[Setback, ...]]:
    """Read what happened to these tasks' launches, by run id, the oldest first; an empty tuple if nothing did."""
    found: dict[tuple[Any, ...], list[Setback]] = defaultdict(list)
    if not reads:
        return {}
    keys = list(dict.fromkeys(_key_of(read) for read in reads))
    with create_session(scoped=False) as session:
        for start in range(0, len(keys), KEYS_PER_QUERY):
            query = (
                select(*_KEY, Log.try_number, Log.event, Log.extra)
                .where(
                    tuple_(*_KEY).in_(keys[start : start + KEYS_PER_QUERY]), Log.event.in_(sorted(SETBACKS))
                )
                .order_by(Log.id)
            )
            for *key, try_number, event, text in session.execute(query):
                if (setback := parse(event, try_number or 0, text)) is not None:
                    found[tuple(key)].append(setback)
    return {read.run_id: tuple(found[_key_of(read)]) for read in reads}


def _key_of(read: Read) -> tuple[Any, ...]:
    return read.key.dag_id, read.key.task_id, read.key.run_id, read.key.map_index
