"""Reads Airflow's database and the local ECS into snapshots.

It reads Airflow's rows from the SQLite file, read-only, because the REST API doesn't expose a task instance's
`external_executor_id`, which links it to its ECS tasks. (The file is in WAL mode, so readers block no writer.)
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ecs_async_executor.demo.snapshot import DagRun, EcsTask, Queueing, Snapshot, TaskInstance

_RUNS = "SELECT dag_id, state FROM dag_run ORDER BY id"
_TASKS = """
SELECT dag_id, task_id, map_index, state, try_number, external_executor_id, scheduled_dttm, queued_dttm
FROM task_instance
"""
_EARLIER_TRIES = """
SELECT dag_id, task_id, map_index, state, try_number, external_executor_id, scheduled_dttm, queued_dttm
FROM task_instance_history
"""
# The Execution API logs such a row at each container start; start_date doesn't change on resume.
_STARTS = "SELECT dag_id, task_id, map_index, dttm FROM log WHERE event = 'running' ORDER BY dttm"

Key = tuple[str, str, int]
STANDBY = "standby"
"""The last part of a standby's `startedBy`: it is started before anybody knows for which task."""


@dataclass(frozen=True)
class Row:
    """A row of task_instance or task_instance_history."""

    key: Key
    state: str | None
    try_number: int
    external_executor_id: str | None
    scheduled_at: float | None
    queued_at: float | None


class Observer:
    """Takes snapshots, and remembers every queueing, because Airflow overwrites the row at the next one."""

    def __init__(
        self,
        database: Path,
        describe_ecs_tasks: Callable[[], list[dict[str, Any]]],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Take ECS tasks from `describe_ecs_tasks`: the `tasks` of the local ECS's `/_local/tasks`."""
        self._database = f"file:{database}?mode=ro"
        self._describe_ecs_tasks = describe_ecs_tasks
        self._clock = clock
        self._queueings: dict[str, tuple[Key, Queueing]] = {}
        self._taken: dict[str, str] = {}
        """The run id for which a standby, by its ARN, was taken."""

    def snapshot(self) -> Snapshot:
        """Read both now. Raises what `describe_ecs_tasks` raises, and sqlite3.Error."""
        with closing(sqlite3.connect(self._database, uri=True)) as connection:
            runs = tuple(DagRun(*row) for row in connection.execute(_RUNS))
            earlier = [read_row(row) for row in connection.execute(_EARLIER_TRIES)]
            now = [read_row(row) for row in connection.execute(_TASKS)]
            starts = [
                ((dag_id, task_id, map_index), moment(dttm))
                for dag_id, task_id, map_index, dttm in connection.execute(_STARTS)
            ]
        # Read these after Airflow's rows, so that they include every ARN in a row.
        ecs_tasks = [read_ecs_task(task) for task in self._describe_ecs_tasks()]
        standbys = {ecs_task.arn for ecs_task in ecs_tasks if ecs_task.run_id == STANDBY}
        for row in (*earlier, *now):
            self._note_standby(row, standbys)
        ecs_tasks = [
            replace(ecs_task, run_id=self._taken.get(ecs_task.arn, ecs_task.arn))
            if ecs_task.arn in standbys
            else ecs_task
            for ecs_task in ecs_tasks
        ]
        run_ids = {ecs_task.arn: ecs_task.run_id for ecs_task in ecs_tasks}
        for row in (*earlier, *now):
            self._remember(row, run_ids)
        return Snapshot(
            at=self._clock(),
            dag_runs=runs,
            tasks=tuple(self._task(row, run_ids, ecs_tasks, starts) for row in now),
        )

    def _note_standby(self, row: Row, standbys: set[str]) -> None:
        """Note for which queueing a standby was taken: a row names it by the ARN, and named it by the run id before."""
        arn = row.external_executor_id
        if arn in standbys:
            known = (
                queueing.run_id
                for key, queueing in self._queueings.values()
                if (key, queueing.queued_at) == (row.key, row.queued_at)
            )
            self._taken.setdefault(arn, next(known, arn))

    def _remember(self, row: Row, run_ids: dict[str, str]) -> None:
        """Remember a row's latest queueing, which it names by run id or, once launched, by ARN."""
        if row.external_executor_id is None:
            return
        run_id = run_ids.get(row.external_executor_id, row.external_executor_id)
        if run_id not in self._queueings:
            self._queueings[run_id] = (
                row.key,
                Queueing(run_id, row.try_number, row.scheduled_at, row.queued_at, running_at=None),
            )

    def _task(
        self,
        row: Row,
        run_ids: dict[str, str],
        ecs_tasks: Iterable[EcsTask],
        starts: Iterable[tuple[Key, float | None]],
    ) -> TaskInstance:
        current = row.external_executor_id
        dag_id, task_id, map_index = row.key
        my_starts = [at for key, at in starts if key == row.key and at is not None]
        return TaskInstance(
            dag_id=dag_id,
            task_id=task_id,
            map_index=map_index,
            state=row.state,
            try_number=row.try_number,
            scheduled_at=row.scheduled_at,
            queued_at=row.queued_at,
            current=None if current is None else run_ids.get(current, current),
            queueings=tuple(
                with_ecs_tasks(queueing, ecs_tasks, my_starts)
                for key, queueing in self._queueings.values()
                if key == row.key
            ),
        )


def with_ecs_tasks(queueing: Queueing, ecs_tasks: Iterable[EcsTask], starts: Iterable[float]) -> Queueing:
    """Return the queueing with its ECS tasks, and the first start that the latest of them reported."""
    mine = sorted((t for t in ecs_tasks if t.run_id == queueing.run_id), key=lambda t: t.created_at)
    if not mine or mine[-1].started_at is None:
        return replace(queueing, ecs_tasks=tuple(mine))
    # A standby has started earlier: starts of the task's earlier queueings may lie in between.
    begin, end = max(mine[-1].started_at, queueing.queued_at or 0.0), mine[-1].stopped_at
    running_at = next((at for at in starts if at >= begin and (end is None or at <= end)), None)
    return replace(queueing, ecs_tasks=tuple(mine), running_at=running_at)


def read_row(row: tuple[Any, ...]) -> Row:
    """Build a Row from the columns of the queries above."""
    dag_id, task_id, map_index, state, try_number, external_id, scheduled, queued = row
    return Row(
        key=(dag_id, task_id, map_index),
        state=state,
        try_number=try_number,
        external_executor_id=external_id,
        scheduled_at=moment(scheduled),
        queued_at=moment(queued),
    )


def read_ecs_task(task: dict[str, Any]) -> EcsTask:
    """Build an EcsTask from a task as DescribeTasks shows it."""
    containers = task.get("containers") or [{}]
    return EcsTask(
        arn=task["taskArn"],
        run_id=str(task.get("startedBy") or "").rsplit("/", 1)[-1],
        last_status=task["lastStatus"],
        created_at=task["createdAt"],
        started_at=task.get("startedAt"),
        stopped_at=task.get("stoppedAt"),
        exit_code=containers[0].get("exitCode"),
        stopped_reason=task.get("stoppedReason"),
    )


def moment(text: str | None) -> float | None:
    """Convert SQLite's text form of a UTC time to seconds since the epoch."""
    if text is None:
        return None
    parsed = datetime.fromisoformat(text)
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=timezone.utc)).timestamp()
