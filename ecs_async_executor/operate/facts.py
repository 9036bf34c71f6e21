"""Reads the rows that decide about containers."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sqlalchemy.orm import Session

from ecs_async_executor.operate import containers
from ecs_async_executor.operate.ecs_task import EcsTask
from ecs_async_executor.operate.rows import (
    FoundRow,
    read_by_external_ids,
    read_by_ti_ids,
    read_live,
    readable,
)


def read_facts(tasks: Iterable[EcsTask], deployment: str) -> containers.Facts:
    """Read the rows that decide about this deployment's tasks, `airflow/<name>`; raises `OperationError`."""
    with readable() as session:
        return facts_in(session, tasks, deployment)


def facts_in(session: Session, tasks: Iterable[EcsTask], deployment: str) -> containers.Facts:
    """Read them: first the live rows, so that what ends in between is still found."""
    live = read_live(session)
    protected = containers.live_ids(live)
    unknown = [
        task
        for task in tasks
        if (run_id := task.run_id(deployment)) is not None and not protected & {task.arn, run_id}
    ]
    ids = [each for task in unknown for each in containers.external_ids(task, deployment)]
    ti_ids = [task.ti_id for task in unknown if task.ti_id is not None]
    return containers.Facts(
        live,
        _grouped(read_by_external_ids(session, ids), lambda row: row.external_id or ""),
        _grouped(read_by_ti_ids(session, ti_ids), lambda row: row.ti_id),
    )


def _grouped(rows: Iterable[FoundRow], key: Callable[[FoundRow], str]) -> dict[str, list[FoundRow]]:
    groups: dict[str, list[FoundRow]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return groups
