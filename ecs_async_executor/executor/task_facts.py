"""What the tags of a task may name: what its workload says, and the owners of Dags as far as they were seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.executors.workloads import ExecuteTask
from airflow.models.dag import DagModel
from airflow.utils.types import DagRunType

from ecs_async_executor.config.task_tags import TaskFacts

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

_OF_CALLBACKS = "executor_callbacks"
"""The first part of a callback's log path; its Dag and Dag run follow (`ExecuteCallback.make`)."""


class DagOwners:
    """The owners of Dags, by Dag: workloads don't name them. It never asks the database; any thread may use it."""

    def __init__(self) -> None:
        self._owners: dict[str, str] = {}

    def note_workload(self, workload: Any, session: Session) -> None:
        """Take the owners from the Dag's row if the scheduler has loaded it in this session, as it does to queue a task."""
        if not isinstance(workload, ExecuteTask):
            return
        dag_id = workload.ti.dag_id
        dag = session.identity_map.get(DagModel.__mapper__.identity_key_from_primary_key((dag_id,)))
        if dag is not None and "owners" in dag.__dict__:  # asking for one that isn't loaded is a query
            self.note(dag_id, dag.owners)

    def note(self, dag_id: str, owners: str | None) -> None:
        """Take the owners as Airflow keeps them: names, separated by commas, in any order."""
        names = {name.strip() for name in (owners or "").split(",")}
        self._owners[dag_id] = "+".join(sorted(names - {""}))

    def of(self, dag_id: str) -> str:
        """Return the owners; empty if they aren't known."""
        return self._owners.get(dag_id, "")


def facts_of(workload: Any, team: str | None, owners: DagOwners) -> TaskFacts:
    """Return what is known about the task, or the callback, of a workload."""
    bundle = str(workload.bundle_info.name or "")
    if isinstance(workload, ExecuteTask):
        ti = workload.ti
        dag_id, run_id, task_id, queue = ti.dag_id, ti.run_id, ti.task_id, ti.queue
    else:
        (dag_id, run_id), task_id, queue = _of_callback(workload.log_path), "", ""
    return TaskFacts(
        bundle=bundle,
        dag_id=dag_id,
        owner=owners.of(dag_id),
        queue=queue,
        run_id=run_id,
        run_type=DagRunType.from_run_id(run_id).value if run_id else "",
        task_id=task_id,
        team=team or "",
    )


def _of_callback(log_path: str | None) -> tuple[str, str]:
    """Return the Dag and the Dag run in `executor_callbacks/<Dag>/<Dag run>/<callback>`; empty if it isn't such a path."""
    first, *names = (log_path or "").split("/")
    return (names[0], "/".join(names[1:-1])) if first == _OF_CALLBACKS and len(names) > 2 else ("", "")
