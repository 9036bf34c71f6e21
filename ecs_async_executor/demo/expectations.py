"""How the example Dags should end, and whether they did. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ecs_async_executor.demo.snapshot import EcsTask, Snapshot, TaskInstance


@dataclass(frozen=True)
class Expected:
    """How each instance of a task should end, and after how many ECS tasks."""

    state: str = "success"
    ecs_tasks: int = 1
    instances: int = 1

    def __str__(self) -> str:
        """Return the text that complaints use."""
        return f"{self.state} after {_ecs_tasks(self.ecs_tasks)}"

    def fits(self, task: TaskInstance) -> bool:
        """Tell whether a task instance ended like this."""
        return (task.state, len(task.ecs_tasks)) == (self.state, self.ecs_tasks)


def _ecs_tasks(count: int) -> str:
    return f"{count} ECS task{'' if count == 1 else 's'}"


EXPECTED: Mapping[str, Mapping[str, Expected]] = {
    "waiting": {
        "deferred": Expected(ecs_tasks=2),  # one to begin, one to resume
        "rescheduled": Expected(ecs_tasks=2),  # one per poke
        "go": Expected(),
    },
    "fan_out": {
        "numbers": Expected(),
        "square": Expected(instances=12),
        "total": Expected(),
    },
    "retry": {
        "fails_once": Expected(ecs_tasks=2),  # one per try
    },
    "killed": {
        "killed_once": Expected(ecs_tasks=2),  # the first one's container is killed
    },
    "branching": {
        "choose": Expected(),
        "taken": Expected(),
        "not_taken": Expected(state="skipped", ecs_tasks=0),
        "join": Expected(),
    },
    "queues": {
        "light": Expected(),
        "heavy": Expected(),
    },
}

LONG_RUN = "counting"
"""The Dag for users who continue with the demo: it runs for ten minutes."""
TASK_INSTANCES = sum(task.instances for tasks in EXPECTED.values() for task in tasks.values())


@dataclass(frozen=True)
class Complaint:
    """A sentence about a deviation, and the ECS tasks of the task concerned."""

    text: str
    ecs_tasks: tuple[EcsTask, ...] = ()


def complaints(
    snapshot: Snapshot, expectations: Mapping[str, Mapping[str, Expected]] = EXPECTED
) -> tuple[Complaint, ...]:
    """Return every deviation from the expectations."""
    states = {run.dag_id: run.state for run in snapshot.dag_runs}
    found: list[Complaint] = []
    for dag_id, expected_tasks in expectations.items():
        if states.get(dag_id) != "success":
            found.append(
                Complaint(f"{dag_id}: the Dag run is {states.get(dag_id, 'missing')}, expected success")
            )
        tasks = snapshot.tasks_of(dag_id)
        for task in tasks:
            expected = expected_tasks.get(task.task_id)
            if expected is None or not expected.fits(task):
                found.append(_complaint(task, expected))
        for task_id, expected in expected_tasks.items():
            instances = sum(task.task_id == task_id for task in tasks)
            if instances != expected.instances:
                found.append(
                    Complaint(f"{dag_id}.{task_id}: {instances} instances, expected {expected.instances}")
                )
    return tuple(found)


def _complaint(task: TaskInstance, expected: Expected | None) -> Complaint:
    outcome = f"{task.state or 'waiting'} after {_ecs_tasks(len(task.ecs_tasks))}"
    stops = "; ".join(_how_it_stopped(ecs_task) for ecs_task in task.ecs_tasks)
    text = f"{task.dag_id}.{task.name}: {outcome}, expected {expected or 'no such task'}"
    return Complaint(f"{text} ({stops})" if stops else text, task.ecs_tasks)


def _how_it_stopped(ecs_task: EcsTask) -> str:
    code = "no exit code" if ecs_task.exit_code is None else f"exit code {ecs_task.exit_code}"
    return f"{ecs_task.short_id} {ecs_task.last_status}, {code}, {ecs_task.stopped_reason or 'no reason yet'}"
