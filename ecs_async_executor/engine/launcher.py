"""Launches runs: at most `concurrency` RunTask calls in flight, the best run of the queue at each free place."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any

import anyio
from anyio.abc import TaskGroup

from ecs_async_executor.engine.bell import Bell
from ecs_async_executor.engine.calls import CallError, Calls, Emit, Pass
from ecs_async_executor.engine.clusters import Clusters
from ecs_async_executor.engine.entry import Entry
from ecs_async_executor.engine.failures import Failure, Kind, classify, classify_run_task_failure
from ecs_async_executor.engine.governor import Action
from ecs_async_executor.engine.ledger import Ledger
from ecs_async_executor.engine.messages import Diagnosis, Payload, Recovery, Request
from ecs_async_executor.engine.options import EngineOptions
from ecs_async_executor.engine.s3 import S3Client
from ecs_async_executor.errors import InvalidRequestError

log = logging.getLogger(__name__)

SEARCHES = 10
"""ListTasks calls in flight at once for runs that are only looked for: they take no place of a launch."""

_EMPTY_ANSWER = Failure(
    Kind.UNKNOWN,
    Diagnosis(
        "RunTask answered with neither a task nor a failure.", remedy="Nothing to do: it is asked again."
    ),
)
_STOPPED = Failure(Kind.CONFIGURATION, Diagnosis("The task was stopped before it was launched."))
_NOT_FOUND = Failure(
    Kind.NOT_FOUND,
    Diagnosis(
        "ECS has no running task of this run.",
        "ListTasks finds none",
        "It ended while no scheduler was looking: see its log.",
    ),
)
_REFUSALS = frozenset({Kind.CAPACITY, Kind.CONFIGURATION, Kind.DENIED})


class Launcher:
    """The only place that calls RunTask."""

    def __init__(  # noqa: PLR0913  the parts of the engine that a launch needs
        self,
        ledger: Ledger,
        calls: Calls,
        s3: S3Client,
        emit: Emit,
        options: EngineOptions,
        *,
        landed: Callable[[], None],
    ) -> None:
        self._ledger = ledger
        self._calls = calls
        self._s3 = s3
        self._clusters = Clusters(calls)
        self._emit = emit
        self._options = options
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
            await self._settle(entry, partial(self._run_task, leave))
        finally:
            self._places.release()
            self._landed()

    async def _search(self, entry: Entry) -> None:
        """Look for what may have been sent. Sending it again to be able to stop it could run its code."""
        refusal = _NOT_FOUND if entry.recovery is Recovery.FIND else _STOPPED
        async with self._searches:
            if self.stopping:
                self._ledger.forget(entry.run_id)  # so that nobody waits for those still in line
            else:
                await self._settle(entry, partial(self._find, refusal))
        self._landed()

    async def _settle(self, entry: Entry, get: Callable[[Entry, dict[str, Any]], Awaitable[str]]) -> None:
        """Tell the ledger which task `get` gives, or why it gives none."""
        try:
            assert entry.build is not None  # noqa: S101  a run that waits for its launch has its builder
            request = entry.request = entry.request or _make(entry, entry.build)
            body = self._signed(entry, request)
            cluster = str(body.get("cluster", "default"))
            arn = await get(entry, body)
        except CallError as error:
            outcome = self._ledger.failed(entry, error.failure, anyio.current_time())
        else:
            outcome = self._ledger.launched(entry, arn, cluster, request.container, anyio.current_time())
        for report in outcome:
            self._emit(report)

    def _signed(self, entry: Entry, request: Request) -> dict[str, Any]:
        return {
            **request.body,
            "clientToken": entry.client_token,
            "startedBy": f"{self._options.started_by}/{entry.run_id}",
        }

    async def _run_task(self, leave: Pass, entry: Entry, body: dict[str, Any]) -> str:
        """Give the ARN of the task that this clientToken has started, now or before; raises `CallError`."""
        try:
            if entry.recovery is Recovery.LOOK and (arns := await self._look(entry, body)):
                self._calls.unused(leave)
                return arns[0]
            body = await self._make_ready(entry, body)
        except CallError as error:
            self._calls.unused(leave)
            entry.request = None  # it was not sent: let the next one have a token that is fresh then
            if _is_refused_replay(entry, error):
                return await self._find(error.failure, entry, body)
            raise
        try:
            answer = await self._calls.make(leave, lambda: self._calls.client.run_task(body))
        except CallError as error:
            if error.failure.kind is Kind.EXISTS or _is_refused_replay(entry, error):
                return await self._find(error.failure, entry, body)
            raise
        if answer.tasks:
            return answer.tasks[0].task_arn
        raise CallError(classify_run_task_failure(answer.failures[0]) if answer.failures else _EMPTY_ANSWER)

    async def _make_ready(self, entry: Entry, body: dict[str, Any]) -> dict[str, Any]:
        """Do what a request needs before its first send, and give it as it is sent; raises `CallError`."""
        if entry.request is not None and entry.request.settle is not None:
            strategy = await self._clusters.default_strategy(str(body.get("cluster", "default")))
            entry.request = _make(entry, partial(entry.request.settle, strategy))
            body = self._signed(entry, entry.request)
        if entry.request is not None and entry.request.payload is not None:
            await self._put(entry, entry.request.payload)
            entry.request = replace(entry.request, payload=None)
            if entry.stop_reason is not None:  # meanwhile
                raise CallError(_STOPPED)
        return body

    async def _put(self, entry: Entry, payload: Payload) -> None:
        """Put what the container will fetch."""
        before, entry.stored = entry.stored, payload.url  # even if the answer gets lost
        try:
            await self._s3.put(payload.url, payload.data)
        except CallError as error:
            if error.failure.kind is Kind.CONFIGURATION:
                entry.stored = before
            raise

    async def _find(self, refusal: Failure, entry: Entry, body: dict[str, Any]) -> str:
        """Give the ARN of the task that an earlier send has started; if there is none for sure, raise the refusal."""
        arns = refusal.arns or await self._started_before(entry, body)
        if arns:
            return arns[0]
        age = anyio.current_time() - entry.sent_at
        if entry.unclear and age < self._options.missing_grace:
            # ListTasks is eventually consistent: none yet is not none.
            raise CallError(replace(refusal, kind=Kind.UNKNOWN))
        raise CallError(refusal)

    async def _look(self, entry: Entry, body: dict[str, Any]) -> tuple[str, ...]:
        """Ask what a former scheduler has started."""
        try:
            return await self._started_before(entry, body)
        except CallError as error:
            if error.failure.kind is Kind.DENIED:
                return ()  # the clientToken will tell
            raise

    async def _started_before(self, entry: Entry, body: dict[str, Any]) -> tuple[str, ...]:
        leave = await self._calls.leave(Action.LIST_TASKS)
        cluster, started_by = str(body.get("cluster", "default")), body["startedBy"]
        try:
            return await self._calls.make(
                leave, lambda: self._calls.client.list_tasks_started_by(cluster, started_by)
            )
        except CallError as error:
            kind, waited = error.failure.kind, anyio.current_time() - entry.sent_at
            if kind is Kind.NOT_FOUND or (entry.unclear and waited >= self._options.list_timeout):
                return ()
            if kind is Kind.DENIED and entry.recovery is Recovery.LOOK and entry.stop_reason is None:
                raise
            # Whether the task exists stays open, whatever the reason is.
            raise CallError(replace(error.failure, kind=Kind.UNKNOWN)) from error


def _is_refused_replay(entry: Entry, error: CallError) -> bool:
    """Tell that an earlier send may have started what is refused now: permissions and quotas come before clientTokens."""
    return entry.unclear > 0 and error.failure.kind in _REFUSALS


def _make(entry: Entry, make: Callable[[], Request]) -> Request:
    try:
        return make()
    except InvalidRequestError as error:
        raise CallError(classify(error)) from error
    except Exception as error:
        log.exception("Can't build the RunTask request of %s", entry.label)
        diagnosis = Diagnosis(
            "The RunTask request can't be built.",
            type(error).__name__,
            "Please report it: see the scheduler's log.",
        )
        raise CallError(Failure(Kind.CONFIGURATION, diagnosis)) from error
