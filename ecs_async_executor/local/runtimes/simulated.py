"""Simulates tasks: a launch computes the task's whole timeline, and nothing runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecs_async_executor.local.state.lifecycle import host_lost, planned, stop_of, stopped

if TYPE_CHECKING:
    from ecs_async_executor.local.state.store import Task


class SimulatedRuntime:
    """Simulates tasks at no cost while they live, so tens of thousands are fine."""

    def start(self, task: Task, now: float) -> None:
        """Plan the task's whole timeline."""
        timeout = task.definition.stop_timeout_of(task.main)
        task.timeline = planned(now, task.course, task.containers, task.main, timeout)

    def stop(self, task: Task, now: float, verdict: tuple[str, str]) -> None:
        """Replan the rest of the timeline."""
        timeout = task.definition.stop_timeout_of(task.main)
        task.timeline = stopped(task.timeline, stop_of(task.course, now, verdict, timeout))

    def lose_host(self, task: Task, now: float) -> None:
        """End the task now, without exit codes."""
        task.timeline = stopped(task.timeline, host_lost(now))

    def give_s3(self, url: str, region: str) -> None:
        """Do nothing, because nothing runs."""

    def kill_all(self) -> None:
        """Do nothing, because nothing runs."""

    async def close(self) -> None:
        """Do nothing, because nothing runs."""
