"""Lets calls through as AWS's buckets allow: wakes waiting callers in turn, and sleeps while nobody waits."""

from __future__ import annotations

from asyncio import TimerHandle, get_running_loop
from collections import deque
from enum import Enum

import anyio

from ecs_async_executor.engine.admission.adaptive_bucket import AdaptiveBucket
from ecs_async_executor.engine.options import EngineOptions

SECOND_KIND_EVERY = 4
"""While both kinds of calls wait for a bucket, every fourth is of the second kind: ten launches a second,
while thousands of tasks are stopped."""
RETRY_DELAY = 1.0
"""Seconds after an error until waiting callers are served again: asyncio only logs what a timer raises."""


class Action(Enum):
    """The ECS calls that the engine makes."""

    RUN_TASK = "RunTask"
    STOP_TASK = "StopTask"
    DESCRIBE_TASKS = "DescribeTasks"
    LIST_TASKS = "ListTasks"
    DESCRIBE_TASK_DEFINITION = "DescribeTaskDefinition"
    REGISTER_TASK_DEFINITION = "RegisterTaskDefinition"


class RateLimits:
    """One adaptive bucket for each of AWS's buckets, and the callers that wait for them.

    StopTask goes before RunTask, and ListTasks, which recoveries wait for, before DescribeTasks. RunTask and
    DescribeTasks also have adaptive buckets of their own: Fargate's limit, and the watcher's share of the
    reads. A throttle doesn't say which of AWS's buckets was empty, so it counts against the call's own. For
    RunTask that is Fargate's: with half the rate, it is nearly always the empty one. If it isn't, launches
    slow down anyway, while stops, which must not suffer from launches, learn of it from their own throttles.

    RegisterTaskDefinition's bucket is its own. That it takes from DescribeTaskDefinition's as well changes nothing: each
    registration comes after reads.
    """

    def __init__(self, options: EngineOptions, now: float) -> None:
        modify = _SharedBucket(
            AdaptiveBucket(options.modify_rate, now), AdaptiveBucket(options.run_task_rate, now)
        )
        read = _SharedBucket(
            AdaptiveBucket(options.read_rate, now), AdaptiveBucket(options.describe_rate, now)
        )
        definitions = _SharedBucket(
            AdaptiveBucket(options.definition_rate, now), AdaptiveBucket(options.register_rate, now)
        )
        self._shared = {
            Action.DESCRIBE_TASK_DEFINITION: (definitions, 0),
            Action.REGISTER_TASK_DEFINITION: (definitions, 1),
            Action.STOP_TASK: (modify, 0),
            Action.RUN_TASK: (modify, 1),
            Action.LIST_TASKS: (read, 0),
            Action.DESCRIBE_TASKS: (read, 1),
        }

    async def acquire(self, action: Action) -> None:
        """Wait until a call of this action may be made."""
        shared, kind = self._shared[action]
        await shared.acquire(kind)

    def rate(self, action: Action) -> tuple[float, float]:
        """Return how many calls of this action may be made per second: now, and at most."""
        shared, kind = self._shared[action]
        bucket = shared.buckets[kind]
        return bucket.rate, bucket.most

    def give_back(self, action: Action) -> None:
        """Undo an `acquire`: the call is not made, so another caller may make one instead."""
        shared, kind = self._shared[action]
        shared.give_back(kind)

    def accepted(self, action: Action, sent_at: float) -> None:
        """Record that AWS has accepted a call sent at this time."""
        shared, kind = self._shared[action]
        for bucket in shared.buckets[: kind + 1]:
            bucket.accepted(sent_at)

    def throttled(self, action: Action, sent_at: float) -> None:
        """Record that AWS has throttled a call sent at this time."""
        shared, kind = self._shared[action]
        bucket = shared.buckets[kind]
        bucket.advance(anyio.current_time())
        bucket.throttled(sent_at)


class _SharedBucket:
    """The two kinds of calls that share one of AWS's buckets; the second also has a bucket of its own."""

    def __init__(self, shared: AdaptiveBucket, own: AdaptiveBucket) -> None:
        self.buckets = (shared, own)
        self._queues: tuple[deque[anyio.Event], deque[anyio.Event]] = (deque(), deque())
        self._firsts = 0
        """Consecutive calls of the first kind while the second kind waited."""
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
        """Let callers through, and schedule the next round for when another may go."""
        loop = get_running_loop()
        now = loop.time()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        wait: float | None = RETRY_DELAY
        try:
            for bucket in self.buckets:
                bucket.advance(now)
            wait = self._serve_now()
        finally:
            if wait is not None:
                self._timer = loop.call_at(now + wait, self._serve)

    def _serve_now(self) -> float | None:
        """Let callers through; return the seconds until the next one's turn, None if nobody waits."""
        (shared, own), (first, second) = self.buckets, self._queues
        while True:
            own_wait = own.wait() if second else 0.0
            ready = bool(second) and own_wait <= 0
            # A bucket grows only while it is the one that callers wait for.
            shared.wanted, own.wanted = bool(first) or ready, own_wait > 0
            wait = shared.wait()
            if not shared.wanted or wait > 0:
                break
            shared.take()
            if first and not (ready and self._firsts >= SECOND_KIND_EVERY - 1):
                self._firsts = self._firsts + 1 if second else 0
                first.popleft().set()
            else:
                self._firsts = 0
                own.take()
                second.popleft().set()
        if shared.wanted:
            return wait
        return max(own_wait, wait) if second else None
