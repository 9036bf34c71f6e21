"""What runs a task: the interface of the runtimes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ecs_async_executor.local.state.store import Task


class Runtime(Protocol):
    """Advances a task's timeline. All methods except `close` return at once; `now` is in epoch seconds."""

    def start(self, task: Task, now: float) -> None:
        """Start a task."""

    def stop(self, task: Task, now: float, verdict: tuple[str, str]) -> None:
        """Stop a task with the stopCode and stoppedReason in `verdict`; repeating this has no effect."""

    def lose_host(self, task: Task, now: float) -> None:
        """End a task as if its host had gone: no SIGTERM, no exit codes."""

    def kill_all(self) -> None:
        """Kill every task at once, whatever its timeline."""

    async def close(self) -> None:
        """Kill everything and wait until it has ended."""
