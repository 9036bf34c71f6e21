"""Records signals, which the demo checks between two steps, so that no signal interrupts the cleanup."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(Exception):  # noqa: N818  a request, not an error
    """A signal asked the demo to stop; `number` is its number."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


class Interruption:
    """Records SIGINT, SIGTERM and SIGHUP."""

    def __init__(self) -> None:
        self._number: int | None = None

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Record signals inside this context instead of letting them raise."""
        before = {number: signal.signal(number, self._note) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def check(self) -> None:
        """Raise Interrupted if a signal has arrived."""
        if self._number is not None:
            raise Interrupted(self._number)

    def _note(self, number: int, _frame: object) -> None:
        self._number = number
