"""Progress on stderr: lines drawn again on a terminal, else a line an event."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence

from ecs_async_executor.operate.text import screen_width
from ecs_async_executor.stack.display import event_line, live_lines, redraw
from ecs_async_executor.stack.progress import Event, Progress


class Live:
    """Shows an operation on a stack of about `total` resources."""

    def __init__(self, total: int, clock: Callable[[], float] = time.time) -> None:
        self._total, self._clock = total, clock
        self._began = clock()
        self._drawn = 0

    def __call__(self, new: Sequence[Event], progress: Progress) -> None:
        """Show it."""
        if not sys.stderr.isatty():
            sys.stderr.writelines(f"{event_line(each)}\n" for each in new)
            sys.stderr.flush()
            return
        now = self._clock()
        lines = live_lines(progress, self._total, now - self._began, now, screen_width())
        failures = [event_line(each) for each in new if each.failed]
        sys.stderr.write(redraw(self._drawn, [*failures, *lines]))
        sys.stderr.flush()
        self._drawn = len(lines)

    def tell(self, line: str) -> None:
        """Write a line that stays, below what is drawn."""
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()
        self._drawn = 0
