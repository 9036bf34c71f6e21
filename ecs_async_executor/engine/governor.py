"""Keeps the calls within AWS's token buckets: one bucket here for each of AWS's."""

from __future__ import annotations

from enum import Enum

import anyio

from ecs_async_executor.engine.backoff import Random, backoff
from ecs_async_executor.engine.options import EngineOptions, Rate


class Bucket(Enum):
    """AWS's buckets that the engine draws from, per account and Region (ECS API request throttling)."""

    RUN_TASK = "RunTask on Fargate"
    MODIFY = "RunTask and StopTask"
    READ = "DescribeTasks and ListTasks"


class TokenBucket:
    """A token bucket that AWS's throttling closes for a while. Pure: time comes from the caller."""

    def __init__(self, rate: Rate, now: float) -> None:
        self._rate = rate
        self._tokens = rate.burst
        self._updated = now
        self._closed_until = now
        self._throttles = 0

    def wait(self, now: float) -> float:
        """Seconds until a token is there; 0 if one is."""
        closed = self._closed_until - now
        if self._rate.per_second <= 0:
            return max(0.0, closed)
        self._tokens = min(self._rate.burst, self._tokens + (now - self._updated) * self._rate.per_second)
        self._updated = now
        return max(0.0, closed, (1.0 - self._tokens) / self._rate.per_second)

    def take(self) -> None:
        """Use a token; `wait` must have said 0."""
        self._tokens -= 1.0

    def throttled(self, now: float, random: Random) -> None:
        """AWS has throttled a call: close. Throttles of calls sent before the bucket closed count once."""
        if now < self._closed_until:
            return
        self._throttles += 1
        self._closed_until = now + backoff(self._throttles, base=1.0, cap=20.0, random=random)
        self._tokens = min(self._tokens, 0.0)

    def answered(self, now: float) -> None:
        """AWS has accepted a call."""
        if now >= self._closed_until:
            self._throttles = 0


class Governor:
    """Lets calls pass as AWS's buckets allow. Stops never queue behind launches."""

    def __init__(self, options: EngineOptions, random: Random, now: float) -> None:
        self._random = random
        self._buckets = {
            Bucket.RUN_TASK: TokenBucket(options.run_task_rate, now),
            Bucket.MODIFY: TokenBucket(options.modify_rate, now),
            Bucket.READ: TokenBucket(options.read_rate, now),
        }
        self._urgent = dict.fromkeys(Bucket, 0)
        """Urgent calls that wait, by bucket."""

    async def acquire(self, *buckets: Bucket, urgent: bool = False) -> None:
        """Wait until each of the buckets has a token, and take them."""
        for bucket in buckets:
            self._urgent[bucket] += urgent
        try:
            while True:
                now = anyio.current_time()
                wait = max(self._buckets[bucket].wait(now) for bucket in buckets)
                if wait <= 0 and (urgent or not any(self._urgent[bucket] for bucket in buckets)):
                    for bucket in buckets:
                        self._buckets[bucket].take()
                    return
                await anyio.sleep(max(wait, 0.005))
        finally:
            for bucket in buckets:
                self._urgent[bucket] -= urgent

    def throttled(self, bucket: Bucket) -> None:
        """Note that AWS has throttled a call, and close this bucket for a while."""
        self._buckets[bucket].throttled(anyio.current_time(), self._random)

    def answered(self, *buckets: Bucket) -> None:
        """Note that AWS has accepted a call on these buckets."""
        for bucket in buckets:
            self._buckets[bucket].answered(anyio.current_time())
