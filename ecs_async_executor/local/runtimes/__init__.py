"""What makes tasks live: real processes, or a plan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ecs_async_executor.local.store import Task


class Runtime(Protocol):
    """Moves a task's timeline. Every method but `close` returns at once; `now` is in epoch seconds."""

    def start(self, task: Task, now: float) -> None:
        """Begin a task's life."""

    def stop(self, task: Task, now: float, verdict: tuple[str, str]) -> None:
        """End it from outside, for the stopCode and stoppedReason of `verdict`; once is as good as twice."""

    def lose_host(self, task: Task, now: float) -> None:
        """End it without a trace: no SIGTERM, no exit codes."""

    def kill_all(self) -> None:
        """End every task at once, without regard for its timeline."""

    async def close(self) -> None:
        """End everything and wait for it."""
