"""Uploads payloads to S3 before their runs are launched.

Its queue is separate from the launches, so a slow S3 delays only the runs that need it.
"""

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
from ecs_async_executor.engine.workers.steps import Outcome, Prepared, Started, Steps, Uploaded
from ecs_async_executor.engine.workers.wakeup import Wakeup
from ecs_async_executor.messages import Payload

CALLS = 20
"""The most PutObject calls in flight at once: they make hundreds a second, while RunTask takes twenty."""


class Uploader:
    """The only writer of payloads."""

    def __init__(  # noqa: PLR0913  an upload needs these parts of the engine
        self,
        ledger: Ledger,
        s3: S3Client,
        requests: Requests,
        search: TaskSearch,
        steps: Steps,
        *,
        on_change: Callable[[], None],
    ) -> None:
        self._ledger = ledger
        self._s3 = s3
        self._requests = requests
        self._task_search = search
        self._steps = steps
        self._slots = anyio.Semaphore(CALLS)
        self.wakeup = Wakeup()
        """Notified when a run enters the queue."""
        self.stopping = False
        """True: start no more uploads."""
        self._on_change = on_change

    def wake(self) -> None:
        """Wake the loop if the queue now has an earlier due time."""
        self.wakeup.notify_at(self._next_at())

    def _next_at(self) -> float | None:
        return None if self.stopping else self._ledger.puts.next_at(anyio.current_time())

    async def run(self, tasks: TaskGroup) -> None:
        """Upload until cancelled."""
        while True:
            await self.wakeup.wait_until_due(self._next_at)
            await self._slots.acquire()
            entry = None if self.stopping else self._ledger.take_put(anyio.current_time())
            if entry is None:
                self._slots.release()
            else:
                tasks.start_soon(self._prepare_run, entry)

    async def _prepare_run(self, entry: Entry) -> None:
        try:
            await self._steps.run(entry, self._prepare)
        finally:
            self._slots.release()
            self._on_change()

    async def _prepare(self, entry: Entry) -> Outcome:
        """Make the run ready to be sent, or return the task that an earlier send has started.

        Raises `CallError`.
        """
        try:
            request = self._requests.request(entry)
            if (
                request.is_open
            ):  # ECS's answer is too old by now: the launcher waits for another one, in no slot
                return Prepared()
            if request.payload is not None:
                await self._upload(entry, request.payload)
            raise_if_stopped(entry)
        except CallError as error:
            if is_refused_replay(entry, error.failure):
                return Started(await self._task_search.find(error.failure, entry))
            raise
        # A run that was forgotten during the upload has a new owner, and so has the object: it is named after
        # the launch, whoever sends that, and the new owner's container may be about to fetch it. The owner
        # deletes it.
        return Uploaded(replace(request, payload=None))

    async def _upload(self, entry: Entry, payload: Payload) -> None:
        before, entry.stored = entry.stored, payload.url  # set before the call: its answer may get lost
        try:
            await self._s3.put(payload.url, payload.data)
        except CallError as error:
            if error.failure.kind is not Kind.PAYLOAD:  # S3 has definitely refused it
                entry.stored = before
            raise
