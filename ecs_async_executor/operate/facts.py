"""Reads the rows that decide about containers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

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
    """Read the rows that decide about these tasks: first the live ones, so that what ends in between is still found."""
    with readable() as session:
        live = read_live(session)
        protected = containers.live_ids(live)
        unknown = [
            task
            for task in tasks
            if task.run_id(deployment) is not None and not protected & {task.arn, task.run_id(deployment)}
        ]
        return _facts_about(session, unknown, deployment, live)


def _facts_about(
    session: Session, tasks: Sequence[EcsTask], deployment: str, live: Sequence[FoundRow]
) -> containers.Facts:
    ids = [each for task in tasks for each in containers.external_ids(task, deployment)]
    by_external_id: dict[str, list[FoundRow]] = {}
    for row in read_by_external_ids(session, ids):
        by_external_id.setdefault(row.external_id or "", []).append(row)
    by_ti_id: dict[str, list[FoundRow]] = {}
    for row in read_by_ti_ids(session, [task.ti_id for task in tasks if task.ti_id]):
        by_ti_id.setdefault(row.ti_id, []).append(row)
    return containers.Facts(live, by_external_id, by_ti_id)
