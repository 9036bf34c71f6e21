"""Deletes from S3 what ended runs have left there, as well as it can: a lifecycle rule sees to the rest."""

from __future__ import annotations

import logging

import anyio
from anyio.abc import TaskGroup

from ecs_async_executor.engine.backoff import Random, backoff
from ecs_async_executor.engine.bell import Bell
from ecs_async_executor.engine.calls import CallError
from ecs_async_executor.engine.failures import Kind
from ecs_async_executor.engine.ledger import Ledger
from ecs_async_executor.engine.s3 import S3Client

log = logging.getLogger(__name__)

CALLS = 10
"""DeleteObject calls in flight at once."""
TRIES = 5
"""Of one object; with the waits between them about 15 seconds."""


class Cleaner:
    """The only place that calls DeleteObject. No run waits for it."""

    def __init__(self, ledger: Ledger, s3: S3Client, random: Random) -> None:
        self._ledger = ledger
        self._s3 = s3
        self._random = random
        self._places = anyio.Semaphore(CALLS)
        self._deleting = 0
        self._failing = False
        self.bell = Bell()
        """Rung when there is something to delete."""
        self._done = Bell()

    async def run(self, tasks: TaskGroup) -> None:
        """Delete until cancelled."""
        while True:
            while not self._ledger.spent:
                await self.bell.wait(None)
            await self._places.acquire()
            self._deleting += 1
            tasks.start_soon(self._delete, self._ledger.spent.pop(0))

    async def finish(self) -> None:
        """Wait until nothing is left to delete."""
        while self._ledger.spent or self._deleting:
            await self._done.wait(None)

    async def _delete(self, url: str) -> None:
        try:
            for attempt in range(1, TRIES + 1):
                try:
                    await self._s3.delete(url)
                except CallError as error:
                    failure = error.failure
                    if failure.kind is not Kind.PAYLOAD or attempt == TRIES:
                        # One warning, not one for each task.
                        level = logging.DEBUG if self._failing else logging.WARNING
                        self._failing = True
                        log.log(level, "Objects of ended tasks stay in S3: %s", failure.diagnosis)
                        return
                    await anyio.sleep(backoff(attempt, base=1.0, cap=30.0, random=self._random))
                else:
                    self._failing = False
                    return
        finally:
            self._deleting -= 1
            self._places.release()
            self._done.ring()
