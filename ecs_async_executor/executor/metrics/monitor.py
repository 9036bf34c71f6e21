"""All measurements of one executor, and the threads that publish them."""

from __future__ import annotations

from collections.abc import Iterable

from ecs_async_executor.executor.metrics import emitter, observer, spans, stats
from ecs_async_executor.executor.metrics.emitter import Emitter
from ecs_async_executor.executor.metrics.observer import Observer
from ecs_async_executor.executor.metrics.repeating import Repeating
from ecs_async_executor.executor.metrics.stats import Naming
from ecs_async_executor.executor.runs import Run
from ecs_async_executor.measurements import Measurements

CLOSE_SECONDS = 1.0
"""Seconds that `close` waits for each thread."""


class Monitor:
    """Call it from the scheduler's thread; no method waits, except `close`."""

    def __init__(self, *, team: str | None = None) -> None:
        self.scheduler = Measurements()
        """For the scheduler's thread; timings of the row thread, too."""
        self.engine = Measurements()
        """For the engine's thread, and its successors'."""
        self.traced = spans.is_on()
        """Whether launches become spans."""
        self._common = {"team_name": team} if team else {}
        self._own = Measurements()
        self._sources = (self.scheduler, self.engine, self._own)
        self._observer: Observer | None = None
        self._threads: list[Repeating] = []

    def start(self, runs: Iterable[Run]) -> None:
        """Start the threads; the second one only if Airflow sends metrics or traces anywhere."""
        self._observer = Observer(runs, self._sources, self._own)
        self._threads.append(Repeating("ecs-observer", observer.INTERVAL, self._observer.look))
        if stats.is_on() or self.traced:
            sends = Emitter(
                self._sources,
                stats.airflow_stats() if stats.is_on() else None,
                lambda: Naming(stats.hostname(), stats.carries_tags(), stats.takes_any_text(), self._common),
                spans.send_span if self.traced else None,
            )
            self._threads.append(Repeating("ecs-stats", emitter.INTERVAL, sends.emit))
        for thread in self._threads:
            thread.start()

    def summary(self) -> str:
        """Return what waits and what lives, in one line."""
        return self._observer.summary() if self._observer is not None else "Not started."

    def close(self) -> None:
        """End the threads; one that hangs is left to itself.

        The last that is sent are gauges of 0: another scheduler counts these tasks from now on.
        """
        for thread in self._threads:  # the one that sends comes last
            thread.close(CLOSE_SECONDS)
            for source in self._sources:
                source.gauges = {}
