"""Wakes a worker that waits for work."""

from __future__ import annotations

from collections.abc import Callable, Sized

import anyio


class Wakeup:
    """Lets one coroutine wait: `notify()` wakes it, or ends the next `wait` at once if nobody waits."""

    def __init__(self) -> None:
        self._event = anyio.Event()
        self._until = float("-inf")
        """When the waiter wakes by itself; minus infinity if nobody waits."""

    def notify(self) -> None:
        """Wake the waiter."""
        self._event.set()

    def notify_at(self, at: float | None) -> None:
        """Wake the waiter if it would sleep past `at`, when work is due; None means that none is."""
        if at is not None and at < self._until:
            self.notify()

    async def wait(self, until: float | None) -> None:
        """Wait for a notification, but only until this time of the loop's clock."""
        self._until = float("inf") if until is None else until
        with anyio.move_on_after(max(0.0, self._until - anyio.current_time())):
            await self._event.wait()
        self._until = float("-inf")
        self._event = anyio.Event()

    async def wait_until_due(self, next_at: Callable[[], float | None]) -> None:
        """Wait until work is due; `next_at` returns when the next piece is, or None if there is none."""
        while (at := next_at()) is None or at > anyio.current_time():
            await self.wait(at)

    async def wait_while_empty(self, queue: Sized) -> None:
        """Wait until the queue holds work."""
        while not queue:
            await self.wait(None)
