"""All that is known of a task that went wrong, as text to debug with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from tests.chaos.airflow import Airflow
from tests.chaos.journal import SENT, Line
from tests.chaos.report import Violation

_LOG_LINES = 60


def debug_report(
    violation: Violation, airflow: Airflow, ecs_tasks: Sequence[dict[str, Any]]
) -> Iterator[str]:
    """Its rows, its Audit Log, its containers and what they wrote, and the schedulers' words about all of these."""
    journal = [line for line in airflow.journal if _concerns(line, violation)]
    names = {line.container for line in journal} | set(violation.containers)
    tokens = {line.container for line in journal if line.event == SENT}
    needles = {line.ti_id for line in journal}
    if violation.task is not None:
        yield from airflow.database.debug_report(*violation.task)
        task_id, map_index = violation.task
        needles.add(f"crash_test.{task_id}[{map_index}]")
        needles.add(f"task_id={task_id!r}, run_id={map_index}")
    for task in ecs_tasks:
        if task["taskArn"].rpartition("/")[2] in names or task["clientToken"] in tokens:
            needles |= {task["taskArn"].rpartition("/")[2], task["startedBy"].rpartition("/")[2]}
            yield _container(task)
    for line in journal:
        yield f"{line.at:.3f} journal: {line.event} in {line.container} (try {line.try_number}, id {line.ti_id})"
    yield from _log_lines(airflow, needles)


def _concerns(line: Line, violation: Violation) -> bool:
    return (line.task_id, line.map_index) == violation.task or line.container in violation.containers


def _container(task: dict[str, Any]) -> str:
    container = task["containers"][0]
    times = {name: task[name] for name in ("createdAt", "startedAt", "stoppedAt") if name in task}
    return (
        f"ECS task {task['taskArn'].rpartition('/')[2]} {task['lastStatus']} exit={container.get('exitCode')}"
        f" clientToken={task['clientToken']} startedBy={task['startedBy']} {times}"
        f" {task.get('stopCode', '')} {task.get('stoppedReason', '')}"
    )


def _log_lines(airflow: Airflow, needles: set[str]) -> Iterator[str]:
    found = 0
    for log in sorted(airflow.home.component_logs.glob("scheduler-*.log")):
        for text in log.read_text(errors="replace").splitlines():
            if any(needle in text for needle in needles):
                found += 1
                if found <= _LOG_LINES:
                    yield f"{log.stem}: {text[:400]}"
    if found > _LOG_LINES:
        yield f"... and {found - _LOG_LINES} more lines"
