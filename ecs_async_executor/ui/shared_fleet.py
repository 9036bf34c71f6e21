"""One read of the database for all users of an API server process, however many look at the page."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

FRESH_FOR = 2.0
"""Seconds for which a read serves everybody; the page asks every five."""
STALE_AFTER = 30.0
"""Seconds after which a read serves nobody any more, even if the database is slow, or twice as long as it is fresh."""
WAIT_SECONDS = 5.0
"""Seconds that a request waits for another request's read."""
MAX_WAITING = 4
"""Requests that may wait at once: they hold threads that the rest of the API server needs, too."""


class BusyError(Exception):
    """The database is slow, and enough requests wait for it already."""


class SharedRead(Generic[T]):
    """The last read, and at most one read under way. For any thread."""

    def __init__(
        self,
        read: Callable[[], T],
        clock: Callable[[], float] = time.monotonic,
        fresh_for: Callable[[], float] = lambda: FRESH_FOR,
    ) -> None:
        """Take how to read, and for how many seconds a read serves everybody."""
        self._read = read
        self._fresh_for = fresh_for
        self._clock = clock
        self._last: tuple[float, T] | None = None
        self._reading = threading.Lock()
        self._waiting = threading.BoundedSemaphore(MAX_WAITING)

    def get(self) -> T:
        """Return what is fresh, or as fresh as can be had now; raises `BusyError` and what `read` raises."""
        if (found := self._younger_than(self._fresh_for())) is not None:
            return found
        if self._reading.acquire(blocking=False):
            return self._read_now()
        if (found := self._younger_than(max(STALE_AFTER, 2 * self._fresh_for()))) is not None:
            return found
        if not self._waiting.acquire(blocking=False):
            raise BusyError
        try:
            if not self._reading.acquire(timeout=WAIT_SECONDS):
                raise BusyError
        finally:
            self._waiting.release()
        return self._read_now()

    def _read_now(self) -> T:
        """Read, unless the request that we waited for has done so; releases the lock."""
        try:
            if (found := self._younger_than(self._fresh_for())) is not None:
                return found
            found = self._read()
            self._last = self._clock(), found
            return found
        finally:
            self._reading.release()

    def _younger_than(self, seconds: float) -> T | None:
        last = self._last
        return last[1] if last is not None and self._clock() - last[0] < seconds else None
