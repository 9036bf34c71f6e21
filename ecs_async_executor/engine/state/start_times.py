"""How long tasks of each family take to start, and from when on a start is slow. Sans-I/O."""

from __future__ import annotations

from collections import OrderedDict, deque
from statistics import median

from ecs_async_executor.engine.responses import Task

STARTS_KEPT = 20
"""Starts that a family's usual time is the median of."""
STARTS_NEEDED = 3
"""Starts without which a family has no usual time."""
FAMILIES = 1_000
"""Families remembered; the ones not seen for longest are dropped."""
SLOW_FACTOR = 3.0
"""A start is slow if it takes this many times as long as usual ..."""
SLOW_SECONDS = 120.0
"""... and at least this long. On Fargate, most tasks start within a minute."""


class StartTimes:
    """The seconds from RunTask to RUNNING of the last tasks, by task definition family."""

    def __init__(self) -> None:
        self._seconds: OrderedDict[str, deque[float]] = OrderedDict()

    def note(self, task: Task) -> None:
        """Note a task that has started."""
        if task.created_at is None or task.started_at is None:
            return
        known = self._seconds.setdefault(task.family, deque(maxlen=STARTS_KEPT))
        known.append(max(0.0, task.started_at - task.created_at))
        self._seconds.move_to_end(task.family)
        if len(self._seconds) > FAMILIES:
            self._seconds.popitem(last=False)

    def usual(self, family: str) -> float | None:
        """Return the seconds that tasks of a family usually take to start; None if too few are known."""
        known = self._seconds.get(family, ())
        return median(known) if len(known) >= STARTS_NEEDED else None

    def slow_after(self, family: str) -> float:
        """Return the seconds after which a start is slow."""
        return max(SLOW_SECONDS, SLOW_FACTOR * (self.usual(family) or 0.0))
