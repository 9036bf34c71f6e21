"""Tells people what happens to runs: all of it in the task's Audit Log, a digest in the scheduler's log."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Callable, Hashable

from airflow.executors.base_executor import BaseExecutor

from ecs_async_executor import event_names
from ecs_async_executor.executor.runs import Run
from ecs_async_executor.log_digest import LogDigest
from ecs_async_executor.messages import Diagnosis, LaunchFailed, Recovery

log = logging.getLogger(__name__)


class TaskEvents:
    """Writes one executor's Audit Log events and log lines, in the scheduler's thread."""

    def __init__(self, executor: BaseExecutor, clock: Callable[[], float]) -> None:
        self._executor = executor
        self._clock = clock
        self._digest = LogDigest(log.log)

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
        """Tell why a run can't be launched now."""
        self.log(("waits", why.summary), f"{run.label} waits: {why}")
        self.record(run, event_names.LAUNCH_WAITS, str(why))

    def waits_again(self, run: Run) -> None:
        """Tell why a run must wait before its next launch, once per cause."""
        if run.diagnosis.summary not in run.waits_for:
            run.waits_for.add(run.diagnosis.summary)
            self.waits(run, run.diagnosis)

    def start_failed(self, run: Run, max_starts: int, delay: float) -> None:
        """Tell that a start failed, and when the next one comes; `delay` is in seconds."""
        text = f"Start {run.starts} of {max_starts} failed, the next one in {delay:.0f} s. {run.diagnosis}"
        self.log(("start failed", run.diagnosis.summary), f"{run.label}: {text}", logging.WARNING)
        self.record(run, event_names.LAUNCH_FAILED, text)

    def fell_back(self, run: Run, reason: str) -> None:
        """Tell that a run has switched to its fallback profile."""
        self.log(("fallback", reason), f"{run.label}: {reason}")
        self.record(run, event_names.FALLBACK, reason)

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
        self.record(run, event_names.LEFT_TO_AIRFLOW, text)

    def over(self, run: Run, *, was_cleared: bool) -> None:
        """Tell that the executor reports a run's end to Airflow, because its worker hasn't."""
        if was_cleared:
            text = f"{run.label} was cleared, and has ended: Airflow runs it again. {run.diagnosis}"
            self.log("cleared", text)
        else:
            log.warning("%s: %s", run.label, run.diagnosis)
        self.record(run, _name_of_end(run), str(run.diagnosis))

    def record(self, run: Run, event: str, text: str) -> None:
        """Write to the task's Audit Log; a callback has none."""
        if not run.is_callback:
            self._executor.log_task_event(event=event, extra=text, ti_key=run.key)

    def flush(self) -> None:
        """Log the summaries that are due. Call it at each heartbeat."""
        self._digest.flush(self._clock())


def _name_of_end(run: Run) -> str:
    """Return the Audit Log's event for a run that is over."""
    if not isinstance(run.ended, LaunchFailed) or run.recovery is not Recovery.NONE:
        return event_names.TASK_ENDED
    return event_names.LAUNCH_GIVEN_UP if run.ended.may_exist else event_names.NOT_LAUNCHED
