"""Measures launches: how long they wait, how long ECS takes to start their tasks, how late we see that."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

from ecs_async_executor.cold_starts import class_of
from ecs_async_executor.engine.responses import Task
from ecs_async_executor.engine.state.entry import Entry
from ecs_async_executor.measurements import Measurements, Start
from ecs_async_executor.messages import Cancelled, Launched, LaunchFailed, Report, Running, Stopped
from ecs_async_executor.metrics import (
    DETECTION_LAG,
    LAUNCH_LATENCY,
    LAUNCHES,
    QUEUE_WAIT,
    STANDBY_AGE,
    STANDBY_HAND_OVER,
    STANDBY_TASKS,
    START_TIME,
    WARM,
)


class Launches:
    """Told what happens to runs. `now` is the loop's time; ECS's times are those of the wall clock."""

    def __init__(self, measurements: Measurements, wall_clock: Callable[[], float] = time.time) -> None:
        self._measurements = measurements
        self._wall_clock = wall_clock

    def accepted(self, entry: Entry, now: float) -> None:
        """Note that RunTask has started its task."""
        launch, queue = entry.launch, entry.queue
        self._measurements.count(LAUNCHES, queue)
        if entry.is_standby:  # nobody waits for it
            return
        self._measurements.time(LAUNCH_LATENCY, now - launch.ordered_at, queue)
        if launch.first_sent_at is not None:
            self._measurements.time(QUEUE_WAIT, launch.first_sent_at - launch.ordered_at, queue)

    def handed_over(
        self,
        entry: Entry,
        pool: str,
        age: float,
        reports: Iterable[Report],
        now: float,
    ) -> None:
        """Note what came of handing a run over to a standby of a pool, which had been running for `age` seconds."""
        for report in reports:
            if isinstance(report, Launched):
                self._measurements.count(STANDBY_TASKS, WARM, pool)
                self._measurements.time(STANDBY_HAND_OVER, now - entry.launch.ordered_at, pool)
                self._measurements.time(STANDBY_AGE, age, pool)
                self._finish(entry, None, now, warm=True)
        self.ended(entry, reports, now)

    def described(self, entry: Entry, task: Task, reports: Iterable[Report], now: float) -> None:
        """Note what a poll has shown, and which reports came of it."""
        for report in reports:
            if isinstance(report, Running):
                self._started(entry, task, now)
            elif isinstance(report, Stopped):
                if not entry.task.seen_running:
                    self._started(entry, task, now)
                self._lag(entry, "stopped", task.stopped_at, now)
                self._finish(entry, task, now, report)

    def ended(self, entry: Entry, reports: Iterable[Report], now: float) -> None:
        """Note the reports about a launch: it has started a task, or has come to nothing."""
        for report in reports:
            if isinstance(report, LaunchFailed | Cancelled):
                self._finish(entry, None, now, report)
            elif isinstance(report, Launched) and report.start and not entry.is_warm:
                pool = entry.launch.pool or ""
                self._measurements.count(STANDBY_TASKS, class_of(entry.launch.cold_because), pool)

    def _started(self, entry: Entry, task: Task, now: float) -> None:
        """Measure the start of a task that runs, or has run."""
        if task.started_at is None or not self._lag(entry, "running", task.started_at, now):
            return
        for phase, seconds in start_phases(task):
            self._measurements.time(START_TIME, seconds, phase, entry.queue)
        self._finish(entry, task, now)

    def _lag(self, entry: Entry, event: str, at: float | None, now: float) -> bool:
        """Measure how late an event was seen; return whether it happened while this engine had the task."""
        known_since = entry.launch.first_sent_at or entry.task.launched_at
        lag = self._wall_clock() - at if at is not None else None
        if lag is None or lag > now - known_since:
            return False
        self._measurements.time(DETECTION_LAG, lag, event)
        return True

    def _finish(
        self,
        entry: Entry,
        task: Task | None,
        now: float,
        end: LaunchFailed | Cancelled | Stopped | None = None,
        *,
        warm: bool = False,
    ) -> None:
        """Hand over the start for its span, once."""
        trace, entry.trace = entry.trace, None
        if trace is None:
            return
        offset = self._wall_clock() - now
        sent_at, launched_at = entry.launch.first_sent_at, entry.task.launched_at
        self._measurements.finish_start(
            Start(
                trace,
                entry.queue,
                entry.number,
                ordered_at=entry.launch.ordered_at + offset,
                sent_at=sent_at + offset if sent_at is not None else None,
                accepted_at=launched_at + offset if task is not None else None,
                pull_started_at=task.pull_started_at if task is not None else None,
                pull_stopped_at=task.pull_stopped_at if task is not None else None,
                started_at=now + offset if warm else task.started_at if task is not None else None,
                over_at=now + offset if end is not None else None,
                arn=entry.arn,
                error=end.diagnosis.summary if end is not None else "",
                warm=warm,
            )
        )


def start_phases(task: Task) -> Iterator[tuple[str, float]]:
    """Yield the phases of a task's start and the seconds each took, as far as ECS shows them."""
    created, pulled, ready, started = (
        task.created_at,
        task.pull_started_at,
        task.pull_stopped_at,
        task.started_at,
    )
    for phase, begin, end in (
        ("provisioning", created, pulled),
        ("pull", pulled, ready),
        ("activating", ready, started),
        ("total", created, started),
    ):
        if begin is not None and end is not None:
            yield phase, end - begin
