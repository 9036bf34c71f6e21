"""What tests ask of the local ECS beyond its control."""

from __future__ import annotations

from typing import Any

from ecs_async_executor.local import Control


def live(ecs: Control) -> list[dict[str, Any]]:
    """Give the tasks that nobody has stopped and that have not ended."""
    return [task for task in ecs.tasks() if task["desiredStatus"] == "RUNNING"]


def end_all(ecs: Control) -> None:
    """Let every task die with its host."""
    for task in live(ecs):
        ecs.interrupt(task["taskArn"], "host")


def hide_ends(ecs: Control) -> None:
    """Let DescribeTasks fail until the conditions are cleared, so that a test decides when an end is seen."""
    ecs.add_fault("server_error", action="DescribeTasks")
