"""A thread that calls a function again and again."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from ecs_async_executor.log_digest import LogDigest

log = logging.getLogger(__name__)


class Repeating:
    """Calls a function every `interval` seconds, and once more at the end. What it raises is logged."""

    def __init__(self, name: str, interval: float, function: Callable[[], None]) -> None:
        self._interval = interval
        self._function = function
        self._digest = LogDigest(log.log)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread; if there can be no more threads, that is logged."""
        try:
            self._thread.start()
        except RuntimeError as error:
            log.warning("Can't start the thread %s (%s).", self._thread.name, error)

    def close(self, timeout: float) -> None:
        """End the thread; if it hangs, it is left to itself after `timeout` seconds."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def _run(self) -> None:
        while not self._over.wait(self._interval):
            self._call()
        self._call()

    def _call(self) -> None:
        now = time.monotonic()
        try:
            self._function()
        except Exception as error:  # noqa: BLE001  it is logged, and the next call may succeed
            text = f"{self._thread.name}: {type(error).__name__}: {error}"
            self._digest.note((type(error), self._thread.name), text, now)
        self._digest.flush(now)
