"""The state of Airflow and ECS at one moment. All times are seconds since the epoch."""

from __future__ import annotations

from dataclasses import dataclass

FINISHED_RUN = frozenset({"success", "failed"})


@dataclass(frozen=True)
class EcsTask:
    """An ECS task, as DescribeTasks shows it.

    `run_id` is the last part of its `startedBy`, or, for a standby, what the queueing is called that took it.
    """

    arn: str
    run_id: str
    last_status: str
    created_at: float
    started_at: float | None = None
    stopped_at: float | None = None
    exit_code: int | None = None
    stopped_reason: str | None = None

    @property
    def short_id(self) -> str:
        """The ARN's last part."""
        return self.arn.rsplit("/", 1)[-1]


@dataclass(frozen=True)
class Queueing:
    """One queueing of a task instance, and the ECS tasks launched for it (one, unless something failed)."""

    run_id: str
    try_number: int
    scheduled_at: float | None
    queued_at: float | None
    running_at: float | None
    ecs_tasks: tuple[EcsTask, ...] = ()


@dataclass(frozen=True)
class TaskInstance:
    """A task instance with all its queueings, oldest first; `current` is the run id of the latest."""

    dag_id: str
    task_id: str
    map_index: int
    state: str | None
    try_number: int
    scheduled_at: float | None = None
    queued_at: float | None = None
    current: str | None = None
    queueings: tuple[Queueing, ...] = ()

    @property
    def name(self) -> str:
        """The name: `task` or, for a mapped task, `task[3]`."""
        return self.task_id if self.map_index < 0 else f"{self.task_id}[{self.map_index}]"

    @property
    def ecs_tasks(self) -> tuple[EcsTask, ...]:
        """All its ECS tasks, oldest first."""
        found = (ecs_task for queueing in self.queueings for ecs_task in queueing.ecs_tasks)
        return tuple(sorted(found, key=lambda ecs_task: ecs_task.created_at))


@dataclass(frozen=True)
class DagRun:
    """A Dag run."""

    dag_id: str
    state: str


@dataclass(frozen=True)
class Snapshot:
    """Every Dag run and task instance at one moment."""

    at: float
    dag_runs: tuple[DagRun, ...] = ()
    tasks: tuple[TaskInstance, ...] = ()

    def tasks_of(self, dag_id: str) -> tuple[TaskInstance, ...]:
        """Return the task instances of one Dag."""
        return tuple(task for task in self.tasks if task.dag_id == dag_id)

    @property
    def is_over(self) -> bool:
        """Whether every Dag run has ended and every ECS task has stopped."""
        return all(run.state in FINISHED_RUN for run in self.dag_runs) and all(
            ecs_task.stopped_at is not None for task in self.tasks for ecs_task in task.ecs_tasks
        )
