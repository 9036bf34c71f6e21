"""Counts, timings, gauges and finished starts of one thread, until another one collects them. Sans-I/O.

Noting something costs a microsecond and never waits. Memory is bounded: if nobody collects, the oldest timings and
starts are dropped, and counts go on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

from ecs_async_executor.metrics import Metric

T = TypeVar("T")

SAMPLES = 4096
"""Timings that wait to be collected, at most: about 400 KB."""
STARTS = 1024
"""Finished starts that wait to be collected, at most."""

Series: TypeAlias = tuple[Metric, tuple[str, ...]]
"""A metric, and the values of its own tags."""


@dataclass(frozen=True, slots=True)
class Start:
    """How one launch came to run, or why not, for its span. Times are epoch seconds; None: it never got so far."""

    trace: Mapping[str, str]
    """The W3C trace context of the task that was launched."""
    queue: str
    number: int
    """The launch number."""
    ordered_at: float
    sent_at: float | None = None
    """When RunTask was first called."""
    accepted_at: float | None = None
    """When ECS had accepted it."""
    pull_started_at: float | None = None
    """By ECS's clock, as the next two."""
    pull_stopped_at: float | None = None
    started_at: float | None = None
    over_at: float | None = None
    """When it was known to have come to nothing; None: it came to run."""
    arn: str = ""
    error: str = ""
    """Why it came to nothing."""
    warm: bool = False
    """A standby serves it: it ran as soon as it had the workload."""


@dataclass(slots=True)
class Measurements:
    """What one thread has measured. `time` and all that reads may be called by any thread."""

    _counts: dict[Series, int] = field(default_factory=dict)
    _samples: deque[tuple[Series, float]] = field(default_factory=lambda: deque(maxlen=SAMPLES))
    _starts: deque[Start] = field(default_factory=lambda: deque(maxlen=STARTS))
    gauges: Mapping[Series, float] = field(default_factory=dict)
    """What is so now; replaced as a whole, never changed."""

    def count(self, metric: Metric, *tags: str, amount: int = 1) -> None:
        """Count one, or this many."""
        series = metric, tags
        self._counts[series] = self._counts.get(series, 0) + amount

    def time(self, metric: Metric, seconds: float, *tags: str) -> None:
        """Note how long something took; less than nothing, as clocks that disagree have it, counts as nothing."""
        self._samples.append(((metric, tags), max(0.0, seconds)))

    def finish_start(self, start: Start) -> None:
        """Note a launch that runs or has come to nothing."""
        self._starts.append(start)

    def counts(self) -> Mapping[Series, int]:
        """Return all counts so far."""
        return self._counts.copy()

    def take_samples(self) -> list[tuple[Series, float]]:
        """Return the timings that have come since the last time, in seconds."""
        return _take(self._samples)

    def take_starts(self) -> list[Start]:
        """Return the finished starts that have come since the last time."""
        return _take(self._starts)


def _take(waiting: deque[T]) -> list[T]:
    """Empty a deque that another thread may be filling."""
    taken = []
    for _ in range(len(waiting)):
        try:
            taken.append(waiting.popleft())
        except IndexError:  # someone else has taken the rest
            break
    return taken
