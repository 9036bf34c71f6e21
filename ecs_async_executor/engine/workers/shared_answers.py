"""Lets one run ask ECS what many runs need to know, until it gets an answer, while the others wait for the same one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

import anyio
import anyio.lowlevel

from ecs_async_executor.backoff import Random, backoff
from ecs_async_executor.engine.diagnosis.call_failures import PAUSING, CallError, Failure, Kind
from ecs_async_executor.log_digest import LogDigest

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


_TEMPORARY = PAUSING | {Kind.THROTTLE, Kind.UNKNOWN}


async def until_answered(ask: Callable[[], Awaitable[T]], name: str, digest: LogDigest, random: Random) -> T:
    """Ask again until ECS answers; raises `CallError` for what asking again can't change.

    `name` says in the log what is asked. A question that got no answer has started nothing: it must not count as a launch whose outcome is unknown.
    """
    unknown = 0
    while True:
        try:
            return await ask()
        except CallError as error:
            if error.failure.kind not in _TEMPORARY:
                raise
            if error.failure.is_unknown_outcome:
                unknown += 1
                text = f"{name} got no answer and is repeated. {error.failure.diagnosis}"
                digest.note((until_answered, error.failure.diagnosis.summary), text, anyio.current_time())
                await anyio.sleep(backoff(unknown, base=1.0, cap=30.0, random=random))


class SharedAnswers(Generic[K]):
    """The questions that are being asked, and who waits for their answers."""

    def __init__(self) -> None:
        self._asked: dict[K, _Question] = {}
        self._waiting: Counter[K] = Counter()

    def __len__(self) -> int:
        return self._waiting.total()

    def is_awaited(self, key: K) -> bool:
        """Return whether runs wait for this answer.

        It stays so until each of them has resumed: a run that comes in between must not be sent before them.
        """
        return self._waiting[key] > 0

    async def wait(self, key: K, ask: Callable[[], Awaitable[object]]) -> None:
        """Return once `ask` has returned, whoever called it; raises its `CallError`, to all who wait.

        All who wait resume at once, in the same turn of the event loop.
        """
        self._waiting[key] += 1
        try:
            await self._wait(key, ask)
        finally:
            self._waiting[key] -= 1
            if not self._waiting[key]:
                del self._waiting[key]

    async def _wait(self, key: K, ask: Callable[[], Awaitable[object]]) -> None:
        while (question := self._asked.get(key)) is not None:
            await question.is_over.wait()
            if question.failure is not None:
                raise CallError(question.failure)
            if question.is_answered:
                return
            # Whoever asked was cancelled, or its code raised: ask again.
        question = self._asked[key] = _Question()
        try:
            await ask()
            question.is_answered = True
        except CallError as error:
            question.failure = error.failure
            raise
        finally:
            del self._asked[key]
            question.is_over.set()

    async def step_back(self, key: K) -> None:
        """Let those resume who wait for an answer that is there already."""
        if key in self._asked:
            await self._asked[key].is_over.wait()
        else:
            await anyio.lowlevel.checkpoint()


class _Question:
    def __init__(self) -> None:
        self.is_over = anyio.Event()
        self.is_answered = False
        self.failure: Failure | None = None
