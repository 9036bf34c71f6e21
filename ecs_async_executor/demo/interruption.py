"""Signals as a question the demo asks between two steps, so that none breaks off the cleaning up."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(Exception):  # noqa: N818  a request, not an error
    """Somebody asked the demo to stop; ``number`` is the signal's."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


class Interruption:
    """Notes SIGINT, SIGTERM and SIGHUP."""

    def __init__(self) -> None:
        self._number: int | None = None

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Note signals inside this context instead of letting them raise."""
        before = {number: signal.signal(number, self._note) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def check(self) -> None:
        """Raise Interrupted if there was a signal."""
        if self._number is not None:
            raise Interrupted(self._number)

    def _note(self, number: int, _frame: object) -> None:
        self._number = number
