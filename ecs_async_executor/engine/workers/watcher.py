"""Polls launched tasks with DescribeTasks: those that are due, a hundred at a time, longest overdue first."""

from __future__ import annotations

from collections.abc import Callable

import anyio
import anyio.lowlevel
from anyio.abc import TaskGroup

from ecs_async_executor.engine.admission.calls import Calls, Emit, Permit
from ecs_async_executor.engine.admission.rate_limits import Action
from ecs_async_executor.engine.diagnosis.call_failures import CallError, Failure, Kind
from ecs_async_executor.engine.measuring.launches import Launches
from ecs_async_executor.engine.responses import Tasks
from ecs_async_executor.engine.state.entry import Entry
from ecs_async_executor.engine.state.ledger import Ledger
from ecs_async_executor.engine.workers.recovery import TaskSearch
from ecs_async_executor.engine.workers.wakeup import Wakeup
from ecs_async_executor.messages import Report

BATCH = 100
"""The most tasks that a DescribeTasks call may name (ECS API reference)."""
SLICE = 50
"""How many tasks of an answer the watcher handles before it yields to the loop."""
CALLS = 10
"""The most DescribeTasks calls in flight at once."""


class Watcher:
    """The only caller of DescribeTasks."""

    def __init__(  # noqa: PLR0913  a poll needs these parts of the engine
        self,
        ledger: Ledger,
        calls: Calls,
        emit: Emit,
        search: TaskSearch,
        *,
        poll_interval: float,
        on_change: Callable[[], None],
    ) -> None:
        self._ledger = ledger
        self._calls = calls
        self._emit = emit
        self._task_search = search
        self._on_change = on_change
        self._measured = Launches(calls.measurements)
        self._slots = anyio.Semaphore(CALLS, fast_acquire=True)  # doesn't yield to the loop
        # A call is filled with tasks that are due within this time: polling them early costs no extra call.
        self._ahead = poll_interval / 2
        self.wakeup = Wakeup()
        """Notified when a task joins the poll schedule."""

    async def run(self, tasks: TaskGroup) -> None:
        """Poll until cancelled."""
        while True:
            await self.wakeup.wait_until_due(self._ledger.due.next_at)
            await self._slots.acquire()
            permit = await self._calls.permit(Action.DESCRIBE_TASKS)
            batch = self._ledger.due.take(anyio.current_time() + self._ahead, limit=BATCH)
            if batch:
                tasks.start_soon(self._describe, batch, permit)
            else:
                permit.give_back()
                self._slots.release()

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
                # A cluster can be deleted only after all of its tasks are gone.
                await self._apply(batch, Tasks())
            else:
                self._apply_failure(batch, error.failure)
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
                if (task := seen.get(entry.arn)) is not None:
                    reports = self._ledger.described(entry, task, now)
                    self._measured.described(entry, task, reports, now)
                    self._report(reports)
        # The rest are MISSING, or their records couldn't be read.
        now = anyio.current_time()
        unseen = [entry for entry in batch if entry.arn not in seen and self._ledger.not_seen(entry, now)]
        self._on_change()  # poll the others again during the ListTasks calls, which come one at a time
        for entry in unseen:
            await self._check_list_tasks(entry)

    def _apply_failure(self, batch: list[Entry], failure: Failure) -> None:
        """Poll all again. Those that ECS won't ever show here are also taken for MISSING.

        These are tasks of another account, Region or cluster, for which ListTasks, too, would answer for the wrong one; and
        adopted ones that IAM denies: its policy may allow only the clusters that this executor launches in.
        """
        now = anyio.current_time()
        if failure.is_elsewhere and any(not entry.task.missing for entry in batch):
            others = f" and {len(batch) - 1} more" if len(batch) > 1 else ""
            text = f"DescribeTasks was refused for {batch[0].arn}{others}. {failure.diagnosis}"
            self._calls.digest.note((Action.DESCRIBE_TASKS, batch[0].place), text, now)
        for entry in batch:
            if not (failure.is_elsewhere or (failure.kind is Kind.DENIED and not entry.listed)):
                self._ledger.poll_again(entry, now)
            elif self._ledger.not_seen(entry, now):
                self._report(self._ledger.not_listed(entry, now, asked=False, refusal=failure))

    async def _check_list_tasks(self, entry: Entry) -> None:
        """Give up on a task only if ListTasks doesn't know it either."""
        if not entry.listed:
            self._report(self._ledger.not_listed(entry, anyio.current_time(), asked=False))
            return
        try:
            arns = await self._task_search.listed(entry)
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
