"""Stops tasks: calls StopTask for every run the ledger wants stopped, ahead of all launches."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import anyio
from anyio.abc import TaskGroup

from ecs_async_executor.backoff import Random, backoff
from ecs_async_executor.engine.admission.calls import Calls, Permit
from ecs_async_executor.engine.admission.rate_limits import Action
from ecs_async_executor.engine.diagnosis.call_failures import CallError
from ecs_async_executor.engine.state.entry import Entry
from ecs_async_executor.engine.state.ledger import Ledger
from ecs_async_executor.engine.workers.wakeup import Wakeup

CALLS = 20
"""The most StopTask calls in flight at once."""
LONGEST_USUAL_WAIT = 60.0
"""Seconds, at most, from a failed call to the next one."""
LONGEST_WAIT = 600.0
"""Seconds, at most, while DescribeTasks doesn't know the task either: thousands of them must not use up the rate."""


class Stopper:
    """The only caller of StopTask."""

    def __init__(
        self, ledger: Ledger, calls: Calls, random: Random, *, on_change: Callable[[], None]
    ) -> None:
        self._ledger = ledger
        self._calls = calls
        self._random = random
        self._on_change = on_change
        self._slots = anyio.Semaphore(CALLS)
        self.wakeup = Wakeup()
        """Notified when a task must be stopped."""

    async def run(self, tasks: TaskGroup) -> None:
        """Stop tasks until cancelled."""
        while True:
            await self.wakeup.wait_while_empty(self._ledger.stops)
            await self._slots.acquire()
            tasks.start_soon(self._stop, self._ledger.stops.popleft())

    async def _stop(self, entry: Entry) -> None:
        """Call StopTask until ECS accepts it, or the run has ended or was forgotten. Takes over the caller's slot."""
        for attempt in count(1):
            try:
                if await self._is_settled(entry):
                    return
            finally:
                self._slots.release()  # while it waits: tasks that can't be stopped must not hold up others
            is_gone = self._ledger.is_missing_for_long(entry, anyio.current_time())
            cap = LONGEST_WAIT if is_gone else LONGEST_USUAL_WAIT
            await anyio.sleep(backoff(attempt, base=1.0, cap=cap, random=self._random))
            await self._slots.acquire()

    async def _is_settled(self, entry: Entry) -> bool:
        with await self._calls.permit(Action.STOP_TASK) as permit:
            if not self._ledger.holds(entry):
                return True
            if not await self._is_accepted(entry, permit):
                return False
        self._ledger.stop_accepted(entry, anyio.current_time())
        self._on_change()
        return True

    async def _is_accepted(self, entry: Entry, permit: Permit) -> bool:
        try:
            await self._calls.make(
                permit,
                lambda: self._calls.client.stop_task(entry.cluster, entry.arn, entry.stop_reason or ""),
                f"StopTask for {entry.label}",
            )
        except CallError:
            return False  # `Calls` has logged it
        return True
