"""Spaces a command's calls to ECS, so that they leave AWS's rates to the executor. Sans-I/O but for the sleep it is given."""

from __future__ import annotations

import time
from collections.abc import Callable

CALLS_PER_SECOND = 5.0
"""A quarter of "cluster resource read" (20 a second, "Amazon ECS API request throttling"); the executor polls with half."""
BURST = 10.0


class Pace:
    """A token bucket; it begins full."""

    def __init__(
        self,
        per_second: float = CALLS_PER_SECOND,
        burst: float = BURST,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._per_second = per_second
        self._burst = burst
        self._clock = clock
        self._sleep = sleep
        self._tokens = burst
        self._at = clock()

    def wait(self) -> None:
        """Take a token; sleep until there is one."""
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._per_second)
        self._at = now
        self._tokens -= 1
        if self._tokens < 0:
            self._sleep(-self._tokens / self._per_second)
