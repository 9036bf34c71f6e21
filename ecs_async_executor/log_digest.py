"""Keeps repeated events out of the log: logs a cause's first event at once, the rest as one line a minute.

Sans-I/O: the caller passes in the time and the logger. Both halves use it, each in its own thread.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import TypeAlias

INTERVAL = 60.0
"""Seconds between two lines about the same cause."""

Text: TypeAlias = str | Callable[[], str]
"""A line, or a function that makes it when it is logged, so that its figures are current."""


@dataclass(slots=True)
class _Cause:
    logged_at: float
    level: int
    text: Text
    repeats: int = 0


class LogDigest:
    """Sums up events by cause. `note` each event; `flush` regularly, or the last summary is never logged."""

    def __init__(self, emit: Callable[[int, str], None]) -> None:
        self._emit = emit
        self._causes: dict[Hashable, _Cause] = {}
        self._next_at = float("inf")
        """When the next summary may be due. Until then `flush` costs nothing."""

    def note(
        self, cause: Hashable, text: Text, now: float, *, level: int = logging.WARNING, detail: str = ""
    ) -> None:
        """Record an event.

        `cause` must not name the task; `detail` (a stack) is logged only with the first event.
        """
        known = self._causes.get(cause)
        if known is None:
            self._causes[cause] = _Cause(now, level, text)
            self._next_at = min(self._next_at, now + INTERVAL)
            self._emit(level, "\n".join(filter(None, [_render(text), detail])))
            return
        known.level, known.text = level, text
        known.repeats += 1
        self.flush(now)

    def forget(self, cause: Hashable) -> None:
        """Drop a cause that is over, with what hasn't been logged of it: it would come after the line that says so."""
        self._causes.pop(cause, None)

    def flush(self, now: float) -> None:
        """Log the summaries that are due.

        A cause without events for an interval is forgotten, so its next event is logged at once.
        """
        if now < self._next_at:
            return
        for name, cause in list(self._causes.items()):
            seconds = now - cause.logged_at
            if seconds < INTERVAL:
                continue
            if not cause.repeats:
                del self._causes[name]
                continue
            # The text may name a task, that of the latest event, so the line says how many events it sums up.
            others = f" [the last of {cause.repeats} in {seconds:.0f} s]" if cause.repeats > 1 else ""
            self._emit(cause.level, _render(cause.text) + others)
            cause.logged_at, cause.repeats = now, 0
        self._next_at = min(
            (cause.logged_at + INTERVAL for cause in self._causes.values()), default=float("inf")
        )


def _render(text: Text) -> str:
    return text() if callable(text) else text
