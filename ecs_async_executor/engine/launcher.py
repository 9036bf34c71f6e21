"""Launches runs: at most `concurrency` RunTask calls in flight, the best run of the queue at each free place."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import anyio
from anyio.abc import TaskGroup

from ecs_async_executor.engine.attempts import STOPPED, Attempts, raise_if_stopped
from ecs_async_executor.engine.bell import Bell
from ecs_async_executor.engine.calls import CallError, Calls, Pass
from ecs_async_executor.engine.entry import Entry
from ecs_async_executor.engine.failures import Failure, Kind, classify_run_task_failure
from ecs_async_executor.engine.finder import Finder, is_refused_replay
from ecs_async_executor.engine.governor import Action
from ecs_async_executor.engine.ledger import Ledger
from ecs_async_executor.engine.messages import Diagnosis, Recovery, Request
from ecs_async_executor.engine.options import EngineOptions

SEARCHES = 10
"""ListTasks calls in flight at once for runs that are only looked for: they take no place of a launch."""

_EMPTY_ANSWER = Failure(
    Kind.UNKNOWN,
    Diagnosis(
        "RunTask answered with neither a task nor a failure.", remedy="Nothing to do: it is asked again."
    ),
)
_NOT_FOUND = Failure(
    Kind.NOT_FOUND,
    Diagnosis(
        "ECS has no running task of this run.",
        "ListTasks finds none",
        "It ended while no scheduler was looking: see its log.",
    ),
)


class Launcher:
    """The only place that calls RunTask."""

    def __init__(  # noqa: PLR0913  the parts of the engine that a launch needs
        self,
        ledger: Ledger,
        calls: Calls,
        attempts: Attempts,
        finder: Finder,
        options: EngineOptions,
        *,
        landed: Callable[[], None],
    ) -> None:
        self._ledger = ledger
        self._calls = calls
        self._attempts = attempts
        self._finder = finder
        self._places = anyio.Semaphore(options.concurrency)
        self._searches = anyio.Semaphore(SEARCHES)
        self.bell = Bell()
        """Rung when a run comes into the queue."""
        self.stopping = False
        """True: start no further launch."""
        self._landed = landed

    async def run(self, tasks: TaskGroup) -> None:
        """Launch until cancelled. The run is chosen last, when its call can be made at once: priorities hold."""
        while True:
            await self._wait_for_work()
            await self._places.acquire()
            leave = await self._calls.leave(Action.RUN_TASK)
            entry = None if self.stopping else self._ledger.take(anyio.current_time())
            if entry is None:
                self._calls.unused(leave)
                self._places.release()
            else:
                tasks.start_soon(self._launch, entry, leave)

    async def _wait_for_work(self) -> None:
        while True:
            now = anyio.current_time()
            next_at = None if self.stopping else self._ledger.launches.next_at(now)
            if next_at is not None and next_at <= now:
                return
            await self.bell.wait(next_at)

    async def _launch(self, entry: Entry, leave: Pass) -> None:
        if entry.recovery is Recovery.FIND or entry.stop_reason is not None:
            self._calls.unused(leave)
            self._places.release()
            await self._search(entry)
            return
        try:
            await self._attempts.make(entry, partial(self._run_task, leave))
        finally:
            self._places.release()
            self._landed()

    async def _search(self, entry: Entry) -> None:
        """Look for what may have been sent. Sending it again to be able to stop it could run its code."""
        refusal = _NOT_FOUND if entry.recovery is Recovery.FIND else STOPPED
        async with self._searches:
            if self.stopping:
                self._ledger.forget(entry.run_id)  # so that nobody waits for those still in line
            else:
                await self._attempts.make(entry, partial(self._finder.find, refusal))
        self._landed()

    async def _run_task(self, leave: Pass, entry: Entry, request: Request) -> str | None:
        """Give the ARN of the task that this clientToken has started, now or before.

        None if something must be put into S3 first, or the run was forgotten. Raises `CallError`.
        """
        try:
            if entry.recovery is Recovery.LOOK or request.settle is not None:
                self._calls.unused(leave)  # what is asked first takes time, and a leave is for now
                if entry.recovery is Recovery.LOOK and (arns := await self._finder.look(entry, request)):
                    return arns[0]
                request = await self._attempts.settle(entry, request)
                leave = await self._calls.leave(Action.RUN_TASK)
            if self._may_be_sent(entry, request):
                return await self._send(leave, entry, request)
            self._calls.unused(leave)
            raise_if_stopped(entry)
        except CallError as error:
            if error.failure.kind is Kind.EXISTS or is_refused_replay(entry, error.failure):
                return await self._finder.find(error.failure, entry, request)
            raise
        self._ledger.must_put(entry, anyio.current_time())
        return None

    def _may_be_sent(self, entry: Entry, request: Request) -> bool:
        return request.payload is None and entry.stop_reason is None and self._ledger.holds(entry)

    async def _send(self, leave: Pass, entry: Entry, request: Request) -> str:
        entry.sent = True
        body = self._attempts.body(entry, request)
        answer = await self._calls.make(leave, lambda: self._calls.client.run_task(body))
        if answer.tasks:
            return answer.tasks[0].task_arn
        raise CallError(classify_run_task_failure(answer.failures[0]) if answer.failures else _EMPTY_ANSWER)
