"""Launches runs: at most `concurrency` RunTask calls are in flight; a free slot takes the best queued run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import anyio
from anyio.abc import TaskGroup

from ecs_async_executor.engine.admission.calls import Calls, Permit
from ecs_async_executor.engine.admission.rate_limits import Action
from ecs_async_executor.engine.diagnosis.call_failures import (
    CallError,
    Failure,
    Kind,
    classify_run_task_failure,
)
from ecs_async_executor.engine.diagnosis.origins import located
from ecs_async_executor.engine.options import EngineOptions
from ecs_async_executor.engine.state.entry import Entry
from ecs_async_executor.engine.state.ledger import Ledger
from ecs_async_executor.engine.state.terminal_reports import LOST_REMEDY
from ecs_async_executor.engine.workers.recovery import TaskSearch, is_refused_replay
from ecs_async_executor.engine.workers.requests import STOPPED, Requests, raise_if_stopped
from ecs_async_executor.engine.workers.wakeup import Wakeup
from ecs_async_executor.messages import Diagnosis, Recovery, Request

SEARCHES = 10
"""The most ListTasks calls in flight for runs that are only searched for; these take no launch slot."""
_SEARCHED = frozenset({Recovery.SEARCH_ONLY, Recovery.SEARCH})

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
        LOST_REMEDY,
    ),
)


class Launcher:
    """The only caller of RunTask."""

    def __init__(  # noqa: PLR0913  a launch needs these parts of the engine
        self,
        ledger: Ledger,
        calls: Calls,
        requests: Requests,
        search: TaskSearch,
        options: EngineOptions,
        *,
        on_change: Callable[[], None],
    ) -> None:
        self._ledger = ledger
        self._calls = calls
        self._requests = requests
        self._task_search = search
        self._slots = anyio.Semaphore(options.concurrency)
        self._searches = anyio.Semaphore(SEARCHES)
        self.wakeup = Wakeup()
        """Notified when a run enters the queue."""
        self.stopping = False
        """True: start no more launches."""
        self._on_change = on_change

    def wake(self) -> None:
        """Wake the loop if the queue now has an earlier due time."""
        self.wakeup.notify_at(self._ledger.launches.next_at(anyio.current_time()))

    async def run(self, tasks: TaskGroup) -> None:
        """Launch until cancelled. A run is chosen only when its call can be made at once: priorities hold."""
        while True:
            await self._wait_for_work()
            await self._slots.acquire()
            permit = await self._calls.permit(Action.RUN_TASK)
            entry = None if self.stopping else self._ledger.take(anyio.current_time())
            if entry is None:
                self._calls.give_back(permit)
                self._slots.release()
            else:
                tasks.start_soon(self._launch, entry, permit)

    async def _wait_for_work(self) -> None:
        while True:
            now = anyio.current_time()
            next_at = None if self.stopping else self._ledger.launches.next_at(now)
            if next_at is not None and next_at <= now:
                return
            await self.wakeup.wait(next_at)

    async def _launch(self, entry: Entry, permit: Permit) -> None:
        if self.stopping:
            self._ledger.forget(entry.run_id)  # so that a closing engine doesn't wait for it
        if not self._ledger.holds(entry):
            self._calls.give_back(permit)
            self._slots.release()
            self._on_change()
            return
        if entry.recovery in _SEARCHED or entry.stop_reason is not None or entry.fault is not None:
            self._calls.give_back(permit)
            self._slots.release()
            self._leave_sending(entry)
            await self._search(entry)
            return
        try:
            await self._requests.run_step(entry, partial(self._run_task, permit))
        finally:
            self._slots.release()
            self._on_change()

    def _leave_sending(self, entry: Entry) -> None:
        """Stop counting this run as an in-flight RunTask."""
        self._ledger.prepare(entry)
        self._on_change()

    async def _search(self, entry: Entry) -> None:
        """Search for the task of a launch that may have been sent."""
        async with self._searches:
            if self.stopping:
                self._ledger.forget(entry.run_id)
            else:
                await self._requests.run_step(entry, self._find)
        self._on_change()

    async def _find(self, entry: Entry) -> str | None:
        """Return the ARN of the task found, or None if the run must be sent after all; raises `CallError`."""
        if entry.stop_reason is not None:
            # Sending it again just to be able to stop it could run its code.
            return await self._task_search.find(STOPPED, entry)
        if entry.recovery is Recovery.SEARCH_ONLY:
            return await self._task_search.find(_NOT_FOUND, entry)
        if entry.fault is not None:
            return await self._task_search.find(entry.fault, entry)
        if arns := await self._task_search.search(entry):
            return arns[0]
        self._ledger.prepared(entry, anyio.current_time())
        return None

    async def _run_task(self, permit: Permit, entry: Entry) -> str | None:
        """Return the ARN of the task that this clientToken has started, now or earlier.

        None if something else has to happen before the send, so the run waits again. Raises `CallError`.
        """
        try:
            # A request that is ready is sent without waiting, so nothing can happen to the run in between.
            request = self._request(entry, permit)
            if request.settle is not None:
                self._calls.give_back(permit)
                self._leave_sending(entry)
                await self._requests.settle(entry)
                raise_if_stopped(entry)
                self._ledger.prepared(entry, anyio.current_time())
                return None
            if request.payload is not None:
                is_free = self._ledger.must_put(entry, anyio.current_time())
                (self._calls.give_back if is_free else self._calls.discard)(permit)
                return None
            return await self._send(permit, entry, request)
        except CallError as error:
            if error.failure.kind is Kind.EXISTS or is_refused_replay(entry, error.failure):
                self._leave_sending(entry)
                return await self._task_search.find(error.failure, entry)
            raise

    def _request(self, entry: Entry, permit: Permit) -> Request:
        try:
            return self._requests.request(entry)
        except CallError:
            self._calls.give_back(permit)
            raise

    async def _send(self, permit: Permit, entry: Entry, request: Request) -> str:
        before, entry.sent = entry.sent, True
        try:
            return await self._call(permit, self._requests.body(entry, request))
        except CallError as error:
            if error.failure.is_unknown_outcome:
                entry.sent_at = anyio.current_time()
            elif error.failure.kind is not Kind.EXISTS:  # it has definitely started nothing
                entry.sent = before
            region = self._calls.client.region
            raise CallError(located(error.failure, request.cluster, region, request)) from error

    async def _call(self, permit: Permit, body: Mapping[str, Any]) -> str:
        answer = await self._calls.make(permit, lambda: self._calls.client.run_task(body))
        if answer.tasks:
            return answer.tasks[0].task_arn
        raise CallError(classify_run_task_failure(answer.failures[0]) if answer.failures else _EMPTY_ANSWER)
