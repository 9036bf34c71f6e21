"""A bell for one waiting task of the loop."""

from __future__ import annotations

import anyio


class Bell:
    """`ring()` wakes the waiter, or the next one if nobody waits."""

    def __init__(self) -> None:
        self._event = anyio.Event()

    def ring(self) -> None:
        """Wake the waiter."""
        self._event.set()

    async def wait(self, until: float | None) -> None:
        """Wait for the bell, or until this time of the loop's clock."""
        timeout = float("inf") if until is None else until - anyio.current_time()
        with anyio.move_on_after(max(0.0, timeout)):
            await self._event.wait()
        self._event = anyio.Event()
