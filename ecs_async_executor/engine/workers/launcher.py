"""Launches runs: at most `concurrency` RunTask calls in flight, the best run of the queue at each free place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import anyio
from anyio.abc import TaskGroup

from ecs_async_executor.engine.admission.calls import CallError, Calls, Pass
from ecs_async_executor.engine.admission.rate_limits import Action
from ecs_async_executor.engine.diagnosis.call_failures import Failure, Kind, classify_run_task_failure
from ecs_async_executor.engine.diagnosis.origins import located
from ecs_async_executor.engine.options import EngineOptions
from ecs_async_executor.engine.state.entry import Entry
from ecs_async_executor.engine.state.ledger import Ledger
from ecs_async_executor.engine.state.terminal_reports import NOT_SHOWN
from ecs_async_executor.engine.workers.recovery import Finder, is_refused_replay
from ecs_async_executor.engine.workers.requests import STOPPED, Attempts, raise_if_stopped
from ecs_async_executor.engine.workers.wakeup import Bell
from ecs_async_executor.messages import Diagnosis, Recovery, Request

SEARCHES = 10
"""ListTasks calls in flight at once for runs that are only looked for: they take no place of a launch."""
_SEARCHED = frozenset({Recovery.FIND, Recovery.LOOK})

_EMPTY_ANSWER = Failure(
    Kind.UNKNOWN,
    Diagnosis(
        "RunTask answered with neither a task nor a failure.", remedy="Nothing to do: it is asked again."
    ),
)
_NOT_FOUND = Failure(
    Kind.NOT_FOUND,
    Diagnosis(
        "ECS shows no running task of this run.",
        "ListTasks lists none, or can't be asked",
        NOT_SHOWN,
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

    def wake(self) -> None:
        """The queue has changed."""
        self.bell.ring_for(self._ledger.launches.next_at(anyio.current_time()))

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
        if self.stopping:
            self._ledger.forget(entry.run_id)  # so that nobody waits for it
        if not self._ledger.holds(entry):
            self._calls.unused(leave)
            self._places.release()
            self._landed()
            return
        if entry.recovery in _SEARCHED or entry.stop_reason is not None or entry.fault is not None:
            self._calls.unused(leave)
            self._places.release()
            self._asks(entry)
            await self._search(entry)
            return
        try:
            await self._attempts.make(entry, partial(self._run_task, leave))
        finally:
            self._places.release()
            self._landed()

    def _asks(self, entry: Entry) -> None:
        """Let nobody wait for the run any more who only waits for RunTask."""
        self._ledger.asks(entry)
        self._landed()

    async def _search(self, entry: Entry) -> None:
        """Look for what may have been sent."""
        async with self._searches:
            if self.stopping:
                self._ledger.forget(entry.run_id)
            else:
                await self._attempts.make(entry, self._find)
        self._landed()

    async def _find(self, entry: Entry) -> str | None:
        """Give the ARN of the task that is found; None if there is none, and the run is to be sent. Raises `CallError`."""
        if entry.stop_reason is not None:
            # To send it again to be able to stop it could run its code.
            return await self._finder.find(STOPPED, entry)
        if entry.recovery is Recovery.FIND:
            return await self._finder.find(_NOT_FOUND, entry)
        if entry.fault is not None:
            return await self._finder.find(entry.fault, entry)
        if arns := await self._finder.look(entry):
            return arns[0]
        self._ledger.has_asked(entry, anyio.current_time())
        return None

    async def _run_task(self, leave: Pass, entry: Entry) -> str | None:
        """Give the ARN of the task that this clientToken has started, now or before.

        None if the run must wait again, for what comes before its send. Raises `CallError`.
        """
        try:
            # Who can send it does so at once: nothing can happen to the run in between.
            request = self._request(entry, leave)
            if request.settle is not None:
                self._calls.unused(leave)
                self._asks(entry)
                await self._attempts.settle(entry)
                raise_if_stopped(entry)
                self._ledger.has_asked(entry, anyio.current_time())
                return None
            if request.payload is not None:
                is_free = self._ledger.must_put(entry, anyio.current_time())
                (self._calls.unused if is_free else self._calls.wasted)(leave)
                return None
            return await self._send(leave, entry, request)
        except CallError as error:
            if error.failure.kind is Kind.EXISTS or is_refused_replay(entry, error.failure):
                self._asks(entry)
                return await self._finder.find(error.failure, entry)
            raise

    def _request(self, entry: Entry, leave: Pass) -> Request:
        try:
            return self._attempts.request(entry)
        except CallError:
            self._calls.unused(leave)
            raise

    async def _send(self, leave: Pass, entry: Entry, request: Request) -> str:
        before, entry.sent = entry.sent, True
        try:
            return await self._call(leave, self._attempts.body(entry, request))
        except CallError as error:
            if error.failure.is_unclear:
                entry.sent_at = anyio.current_time()
            elif error.failure.kind is not Kind.EXISTS:  # it has started nothing, for sure
                entry.sent = before
            region = self._calls.client.region
            raise CallError(located(error.failure, request.cluster, region, request)) from error

    async def _call(self, leave: Pass, body: Mapping[str, Any]) -> str:
        answer = await self._calls.make(leave, lambda: self._calls.client.run_task(body))
        if answer.tasks:
            return answer.tasks[0].task_arn
        raise CallError(classify_run_task_failure(answer.failures[0]) if answer.failures else _EMPTY_ANSWER)
