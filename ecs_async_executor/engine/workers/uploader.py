"""Puts into S3 what containers will fetch, before their RunTask: beside the launches, so that S3 holds up its own runs only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import anyio
from anyio.abc import TaskGroup

from ecs_async_executor.engine.aws.s3 import S3Client
from ecs_async_executor.engine.diagnosis.call_failures import CallError, Kind
from ecs_async_executor.engine.state.entry import Entry
from ecs_async_executor.engine.state.ledger import Ledger
from ecs_async_executor.engine.workers.recovery import TaskSearch, is_refused_replay
from ecs_async_executor.engine.workers.requests import Requests, raise_if_stopped
from ecs_async_executor.engine.workers.wakeup import Wakeup
from ecs_async_executor.messages import Payload

CALLS = 20
"""PutObject calls in flight at once: hundreds a second, while RunTask takes twenty."""


class Uploader:
    """The only place that calls PutObject."""

    def __init__(
        self,
        ledger: Ledger,
        s3: S3Client,
        requests: Requests,
        search: TaskSearch,
        *,
        on_change: Callable[[], None],
    ) -> None:
        self._ledger = ledger
        self._s3 = s3
        self._requests = requests
        self._search_tasks = search
        self._slots = anyio.Semaphore(CALLS)
        self.wakeup = Wakeup()
        """Rung when a run comes into the queue."""
        self.stopping = False
        """True: put nothing more."""
        self._on_change = on_change

    def wake(self) -> None:
        """The queue has changed."""
        self.wakeup.notify_at(self._ledger.puts.next_at(anyio.current_time()))

    async def run(self, tasks: TaskGroup) -> None:
        """Put until cancelled."""
        while True:
            await self._wait_for_work()
            await self._slots.acquire()
            entry = None if self.stopping else self._ledger.take_put(anyio.current_time())
            if entry is None:
                self._slots.release()
            else:
                tasks.start_soon(self._serve, entry)

    async def _wait_for_work(self) -> None:
        while True:
            now = anyio.current_time()
            next_at = None if self.stopping else self._ledger.puts.next_at(now)
            if next_at is not None and next_at <= now:
                return
            await self.wakeup.wait(next_at)

    async def _serve(self, entry: Entry) -> None:
        try:
            await self._requests.make(entry, self._prepare)
        finally:
            self._slots.release()
            self._on_change()

    async def _prepare(self, entry: Entry) -> str | None:
        """Let the run be sent; give its task's ARN instead if an earlier send has started it; raises `CallError`."""
        try:
            request = await self._requests.settle(entry)
            if request.payload is not None:
                await self._put(entry, request.payload)
            raise_if_stopped(entry)
        except CallError as error:
            if is_refused_replay(entry, error.failure):
                return await self._search_tasks.find(error.failure, entry)
            raise
        # A run that was forgotten meanwhile is another's. So is the object: its name is that of the launch, whoever
        # sends it, and the other one's container may be about to fetch it. Who has the run in hand deletes it.
        self._ledger.has_put(entry, replace(request, payload=None), anyio.current_time())
        return None

    async def _put(self, entry: Entry, payload: Payload) -> None:
        before, entry.stored = entry.stored, payload.url  # even if the answer gets lost
        try:
            await self._s3.put(payload.url, payload.data)
        except CallError as error:
            if error.failure.kind is not Kind.PAYLOAD:  # refused for sure
                entry.stored = before
            raise
