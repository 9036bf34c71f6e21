"""Tells people what happens to runs: all of it in the task's Audit Log, a digest in the scheduler's log.

Airflow's scheduler loop writes the Audit Log's rows right after each heartbeat, so a heartbeat hands over few of them.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import Any, TypeAlias

from airflow.executors.base_executor import BaseExecutor

from ecs_async_executor.event_names import FAILURES, SETBACKS, WAITS, EventName
from ecs_async_executor.executor.runs import Run
from ecs_async_executor.executor.setbacks import Setback
from ecs_async_executor.log_digest import LogDigest
from ecs_async_executor.messages import Diagnosis, Launched, LaunchFailed, Recovery, Stopped

log = logging.getLogger(__name__)

FAILURES_KEPT = 5
"""Failures that the debug dump shows; the fleet page has those of a day."""
ROWS_PER_HEARTBEAT = 100
"""Audit Log rows handed to Airflow per heartbeat, at most; a heartbeat that adopts thousands of runs has more."""
COSTS_KEPT = 20_000
"""Costs that wait for the Audit Log at most: others go first, and memory is finite."""


_Row: TypeAlias = tuple[Any, EventName, str]
"""A task instance's key, an event, and its text."""


class TaskEvents:
    """Writes one executor's Audit Log events and log lines, in the scheduler's thread."""

    def __init__(self, executor: BaseExecutor, clock: Callable[[], float]) -> None:
        self._executor = executor
        self._clock = clock
        self._digest = LogDigest(log.log)
        self._urgent: deque[_Row] = deque()
        """What is handed over first: why tasks wait and fail."""
        self._rows: deque[_Row] = deque()
        self._last: deque[_Row] = deque()
        """What nobody waits for."""
        self._failures: deque[tuple[float, _Row]] = deque(maxlen=FAILURES_KEPT)
        """The last ones, each with its time."""

    def describe_failures(self) -> str:
        """Describe the last failures, the newest first, each on a line of its own: for the debug dump."""
        now = self._clock()
        lines = [
            f"\n  {now - at:.0f} s ago, {key.dag_id}/{key.run_id}/{key.task_id}, {event.value}: {text}"
            for at, (key, event, text) in reversed(self._failures)
        ]
        return "".join(lines) or " none"

    def log(self, cause: Hashable, text: str, level: int = logging.INFO) -> None:
        """Log a message that many runs may share: the first of each cause, then a summary once a minute."""
        self._digest.note(cause, text, self._clock(), level=level)

    def exception(self, what: str, text: str) -> None:
        """Log the exception being handled; with a traceback only once: each heartbeat may raise it."""
        kind, _, stack = sys.exc_info()
        # The cause is where it was raised, not its message, which may name a task.
        *_, (frame, line) = traceback.walk_tb(stack)
        cause = (what, kind, frame.f_code.co_filename, line)
        detail = traceback.format_exc().rstrip()
        self._digest.note(cause, text, self._clock(), level=logging.ERROR, detail=detail)

    def waits(self, run: Run, why: Diagnosis) -> None:
        """Tell why a run can't be launched now, once per cause: each of its launches may wait for the same one."""
        if why.summary in run.waits_for:
            return
        run.waits_for.add(why.summary)
        self.log(("waits", why.summary), f"{run.label} waits: {why}")
        self.record(run, EventName.WAITS, str(why))

    def waits_again(self, run: Run, patience: float) -> None:
        """Tell why a run must wait before its next launch, once per cause; `patience`: for how many seconds at most."""
        why = run.diagnosis
        limit = f"It waits up to {patience:.0f} s (`capacity_timeout`)."
        self.waits(run, replace(why, remedy=f"{why.remedy} {limit}".strip()))

    def launched(self, run: Run, task: Launched) -> None:
        """Tell which ECS task a run has. The row shows its ARN, but Airflow's UI doesn't."""
        queue = f"queue {run.queue}" if run.queue else ""
        waited = task.waited if run.waits_since is None else self._clock() - run.waits_since
        wait = f"after {waited:.0f} s without room" if waited >= 1 else ""
        facts = [task.capacity, f"cluster {task.cluster}", queue, f"launch {run.number}", wait, task.start]
        text = f"{task.arn} ({', '.join(part for part in facts if part)})"
        log.debug("%s was launched: %s", run.label, text)
        self.record(run, EventName.LAUNCHED, text)

    def slow_start(self, run: Run, why: Diagnosis) -> None:
        """Tell that a run's task is slow to start, and what it waits for."""
        self.log(("slow start", why.summary.partition(":")[2]), f"{run.label}: {why}", logging.WARNING)
        self.record(run, EventName.SLOW_START, str(why))

    def adopted(self, run: Run) -> None:
        """Tell that this scheduler has taken over a run of a scheduler that is gone."""
        what = f"its ECS task {run.launched.arn}" if run.launched is not None else "its launch"
        self.record(run, EventName.ADOPTED, f"Its scheduler is gone; another one has taken over {what}.")

    def start_failed(self, run: Run, max_starts: int, delay: float) -> None:
        """Tell that a start failed, and when the next one comes; `delay` is in seconds."""
        text = f"Start {run.starts} of {max_starts} failed, the next one in {delay:.0f} s. {run.diagnosis}"
        self.log(("start failed", run.diagnosis.summary), f"{run.label}: {text}", logging.WARNING)
        failed = EventName.START_FAILED if isinstance(run.ended, Stopped) else EventName.LAUNCH_FAILED
        self.record(run, failed, text)

    def standby_lost(self, run: Run) -> None:
        """Tell that a run starts cold because its standby didn't start it."""
        self.log(("standby", run.diagnosis.summary), f"{run.label} starts cold. {run.diagnosis}")
        self.record(run, EventName.STANDBY_LOST, f"It starts cold, at no cost. {run.diagnosis}")

    def adjusted(self, run: Run, event: EventName, reason: str) -> None:
        """Tell that a run has switched to its fallback profile, or which memory it gets after it lacked some."""
        self.log((event, run.queue), f"{run.label}: {reason}")
        self.record(run, event, reason)

    def setback(self, run: Run, setback: Setback) -> None:
        """Tell what later launches of a run's task may depend on: the database keeps it for any scheduler."""
        self.record(run, setback.event, str(setback))

    def superseded(self, run: Run) -> None:
        """Tell that a newer run of the same task has taken over."""
        self.log("superseded", f"{run.label} has been superseded; its ECS task is stopped if it still runs.")

    def moved_on(self, run: Run) -> None:
        """Tell that a run's task is stopped because users have changed its row."""
        self.log("moved on", f"{run.label} is stopped: its row has moved on.")

    def ended_by_airflow(self, run: Run) -> None:
        """Tell that Airflow has ended a task whose container lives."""
        self.log("ended", f"Airflow has ended {run.label}; its ECS task is stopped.", logging.WARNING)

    def left_to_airflow(self, run: Run, why: str) -> None:
        """Tell that Airflow decides about a run whose task we can't see."""
        text = f"{run.diagnosis} {why}"
        self.log("left", f"{run.label} is left to Airflow. {text}", logging.WARNING)
        self.record(run, EventName.LEFT_TO_AIRFLOW, text)

    def over(self, run: Run, gave_up: str = "", *, was_cleared: bool) -> None:
        """Tell that the executor reports a run's end to Airflow, because its worker hasn't; `gave_up`: after what tries."""
        if was_cleared:
            text = f"{run.label} was cleared, and has ended: Airflow runs it again. {run.diagnosis}"
            self.log("cleared", text)
        else:
            arn = f" [{run.launched.arn}]" if run.launched is not None else ""
            log.warning("%s: %s%s", run.label, run.diagnosis, arn)
        self.record(run, _name_of_end(run), f"{gave_up} {run.diagnosis}".strip())

    def record(self, run: Run, event: EventName, text: str) -> None:
        """Write to the task's Audit Log, at this heartbeat or a later one; a callback has none."""
        if not run.is_callback:
            self.record_for(run.key, event, text)

    def record_for(self, key: Any, event: EventName, text: str) -> None:
        """Write to the Audit Log of the task with this key."""
        row = (key, event, text)
        if event is EventName.COST:
            if len(self._last) >= COSTS_KEPT:
                self.log("costs", "More ECS tasks end than the Audit Log takes costs.", logging.WARNING)
                return
            self._last.append(row)
        elif event.value in SETBACKS:
            self._urgent.appendleft(row)  # before the task's next try looks for it
        else:
            (self._urgent if event.value in WAITS | FAILURES else self._rows).append(row)
        if event.value in FAILURES:
            self._failures.append((self._clock(), row))

    def flush(self) -> None:
        """Hand rows to Airflow, and log the summaries that are due. Call it at each heartbeat."""
        rows = len(self._urgent) + len(self._rows) + len(self._last)
        for _ in range(min(rows, ROWS_PER_HEARTBEAT)):
            key, event, text = (self._urgent or self._rows or self._last).popleft()
            self._executor.log_task_event(event=event.value, extra=text, ti_key=key)
        self._digest.flush(self._clock())


def _name_of_end(run: Run) -> EventName:
    """Return the Audit Log's event for a run that is over."""
    ended = run.ended
    if isinstance(ended, Stopped):
        return EventName.ENDED if ended.ran else EventName.NOT_STARTED
    if not isinstance(ended, LaunchFailed) or run.recovery is not Recovery.NONE:
        return EventName.ENDED
    return EventName.GIVEN_UP if ended.may_exist else EventName.NOT_LAUNCHED
