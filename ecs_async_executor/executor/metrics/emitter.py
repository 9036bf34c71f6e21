"""Sends what was measured to Airflow's Stats, and finished starts as spans. For a thread of its own: it may hang."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from ecs_async_executor.executor.metrics.series import all_counts, all_gauges
from ecs_async_executor.executor.metrics.stats import Backend, Naming
from ecs_async_executor.log_digest import LogDigest
from ecs_async_executor.measurements import Measurements, Series, Start
from ecs_async_executor.metrics import METRICS, Type

log = logging.getLogger(__name__)

INTERVAL = 2.0
"""Seconds between two rounds: shorter than it takes to fill `measurements.SAMPLES` at 500 launches a second."""
_FROM_ZERO: dict[Series, int] = {
    (metric, ()): 0 for metric in METRICS if metric.type is Type.COUNTER and not metric.tags
}
"""Counters that are sent before they count anything: Prometheus's `increase` doesn't see a series begin at 1."""
SLICE = 20
"""Calls of Stats before the interpreter may do something else."""


class Emitter:
    """Remembers what was sent. A call that raises loses at most its own sample; counts are sent next time."""

    def __init__(
        self,
        sources: Sequence[Measurements],
        stats: Backend | None,
        naming: Callable[[], Naming],
        send_span: Callable[[Start], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take None in place of what is off; `naming` is called once, in the thread that emits."""
        self._sources = sources
        self._stats = stats
        self._naming = naming
        self._send_span = send_span
        self._clock = clock
        self._names: Naming | None = None
        self._sent: Counter[Series] = Counter()
        self._gauges: set[Series] = set()
        """Sent before: they are sent as 0 when there is nothing any more."""
        self._calls = 0
        self._digest = LogDigest(log.log)

    def emit(self) -> None:
        """Send what is new."""
        for source in self._sources:
            starts, samples = source.take_starts(), source.take_samples()
            if self._send_span is not None:
                for start in starts:
                    self._try(self._send_span, start)
            if self._stats is not None:
                for series, seconds in samples:
                    self._send(self._stats.timing, series, seconds * 1000)
        if self._stats is not None:
            self._send_counts(self._stats)
            gauges = all_gauges(self._sources)
            self._gauges |= gauges.keys()
            for series in self._gauges:
                self._send(self._stats.gauge, series, gauges.get(series, 0.0))
        self._digest.flush(self._clock())

    def _send_counts(self, stats: Backend) -> None:
        counts = Counter(_FROM_ZERO)
        counts.update(all_counts(self._sources))
        for series, count in counts.items():
            is_new = series not in self._sent
            if (is_new or count > self._sent[series]) and self._send(
                stats.incr, series, count - self._sent[series]
            ):
                self._sent[series] = count

    def _send(self, call: Callable[..., Any], series: Series, value: float) -> bool:
        self._names = self._names or self._naming()
        name, tags = self._names.name(series)
        return self._try(call, name, value, tags=tags)

    def _try(self, call: Callable[..., Any], *arguments: Any, **named: Any) -> bool:
        self._calls += 1
        if self._calls % SLICE == 0:
            time.sleep(0)  # gives the scheduler's thread the interpreter
        try:
            call(*arguments, **named)
        except Exception as error:  # noqa: BLE001  a backend may raise anything; it is logged
            what = (
                f"Airflow's metrics or traces can't be sent ({type(error).__name__}: {error}); tasks run on."
            )
            self._digest.note(type(error).__name__, what, self._clock())
            return False
        return True
