"""Deletes the payloads of ended runs from S3, best-effort: the bucket's lifecycle rule removes the rest."""

from __future__ import annotations

import anyio
from anyio.abc import TaskGroup

from ecs_async_executor.backoff import Random, backoff
from ecs_async_executor.engine.aws.s3 import S3Client
from ecs_async_executor.engine.diagnosis.call_failures import CallError, Kind
from ecs_async_executor.engine.state.ledger import Ledger
from ecs_async_executor.engine.workers.wakeup import Wakeup
from ecs_async_executor.log_digest import LogDigest

CALLS = 10
"""The most DeleteObject calls in flight at once."""
TRIES = 5
"""Tries per object; with the waits between them, about 15 seconds."""


class Deleter:
    """The only caller of DeleteObject, but for leases. No run waits for it."""

    def __init__(self, ledger: Ledger, s3: S3Client, random: Random, digest: LogDigest) -> None:
        self._ledger = ledger
        self._s3 = s3
        self._random = random
        self._digest = digest
        self._slots = anyio.Semaphore(CALLS)
        self._deleting = 0
        self.wakeup = Wakeup()
        """Notified when there is something to delete."""
        self._done = Wakeup()

    async def run(self, tasks: TaskGroup) -> None:
        """Delete until cancelled."""
        while True:
            await self.wakeup.wait_while_empty(self._ledger.deletions)
            await self._slots.acquire()
            self._deleting += 1
            tasks.start_soon(self._delete, self._ledger.deletions.popleft())

    async def finish(self) -> None:
        """Wait until nothing is left to delete."""
        while self._ledger.deletions or self._deleting:
            await self._done.wait(None)

    async def _delete(self, url: str) -> None:
        try:
            for attempt in range(1, TRIES + 1):
                try:
                    await self._s3.delete(url)
                except CallError as error:
                    failure = error.failure
                    if failure.kind is not Kind.PAYLOAD or attempt == TRIES:
                        text = f"An object of an ended task stays in S3. {failure.diagnosis}"
                        self._digest.note((Deleter, failure.diagnosis.summary), text, anyio.current_time())
                        return
                    await anyio.sleep(backoff(attempt, base=1.0, cap=30.0, random=self._random))
                else:
                    return
        finally:
            self._deleting -= 1
            self._slots.release()
            self._done.notify()
