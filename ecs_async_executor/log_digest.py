"""Keeps repeated news from flooding the log: the first of a cause is logged at once, the rest in one line a minute. Pure.

Time and the logger come from the caller. Used by both halves, each in its own thread.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import TypeAlias

INTERVAL = 60.0
"""Seconds between two lines about the same cause."""

Text: TypeAlias = str | Callable[[], str]
"""A line, or what makes it when it is logged: so that its figures are those of that moment."""


@dataclass(slots=True)
class _Cause:
    logged_at: float
    level: int
    text: Text
    repeats: int = 0


class LogDigest:
    """Sums up news by cause. `note` what happens, and `flush` now and then: else the last minute's sum stays unsaid."""

    def __init__(self, emit: Callable[[int, str], None]) -> None:
        self._emit = emit
        self._causes: dict[Hashable, _Cause] = {}
        self._next_at = float("inf")
        """When the next cause may be logged again; so that `flush` costs nothing until then."""

    def note(
        self, cause: Hashable, text: Text, now: float, *, level: int = logging.WARNING, detail: str = ""
    ) -> None:
        """Take in one event. `cause` must not name the task; `detail` (a stack) is logged with the first one only."""
        known = self._causes.get(cause)
        if known is None:
            self._causes[cause] = _Cause(now, level, text)
            self._next_at = min(self._next_at, now + INTERVAL)
            self._emit(level, "\n".join(filter(None, [_render(text), detail])))
            return
        known.level, known.text = level, text
        known.repeats += 1
        self.flush(now)

    def flush(self, now: float) -> None:
        """Log the sums that are due. A cause without news for an interval is forgotten: its next news is logged at once."""
        if now < self._next_at:
            return
        for name, cause in list(self._causes.items()):
            seconds = now - cause.logged_at
            if seconds < INTERVAL:
                continue
            if not cause.repeats:
                del self._causes[name]
                continue
            # The text may name a task, and be of this one only.
            others = f" [the last of {cause.repeats} in {seconds:.0f} s]" if cause.repeats > 1 else ""
            self._emit(cause.level, _render(cause.text) + others)
            cause.logged_at, cause.repeats = now, 0
        self._next_at = min(
            (cause.logged_at + INTERVAL for cause in self._causes.values()), default=float("inf")
        )


def _render(text: Text) -> str:
    return text() if callable(text) else text
