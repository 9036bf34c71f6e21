"""Lets calls pass as AWS's buckets allow: who waits is woken in turn, and a governor that nobody waits for does nothing."""

from __future__ import annotations

from asyncio import TimerHandle, get_running_loop
from collections import deque
from enum import Enum

import anyio

from ecs_async_executor.engine.admission.adaptive_bucket import AdaptiveBucket
from ecs_async_executor.engine.options import EngineOptions

EVERY = 4
"""Every fourth call of a bucket that both kinds wait for is of the second kind: ten launches a second, while thousands
of tasks are stopped."""
AGAIN = 1.0
"""Seconds after an error until who waits is served again: asyncio only logs what a timer raises."""


class Action(Enum):
    """The calls of the ECS API that the engine makes."""

    RUN_TASK = "RunTask"
    STOP_TASK = "StopTask"
    DESCRIBE_TASKS = "DescribeTasks"
    LIST_TASKS = "ListTasks"


class RateLimits:
    """One limiter for each of AWS's buckets, and the callers that wait for them.

    StopTask goes before RunTask, and ListTasks, which a recovery waits for, before DescribeTasks. RunTask and
    DescribeTasks have a limiter of their own besides: what Fargate allows, and the watcher's part of the reads. A
    throttle does not say which of AWS's buckets was empty, so it is laid on the limiter that is the caller's own. For
    RunTask that is Fargate's: half as wide, it is nearly always the empty one; and if it is not, launches slow down all
    the same, while stops, which must not suffer from launches, find out by their own throttles.
    """

    def __init__(self, options: EngineOptions, now: float) -> None:
        modify = _Lane(AdaptiveBucket(options.modify_rate, now), AdaptiveBucket(options.run_task_rate, now))
        read = _Lane(AdaptiveBucket(options.read_rate, now), AdaptiveBucket(options.describe_rate, now))
        self._lanes = {
            Action.STOP_TASK: (modify, 0),
            Action.RUN_TASK: (modify, 1),
            Action.LIST_TASKS: (read, 0),
            Action.DESCRIBE_TASKS: (read, 1),
        }

    async def acquire(self, action: Action) -> None:
        """Wait until a call of this action may be made."""
        lane, kind = self._lanes[action]
        await lane.acquire(kind)

    def rate(self, action: Action) -> tuple[float, float]:
        """Give how many calls of this action may be made a second, now and at most."""
        lane, kind = self._lanes[action]
        bucket = lane.buckets[kind]
        return bucket.rate, bucket.most

    def give_back(self, action: Action) -> None:
        """Take back what `acquire` gave: the call is not made, and who waits may make one instead."""
        lane, kind = self._lanes[action]
        lane.give_back(kind)

    def accepted(self, action: Action, sent_at: float) -> None:
        """Note that AWS has accepted a call that was sent then."""
        lane, kind = self._lanes[action]
        for bucket in lane.buckets[: kind + 1]:
            bucket.accepted(sent_at)

    def throttled(self, action: Action, sent_at: float) -> None:
        """Note that AWS has throttled a call that was sent then."""
        lane, kind = self._lanes[action]
        bucket = lane.buckets[kind]
        bucket.advance(anyio.current_time())
        bucket.throttled(sent_at)


class _Lane:
    """The two kinds of calls that share one of AWS's buckets; the second has a limiter of its own as well."""

    def __init__(self, shared: AdaptiveBucket, own: AdaptiveBucket) -> None:
        self.buckets = (shared, own)
        self._queues: tuple[deque[anyio.Event], deque[anyio.Event]] = (deque(), deque())
        self._firsts = 0
        """Calls of the first kind in a row while the second waited."""
        self._timer: TimerHandle | None = None

    async def acquire(self, kind: int) -> None:
        turn, queue = anyio.Event(), self._queues[kind]
        queue.append(turn)
        try:
            self._serve()
            if not turn.is_set():
                await turn.wait()
        finally:
            if not turn.is_set():
                queue.remove(turn)
                self._serve()

    def give_back(self, kind: int) -> None:
        for bucket in self.buckets[: kind + 1]:
            bucket.give_back()
        self._serve()

    def _serve(self) -> None:
        """Let pass who may, and come back when the next one may."""
        loop = get_running_loop()
        now = loop.time()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        wait: float | None = AGAIN
        try:
            for bucket in self.buckets:
                bucket.advance(now)
            wait = self._serve_now()
        finally:
            if wait is not None:
                self._timer = loop.call_at(now + wait, self._serve)

    def _serve_now(self) -> float | None:
        """Give the seconds until the next caller's turn; None if nobody waits."""
        (shared, own), (first, second) = self.buckets, self._queues
        while True:
            own_wait = own.wait() if second else 0.0
            ready = bool(second) and own_wait <= 0
            # A limiter grows only while it is what callers wait for.
            shared.wanted, own.wanted = bool(first) or ready, own_wait > 0
            wait = shared.wait()
            if not shared.wanted or wait > 0:
                break
            shared.take()
            if first and not (ready and self._firsts >= EVERY - 1):
                self._firsts = self._firsts + 1 if second else 0
                first.popleft().set()
            else:
                self._firsts = 0
                own.take()
                second.popleft().set()
        if shared.wanted:
            return wait
        return max(own_wait, wait) if second else None
