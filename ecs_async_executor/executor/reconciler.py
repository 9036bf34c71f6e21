"""Reconciles the engine's reports with the rows: follows every run to its end, decides, and tells Airflow.

Runs in the scheduler's thread. It changes Airflow only through the executor's base class and `RowPoller`.
"""

from __future__ import annotations

import logging
import math
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from airflow.executors.base_executor import BaseExecutor

from ecs_async_executor.executor import airflow_compat
from ecs_async_executor.executor.decisions import (
    Decision,
    Row,
    RunView,
    decide_before_launch,
    decide_when_ended,
    decide_when_launched,
    decide_while_live,
    describe_left,
)
from ecs_async_executor.executor.dispatcher import Dispatcher
from ecs_async_executor.executor.retry_policy import RetryPolicy
from ecs_async_executor.executor.row_diagnosis import UNREADABLE, with_row
from ecs_async_executor.executor.rows.final_publish import publish_all
from ecs_async_executor.executor.rows.poller import READ_AGAIN_AFTER, RowPoller
from ecs_async_executor.executor.rows.thread import RowDatabase
from ecs_async_executor.executor.runs import Run, Runs
from ecs_async_executor.executor.task_events import TaskEvents
from ecs_async_executor.messages import (
    Cancelled,
    Diagnosis,
    Launched,
    LaunchFailed,
    Order,
    Recovery,
    Report,
    Running,
    Stopped,
    Terminal,
    Waiting,
)

log = logging.getLogger(__name__)
T = TypeVar("T")

CONFIRM_AFTER = 5.0
"""Seconds until we check a sent event: core drops events for rows that are locked when it handles them."""
UNWANTED_GRACE = 120.0
"""Seconds a task gets to end by itself once Airflow has moved on.

Its worker learns of that at its next heartbeat, or has reported the result itself; then it cleans up and
uploads its log. `[core] task_success_overtime` is added to this."""

_MOVED_ON = "Airflow has moved on: the task was cleared, marked or has ended"
_SUPERSEDED = "superseded: Airflow has moved on"


class Reconciler:
    """Follows all runs of one executor."""

    def __init__(
        self,
        executor: BaseExecutor,
        dispatcher: Dispatcher,
        retry_policy: RetryPolicy,
        database: RowDatabase,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._executor = executor
        self.unwanted_grace = UNWANTED_GRACE
        self._dispatcher = dispatcher
        self._retry_policy = retry_policy
        self._clock = clock
        self.runs = Runs()
        self.task_events = TaskEvents(executor, clock)
        self._rows = RowPoller(database, self.runs, lambda: executor.job_id)

    def __repr__(self) -> str:
        return f"<Reconciler {self.runs!r}, {self._rows!r}>"

    # --- runs that come and go ----------------------------------------------------------------------------

    def accept(self, run: Run) -> Order:
        """Make a run the current one of its key, and return its launch order."""
        self._fall_back(run)
        order = self._dispatcher.order(run)
        self._add(run)
        self._rows.read_in_turn(run, self._clock())
        return order

    def adopt(self, runs: Iterable[Run]) -> None:
        """Take over the runs of an earlier scheduler. Adopting a run twice changes nothing."""
        launched = []
        for run in runs:
            known = self.runs.current(run.key)
            if known is not None and known.covers(run):
                self._rows.read_anew(known, self._clock())
                continue
            if known is not None:
                self.drop(known)  # another scheduler had it in between and launched it again
            self._executor.running.add(run.key)
            self._add(run)
            if run.launched is None:
                self._postpone(run, self._clock())
            else:
                self._rows.read_in_turn(run, self._clock())
                launched.append(run)
        self._dispatcher.submit(launched)

    def _add(self, run: Run) -> None:
        before = self.runs.current(run.key)
        self.runs.add(run)
        if before is not None:
            self._rows.read_anew(before, self._clock())

    def live_orders(self) -> Iterator[Order]:
        """Make the orders for all live runs again, for a new engine."""
        return self._dispatcher.live_orders(self.runs)

    def knows(self, run_id: str) -> bool:
        """Return whether the engine may still have a run of this id."""
        return self.runs.get(run_id) is not None or self._dispatcher.is_stopping(run_id)

    def drop(self, run: Run, *, stop: str | None = None) -> None:
        """Forget a run; if `stop` gives a reason, stop its task. Frees its slot unless a newer run has it."""
        if self.runs.is_current(run):
            self._executor.running.discard(run.key)
        self.runs.forget(run)
        self._rows.forget(run)
        self._dispatcher.drop(run, stop=stop)

    def ended_by_airflow(self, key: Any) -> None:
        """Stop the container of a task that Airflow itself has ended, because its heartbeats timed out."""
        run = self.runs.current(key)
        if run is None or run.ended is not None or run.stop is not None:
            return
        self.task_events.log(
            "ended", f"Airflow has ended {run.label}; its ECS task is stopped.", logging.WARNING
        )
        reason = "Airflow has ended it: its heartbeats timed out"
        if self._dispatcher.is_pending(run):
            self.drop(run, stop=reason)
        else:
            run.event_sent = True  # sent again once the task has stopped, if core dropped the event
            self._dispatcher.stop(run, reason)

    # --- reports ------------------------------------------------------------------------------------------

    def note(self, report: Report) -> None:
        """Handle a report about one run."""
        run = self.runs.get(getattr(report, "run_id", ""))
        if run is not None:
            self._guarded(self._note, run, report)
        else:
            self._dispatcher.note(report)

    def _note(self, run: Run, report: Report) -> None:
        if getattr(report, "number", run.number) != run.number:
            return  # about a launch that was over before this scheduler got the run back
        match report:
            case Launched():
                published_before, run.launched = run.published, report
                if run.is_callback:
                    return
                run.workload = None  # frees most of the run's memory; the row can provide it again
                run.ids |= {report.arn}
                run.unpublished = True
                if published_before is not None and self.runs.is_current(run):
                    self._rows.publish_launch(run, instead_of=published_before)
                else:
                    self._rows.read_at(run, self._clock())
            case Running():
                if run.is_callback and self.runs.is_current(run):
                    self._executor.running_state(run.key)
            case Waiting():
                self._record_waiting(run, report.diagnosis)
            case LaunchFailed() | Stopped() | Cancelled():
                self._note_end(run, report)

    def _note_end(self, run: Run, report: Terminal) -> None:
        run.ended, run.ended_at = report, self._clock()
        run.unpublished = False
        self._dispatcher.discard_pending(run)
        self._rows.read_at(run, self._clock())
        if run.costs_attempt:
            run.waits_since = None  # this launch did get capacity
        elif run.waits_since is None:
            run.waits_since = self._clock()
        if getattr(report, "interrupted", False):
            self._retry_policy.interrupted(run)

    # --- decisions ----------------------------------------------------------------------------------------

    def decide(self, budget: float = math.inf) -> None:
        """Decide about the runs whose rows were read, and query the rows that are due next.

        `budget`: seconds; runs that don't fit wait for the next call.
        """
        now = self._clock()
        try:
            for run, row in self._rows.answers(now):
                self._guarded(self._decide, run, row)
                self._rows.read_in_turn(run, self._clock())
                if self._clock() - now > budget:
                    break
            self._rows.ask(now)
        except Exception:  # noqa: BLE001  it is logged, with its traceback
            self.task_events.exception("decide", "Can't decide; it is tried again at the next heartbeat.")
        self.task_events.flush()

    def publish_rest(self) -> int:
        """Publish the launches that rows don't show yet, at shutdown, in this thread; see `publish_all`."""
        return publish_all(self.runs, self._view)

    def _decide(self, run: Run, row: Row | None) -> None:
        if run.ended is not None:
            self._decide_ended(run, row)
        elif self._dispatcher.is_pending(run):
            self._decide_pending(run, row)
        elif run.is_callback:
            pass
        elif run.unpublished:
            self._decide_launched(run, row)
        else:
            self._decide_live(run, row)

    def _decide_pending(self, run: Run, row: Row | None) -> None:
        """Launch a run once its row shows the launch, so that the next scheduler finds it after a crash."""
        nothing_lives = self._dispatcher.nothing_lives(run)
        decision = (
            Decision.LAUNCH
            if run.is_callback
            else decide_before_launch(row, self._view(run), nothing_lives=nothing_lives)
        )
        if decision is Decision.PUBLISH:
            self._rows.publish(run, row)  # launched only when its row shows the launch
            self._postpone(run, self._clock() + READ_AGAIN_AFTER)
        elif decision is Decision.SEARCH:
            run.recovery = Recovery.SEARCH_ONLY
            self._dispatcher.submit([run])
        elif decision is not Decision.LAUNCH:
            self.drop(run, stop="Airflow has moved on" if decision is Decision.FORGET_AND_STOP else None)
        elif run.workload is None:
            self.note(LaunchFailed(run.run_id, run.number, UNREADABLE, permanent=True))
        else:
            self._dispatcher.submit([run])

    def _decide_launched(self, run: Run, row: Row | None) -> None:
        decision = decide_when_launched(row, self._view(run))
        if decision is Decision.PUBLISH:
            self._rows.publish(run, row)
        elif decision is Decision.FORGET_AND_STOP:
            self.task_events.log("superseded", f"{run.label} has been superseded; its ECS task is stopped.")
            self.drop(run, stop=_SUPERSEDED)
        elif decision is Decision.FORGET:
            self.drop(run)
        else:
            run.unpublished = False

    def _decide_live(self, run: Run, row: Row | None) -> None:
        """Decide about a run without a report: Airflow doesn't tell executors when users change a row."""
        decision = decide_while_live(row, self._view(run))
        reason = _MOVED_ON if self.runs.is_current(run) else _SUPERSEDED
        if decision is Decision.PUBLISH:
            self._rows.publish(run, row)
        elif decision is Decision.FORGET:
            self.drop(run)
        elif decision is Decision.FORGET_AND_STOP and run.launched is None:
            self.drop(run, stop=reason)  # otherwise its task would take the newer run's place
        elif decision in {Decision.FORGET_AND_STOP, Decision.UNWANTED} and run.stop is None:
            if run.unwanted_since is None:
                run.unwanted_since = self._clock()
            # Its task may live even if RunTask's answer was lost.
            if self._clock() - run.unwanted_since >= self.unwanted_grace:
                self.task_events.log("moved on", f"{run.label} is stopped: its row has moved on.")
                self._dispatcher.stop(run, reason)
        if decision in {Decision.KEEP, Decision.PUBLISH}:
            run.unwanted_since = None

    def _decide_ended(self, run: Run, row: Row | None) -> None:
        if run.is_callback:
            self._decide_callback(run)
            return
        decision = decide_when_ended(row, self._view(run))
        if decision in {Decision.RELAUNCH, Decision.FAIL}:  # the row is this run's, so it may explain the end
            run.ended = with_row(run.ended, row)
            decision = decide_when_ended(row, self._view(run))
        if decision is Decision.RELAUNCH:
            self._relaunch(run, row)
        elif decision is Decision.SEARCH and not run.adopted_by_arn:
            run.launched = run.ended = None
            run.recovery = Recovery.SEARCH_ONLY
            self._postpone(run, self._clock())
        elif decision in {Decision.FAIL, Decision.SUCCEED}:
            self._send_event(run, decision)
        elif decision is Decision.WAIT:
            self._rows.read_at(run, self._clock() + CONFIRM_AFTER)
        else:
            if decision is Decision.LEAVE and row is not None:
                text = f"{run.diagnosis} {describe_left(row, self.runs.heartbeat_timeout)}"
                self.task_events.log("left", f"{run.label} is left to Airflow. {text}", logging.WARNING)
                self.task_events.record(run, "ecs task left to airflow", text)
            self.drop(run)

    def _decide_callback(self, run: Run) -> None:
        """Decide by the exit code: a callback has no row, and nothing else reports its end."""
        ended = run.ended
        if not self.runs.is_current(run):
            self.task_events.log("superseded callback", f"{run.label} has been superseded.")
        elif isinstance(ended, Stopped) and ended.exit_code == 0:
            self._executor.success(run.key)
        elif not (isinstance(ended, Stopped) and ended.ran) and self._view(run).may_relaunch:
            self._relaunch(run, None)
            return
        else:
            self._executor.fail(run.key, str(run.diagnosis))
        self.drop(run)

    def _view(self, run: Run) -> RunView:
        return self.runs.view(
            run,
            job_id=self._executor.job_id,
            queued_again=airflow_compat.is_queued(self._executor, run.key),
            may_relaunch=self._retry_policy.allow(run, self._clock()),
            asked_at=self._rows.asked_at,
        )

    # --- carrying decisions out ---------------------------------------------------------------------------

    def _relaunch(self, run: Run, row: Row | None) -> None:
        delay = self._retry_policy.delay(run)
        self._fall_back(run)
        if run.costs_attempt:
            text = (
                f"Start {run.starts} of {self._retry_policy.max_starts(run)} failed,"
                f" the next one in {delay:.0f} s. {run.diagnosis}"
            )
            self.task_events.log(
                ("start failed", run.diagnosis.summary), f"{run.label}: {text}", logging.WARNING
            )
            self.task_events.record(run, "ecs launch failed", text)
            run.starts += 1
        elif run.diagnosis.summary not in run.waits_for:
            run.waits_for.add(run.diagnosis.summary)
            self._record_waiting(run, run.diagnosis)
        run.next_launch()
        if run.adopted_by_arn:
            # We don't know the ids of its earlier launches; a new run id avoids using any of them again.
            run.adopted_by_arn = False
            self._rows.forget(run)
            self.runs.rename(run, str(uuid.uuid4()))
        if not run.is_callback:
            run.ids |= {str(run.launch_id)}
            self._rows.publish(run, row)
        self._postpone(run, self._clock() + delay)

    def _fall_back(self, run: Run) -> None:
        """Switch a run to its fallback profile if the retry policy says so."""
        reason = self._retry_policy.fall_back(run, self._clock())
        if reason is not None:
            self.task_events.log(("fallback", reason), f"{run.label}: {reason}")
            self.task_events.record(run, "ecs fallback", reason)

    def _postpone(self, run: Run, until: float) -> None:
        """Read a run's row at that time, and launch the run if the row allows."""
        self._dispatcher.postpone(run)
        self._rows.read_at(run, until)

    def _send_event(self, run: Run, decision: Decision) -> None:
        """Tell Airflow that a run ended, and again after a while if the row hasn't changed."""
        if not run.event_sent:
            run.event_sent = True
            if decision is Decision.SUCCEED:
                text = f"{run.label} was cleared, and has ended: Airflow runs it again. {run.diagnosis}"
                self.task_events.log("cleared", text)
            else:
                log.warning("%s: %s", run.label, run.diagnosis)
            never_began = isinstance(run.ended, LaunchFailed) and run.recovery is Recovery.NONE
            event = "ecs task not launched" if never_began else "ecs task ended"
            self.task_events.record(run, event, str(run.diagnosis))
        send = self._executor.fail if decision is Decision.FAIL else self._executor.success
        send(run.key, str(run.diagnosis))
        self._rows.read_at(run, self._clock() + CONFIRM_AFTER)

    def _record_waiting(self, run: Run, why: Diagnosis) -> None:
        self.task_events.log(("waits", why.summary), f"{run.label} waits: {why}")
        self.task_events.record(run, "ecs launch waits", str(why))

    def _guarded(self, handle: Callable[[Run, T], None], run: Run, what: T) -> None:
        """Handle one run's report or row; log exceptions, so that one bad run doesn't affect the others."""
        try:
            handle(run, what)
        except Exception:  # noqa: BLE001  it is logged, with its traceback
            self.task_events.exception("handle", f"Can't handle {run.label}")
            self._rows.read_at(run, self._clock() + CONFIRM_AFTER)
