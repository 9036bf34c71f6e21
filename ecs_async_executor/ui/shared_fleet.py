"""One read of the fleet for all users of an API server process, however many look at the page."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from ecs_async_executor.fleet.live import Fleet

FRESH_FOR = 2.0
"""Seconds for which a read serves everybody; the page asks every five."""
STALE_AFTER = 30.0
"""Seconds after which a read serves nobody any more, even if the database is slow."""
WAIT_SECONDS = 5.0
"""Seconds that a request waits for another request's read."""
MAX_WAITING = 4
"""Requests that may wait at once: they hold threads that the rest of the API server needs, too."""


class BusyError(Exception):
    """The database is slow, and enough requests wait for it already."""


class SharedFleet:
    """The last read of the fleet, and at most one read under way. For any thread."""

    def __init__(self, read: Callable[[], Fleet], clock: Callable[[], float] = time.monotonic) -> None:
        self._read = read
        self._clock = clock
        self._last: tuple[float, Fleet] | None = None
        self._reading = threading.Lock()
        self._waiting = threading.BoundedSemaphore(MAX_WAITING)

    def get(self) -> Fleet:
        """Return a fleet that is fresh, or as fresh as can be had now; raises `BusyError` and what `read` raises."""
        if (fleet := self._younger_than(FRESH_FOR)) is not None:
            return fleet
        if self._reading.acquire(blocking=False):
            return self._read_now()
        if (fleet := self._younger_than(STALE_AFTER)) is not None:
            return fleet
        if not self._waiting.acquire(blocking=False):
            raise BusyError
        try:
            if not self._reading.acquire(timeout=WAIT_SECONDS):
                raise BusyError
        finally:
            self._waiting.release()
        return self._read_now()

    def _read_now(self) -> Fleet:
        """Read, unless the request that we waited for has done so; releases the lock."""
        try:
            if (fleet := self._younger_than(FRESH_FOR)) is not None:
                return fleet
            fleet = self._read()
            self._last = self._clock(), fleet
            return fleet
        finally:
            self._reading.release()

    def _younger_than(self, seconds: float) -> Fleet | None:
        last = self._last
        return last[1] if last is not None and self._clock() - last[0] < seconds else None
