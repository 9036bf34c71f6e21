"""Finds the one container that somebody means, and the row that shows it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ecs_async_executor.errors import OperationError
from ecs_async_executor.launch_id import LaunchId
from ecs_async_executor.operate import containers
from ecs_async_executor.operate.access import Access, as_one
from ecs_async_executor.operate.ecs_task import EcsTask
from ecs_async_executor.operate.facts import read_facts
from ecs_async_executor.operate.rows import FoundRow, read_named, readable
from ecs_async_executor.task_arn import TaskArn


@dataclass(frozen=True, slots=True)
class Name:
    """A task instance as people write it: DAG/RUN/TASK, with /MAP_INDEX for one of a mapped task."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int | None = None

    @classmethod
    def parse(cls, text: str) -> Name | None:
        """Parse it; None if the text has no slash, or is an ARN."""
        if "/" not in text or text.startswith("arn:"):
            return None
        parts = text.split("/")
        if len(parts) not in {3, 4} or not all(parts) or (len(parts) == 4 and not parts[3].isdecimal()):
            raise OperationError(f"{text} is not DAG/RUN/TASK or DAG/RUN/TASK/MAP_INDEX.")
        return cls(parts[0], parts[1], parts[2], int(parts[3]) if len(parts) == 4 else None)


@dataclass(frozen=True, slots=True)
class Target:
    """An ECS task, and the row that tells what Airflow makes of its end."""

    task: EcsTask
    row: FoundRow | None
    shows_it: bool
    """Whether the row shows the ECS task, and not another one."""


def find_target(access: Access, what: str) -> Target:
    """Find it by ARN, ECS task id or name; raises `OperationError` if there is none, several, or it is someone else's."""
    name = Name.parse(what)
    if name is not None:
        row = the_row(name)
        return Target(container_of(access, row), row, shows_it=True)
    if TaskArn.parse(what) is None and (what.startswith("arn:") or len(what) < 8):
        raise OperationError(
            f"{what!r} is no ECS task's ARN or id: write at least the id's first 8 characters, or DAG/RUN/TASK."
        )
    task = access.find(what)
    found, shows_it = row_of(access, task)
    if found is None and task.run_id(access.deployment) is None:
        raise OperationError(
            f"{task.task_id} is not this Airflow's: its startedBy is {task.started_by or 'empty'}, not "
            f"{access.deployment}/..., and no row shows it. If you mean it, use aws ecs stop-task."
        )
    return Target(task, found, shows_it)


def the_row(name: Name) -> FoundRow:
    """Return the row of this name; raises `OperationError` if there is none, or several map indexes."""
    with readable() as session:
        rows = read_named(session, name.dag_id, name.task_id, name.run_id, name.map_index)
    live = [row for row in rows if row.is_live]
    if not rows:
        raise OperationError(f"Airflow has no task instance {name.dag_id}/{name.run_id}/{name.task_id}.")
    return one_of(live or rows, "Add the map index: DAG/RUN/TASK/MAP_INDEX.")


def one_of(rows: Sequence[FoundRow], advice: str) -> FoundRow:
    """Return the only row; raises `OperationError` that lists the first of several."""
    if len(rows) == 1:
        return rows[0]
    names = ", ".join(row.label for row in rows[:5])
    raise OperationError(
        f"{len(rows)} task instances fit: {names}{', ...' if len(rows) > 5 else ''}. {advice}"
    )


def container_of(access: Access, row: FoundRow) -> EcsTask:
    """Return the ECS task that a row shows; raises `OperationError` if it has none now."""
    shown = row.external_id or ""
    if shown.startswith("arn:"):
        return access.find(shown)
    launch = LaunchId.parse(shown)
    if launch is not None and row.is_live:
        found = [task for task in access.tasks() if task.run_id(access.deployment) == launch.run_id]
        if found:
            return as_one(found, row.label)
    if row.is_live:
        raise OperationError(
            f"{row.label} is {row.state}, and has no ECS task yet. `ecs-async tasks` says why; to end it, mark it as failed in "
            "Airflow."
        )
    raise OperationError(f"{row.label} is {row.state or 'cleared'}, and no ECS task is known of it.")


def row_of(access: Access, task: EcsTask) -> tuple[FoundRow | None, bool]:
    """Return the row that a container belongs to, and whether that row shows it."""
    facts = read_facts([task], access.deployment)
    ids = set(containers.external_ids(task, access.deployment))
    for row in facts.live:
        if row.external_id in ids:
            return row, True
    for row in facts.live:
        if task.ti_id is not None and row.ti_id == task.ti_id:
            return row, False
    over = [row for each in ids for row in facts.by_external_id.get(each, ())]
    over += facts.by_ti_id.get(task.ti_id or "", ())
    newest = max(over, key=lambda row: math.inf if row.changed_at is None else row.changed_at, default=None)
    return newest, newest is not None
