"""Watches launched tasks: DescribeTasks of what is due, a hundred at a time, the longest overdue first."""

from __future__ import annotations

from collections.abc import Callable

import anyio
import anyio.lowlevel
from anyio.abc import TaskGroup

from ecs_async_executor.engine.admission.calls import Calls, Emit, Permit
from ecs_async_executor.engine.admission.rate_limits import Action
from ecs_async_executor.engine.diagnosis.call_failures import CallError, Kind
from ecs_async_executor.engine.options import EngineOptions
from ecs_async_executor.engine.responses import Tasks
from ecs_async_executor.engine.state.entry import Entry
from ecs_async_executor.engine.state.ledger import Ledger
from ecs_async_executor.engine.workers.wakeup import Wakeup
from ecs_async_executor.messages import Report

BATCH = 100
"""Tasks a DescribeTasks call may name (ECS API reference)."""
SLICE = 50
"""Tasks of an answer that are dealt with before others get their turn in the loop."""
CALLS = 10
"""DescribeTasks calls in flight at once."""


class Watcher:
    """The only place that calls DescribeTasks."""

    def __init__(
        self,
        ledger: Ledger,
        calls: Calls,
        emit: Emit,
        options: EngineOptions,
        *,
        on_change: Callable[[], None],
    ) -> None:
        self._ledger = ledger
        self._calls = calls
        self._emit = emit
        self._options = options
        self._on_change = on_change
        self._slots = anyio.Semaphore(CALLS, fast_acquire=True)  # without a turn of the loop
        # What is due within this time comes along, so that calls are full; a look too early costs no call.
        self._ahead = options.poll_interval / 2
        self.wakeup = Wakeup()
        """Rung when a task comes onto the due list."""

    async def run(self, tasks: TaskGroup) -> None:
        """Watch until cancelled."""
        while True:
            await self._wait_for_work()
            await self._slots.acquire()
            permit = await self._calls.permit(Action.DESCRIBE_TASKS)
            batch = self._ledger.due.take(anyio.current_time() + self._ahead, limit=BATCH)
            if batch:
                tasks.start_soon(self._describe, batch, permit)
            else:
                self._calls.give_back(permit)
                self._slots.release()

    async def _wait_for_work(self) -> None:
        while True:
            next_at = self._ledger.due.next_at()
            if next_at is not None and next_at <= anyio.current_time():
                return
            await self.wakeup.wait(next_at)

    async def _describe(self, batch: list[Entry], permit: Permit) -> None:
        cluster = batch[0].cluster
        arns = list(dict.fromkeys(entry.arn for entry in batch))
        try:
            answer = await self._calls.make(
                permit,
                lambda: self._calls.client.describe_tasks(cluster, arns),
                f"DescribeTasks of {len(arns)} tasks",
            )
        except CallError as error:
            if error.failure.kind is Kind.NOT_FOUND:
                # A cluster can be deleted only when all of its tasks are gone.
                await self._apply(batch, Tasks())
                return
            for entry in batch:
                self._ledger.poll_again(entry, anyio.current_time())
        else:
            await self._apply(batch, answer)
        finally:
            self._slots.release()
            self._on_change()

    async def _apply(self, batch: list[Entry], answer: Tasks) -> None:
        seen = {task.task_arn: task for task in answer.tasks}
        for start in range(0, len(batch), SLICE):
            await anyio.lowlevel.checkpoint()
            now = anyio.current_time()
            for entry in batch[start : start + SLICE]:
                if entry.arn in seen:
                    self._report(self._ledger.described(entry, seen[entry.arn], now))
        # The rest is MISSING, or its record could not be read.
        now = anyio.current_time()
        unseen = [entry for entry in batch if entry.arn not in seen and self._ledger.not_seen(entry, now)]
        self._on_change()  # the others are due again while ListTasks is asked, one call at a time
        for entry in unseen:
            await self._ask_list_tasks(entry)

    async def _ask_list_tasks(self, entry: Entry) -> None:
        """Give a task up only if ListTasks does not know it either."""
        if not entry.listed:
            self._report(self._ledger.not_listed(entry, anyio.current_time(), asked=False))
            return
        permit = await self._calls.permit(Action.LIST_TASKS)
        started_by = f"{self._options.started_by}/{entry.run_id}"
        try:
            arns = await self._calls.make(
                permit,
                lambda: self._calls.client.list_tasks_started_by(entry.cluster, started_by),
                f"ListTasks for {entry.label}",
            )
        except CallError as error:
            asked = error.failure.kind is Kind.NOT_FOUND
            self._report(self._ledger.not_listed(entry, anyio.current_time(), asked=asked))
            return
        if entry.arn in arns:
            self._ledger.poll_again(entry, anyio.current_time())
        else:
            self._report(self._ledger.not_listed(entry, anyio.current_time(), asked=True))

    def _report(self, reports: list[Report]) -> None:
        for report in reports:
            self._emit(report)
