"""Reconciles the engine's reports with the rows: follows every run to its end, decides, and tells Airflow.

Runs in the scheduler's thread. It changes Airflow only through the executor's base class and `RowReader`.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from airflow.executors.base_executor import BaseExecutor
from typing_extensions import assert_never

from ecs_async_executor.config.heartbeats import Heartbeats
from ecs_async_executor.executor import airflow_compat
from ecs_async_executor.executor.cost_events import CostEvents
from ecs_async_executor.executor.decisions import (
    Decision,
    Row,
    RunView,
    decide_before_launch,
    decide_when_launched,
    decide_while_live,
)
from ecs_async_executor.executor.dispatcher import Dispatcher
from ecs_async_executor.executor.ended_runs import EndedRuns
from ecs_async_executor.executor.last_lines import LastLines
from ecs_async_executor.executor.retry_policy import RetryPolicy
from ecs_async_executor.executor.row_diagnosis import UNREADABLE
from ecs_async_executor.executor.rows.final_publish import publish_all
from ecs_async_executor.executor.rows.reader import READ_AGAIN_AFTER, RowReader
from ecs_async_executor.executor.rows.thread import RowDatabase
from ecs_async_executor.executor.run_state import RunState
from ecs_async_executor.executor.runs import Run, Runs
from ecs_async_executor.executor.task_events import TaskEvents
from ecs_async_executor.history import describe_oldest
from ecs_async_executor.measurements import Measurements
from ecs_async_executor.messages import (
    AnyRunReport,
    Cancelled,
    HandedOver,
    Launched,
    LaunchFailed,
    LaunchReport,
    Order,
    Recovery,
    Running,
    SlowStart,
    Stopped,
    Terminal,
    Waiting,
)
from ecs_async_executor.metrics import ADOPTIONS
from ecs_async_executor.task_cost import Prices

log = logging.getLogger(__name__)
T = TypeVar("T")

HANDLE_AGAIN_AFTER = 5.0
"""Seconds until a run whose report or row could not be handled gets its row read again."""

STANDBY_PATIENCE = 60.0
"""Seconds in which a standby must have started what it was handed over: it needs one or two."""

_ADOPTED = "another scheduler has adopted it"
_MOVED_ON = "Airflow has moved on: the task was cleared, marked or has ended"
_STUCK = "its standby did not start it in time"
_SUPERSEDED = "superseded: Airflow has moved on"


class Reconciler:
    """Follows all runs of one executor."""

    def __init__(  # noqa: PLR0913  it brings these parts together
        self,
        executor: BaseExecutor,
        dispatcher: Dispatcher,
        retry_policy: RetryPolicy,
        database: RowDatabase,
        heartbeats: Heartbeats,
        *,
        last_lines: LastLines,
        clock: Callable[[], float] = time.monotonic,
        measurements: Measurements | None = None,
        prices: Prices | None = None,
    ) -> None:
        """Bring the parts together; with `prices`, what each ECS task has used goes into the Audit Log."""
        self._executor = executor
        self._dispatcher = dispatcher
        self._retry_policy = retry_policy
        self._heartbeats = heartbeats
        self._last_lines = last_lines
        self._clock = clock
        self._measurements = measurements = measurements or Measurements()
        self.runs = Runs()
        self.task_events = TaskEvents(executor, clock)
        self._cost_events = CostEvents(self.task_events, prices)
        self._rows = RowReader(database, self.runs, lambda: executor.job_id)
        self._ended_runs = EndedRuns(
            executor,
            self.runs,
            self._rows,
            retry_policy,
            self.task_events,
            last_lines=last_lines,
            view=self._view,
            drop=self.drop,
            clock=clock,
            measurements=measurements,
        )

    def __repr__(self) -> str:
        return f"<Reconciler {self.runs!r}, {self._rows!r}>"

    def debug_dump(self) -> None:
        """Log the state, with the history of the runs that have been in theirs for longest."""
        log.info("%r%s", self, describe_oldest(self.runs.unsettled()))
        log.info("Last failures:%s", self.task_events.describe_failures())

    # --- runs that come and go ----------------------------------------------------------------------------

    def accept(self, runs: Iterable[Run]) -> list[tuple[Run, Exception]]:
        """Take in new runs, and order their launches; return those that can't be taken in, with the reason.

        Those whose profile depends on their tasks' earlier launches are ordered once these have been read.
        """
        ordered, refused = [], []
        for run in runs:
            try:
                if self._retry_policy.must_look_back(run):
                    run.looks_back = True
                    self._add(run)
                    self._rows.read_at(run, self._clock())  # and then it is ordered
                    continue
                self._adjust(run)
                order = self._dispatcher.order(run)
                self._add(run)
            except Exception as error:  # noqa: BLE001  it is logged, with its traceback
                self.task_events.exception("accept", f"Can't take in {run.label}.")
                refused.append((run, error))
            else:
                ordered.append((run, order))
        try:
            self._dispatcher.give(ordered, self._clock())
        except Exception:  # noqa: BLE001  it is logged, with its traceback
            self.task_events.exception(
                "order", "Can't order launches; each is ordered once its row has been read."
            )
            for run, _ in ordered:
                self._rows.read_at(run, self._clock())
        else:
            for run, _ in ordered:
                self._rows.read_in_turn(run, self._clock())
        return refused

    def adopt(self, runs: Iterable[Run]) -> None:
        """Take over the runs of an earlier scheduler. Adopting a run again costs at most one more search for its task."""
        launched = []
        for run in runs:
            known = self.runs.current(run.key)
            if known is not None and known.covers(run):
                known.had_in_between()
                self._rows.read_anew(known, self._clock())
                continue
            if known is not None:
                self.drop(known, "another scheduler had it in between, and launched it again")
            self._executor.running.add(run.key)
            self._add(run)
            self.task_events.adopted(run)
            self._measurements.count(ADOPTIONS, "launch" if run.launched is None else "arn")
            run.looks_back = self._retry_policy.must_look_back(run)
            if run.launched is None or run.looks_back:
                self._rows.read_at(run, self._clock())
            else:
                self._rows.read_in_turn(run, self._clock())
            if run.launched is not None:
                launched.append(run)
        self._dispatcher.submit(launched, self._clock())

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

    def drop(self, run: Run, why: str, *, stop: bool = False) -> None:
        """Forget a run; with `stop`, stop its task. Frees its slot unless a newer run has it."""
        if self.runs.is_current(run):
            self._executor.running.discard(run.key)
        self.runs.forget(run)
        self._rows.forget(run)
        self._dispatcher.drop(run, why, self._clock(), stop=stop)

    def revoke(self, key: Any) -> None:
        """Drop a task that Airflow found stuck in QUEUED, and stop its container. Airflow requeues the task."""
        run = self.runs.current(key)
        if run is not None:
            self.drop(run, "revoked: Airflow found it stuck in queued", stop=True)

    def ended_by_airflow(self, key: Any) -> None:
        """Stop the container of a task that Airflow itself has ended, because its heartbeats timed out."""
        run = self.runs.current(key)
        if run is None or run.ended is not None or run.stop is not None:
            return
        self.task_events.ended_by_airflow(run)
        reason = "Airflow has ended it: its heartbeats timed out"
        if run.state is RunState.PENDING:
            self.drop(run, reason, stop=True)
        else:
            run.ended_by_airflow = True
            run.event_sent = True  # sent again once the task has stopped, if core dropped the event
            self._dispatcher.stop(run, reason)

    # --- reports ------------------------------------------------------------------------------------------

    def note(self, report: AnyRunReport) -> None:
        """Handle a report about one run."""
        run = self.runs.get(report.run_id)
        if run is not None:
            self._guarded(self._note, run, report)
        elif (dropped := self._dispatcher.note(report, self._clock())) is not None:
            self._cost_events.note(dropped, report)

    def _note(self, run: Run, report: AnyRunReport) -> None:
        if isinstance(report, LaunchReport) and report.number != run.number:
            return  # about a launch that was over before this scheduler got the run back
        match report:
            case Launched():
                self._note_launched(run, report)
            case Running():
                if run.is_callback and self.runs.is_current(run):
                    self._executor.running_state(run.key)
            case Waiting():
                self.task_events.waits(run, report.diagnosis)
            case HandedOver():
                run.handed_over_at = self._clock()
                if run.state is RunState.LIVE:
                    self._look_whether_started(run)
            case SlowStart():
                self.task_events.slow_start(run, report.diagnosis)
            case LaunchFailed() | Stopped() | Cancelled():
                self._note_end(run, report)
            case _:
                assert_never(report)

    def _note_launched(self, run: Run, report: Launched) -> None:
        # The move comes first: a report that can't follow must change nothing.
        before, published_before = run.state, run.published
        run.move(RunState.LIVE if run.is_callback else RunState.LAUNCHED, "launched", self._clock())
        run.launched = report
        self.task_events.launched(run, report)
        if before is RunState.PENDING:
            self._dispatcher.watch(run)  # the engine launched it earlier, and may have been told to forget it
        if run.is_callback:
            return
        run.workload = None  # frees most of the run's memory; the row can provide it again
        run.own_ids |= {report.arn}
        if published_before is not None and self.runs.is_current(run):
            self._rows.publish_launch(run, instead_of=published_before)
        else:
            self._rows.read_at(run, self._clock())

    def _note_end(self, run: Run, report: Terminal) -> None:
        run.move(RunState.ENDED, type(report).__name__, self._clock())
        run.ended, run.ended_at = report, self._clock()
        self._cost_events.note(run, report)
        self._rows.read_at(run, self._clock())
        for setback in self._retry_policy.note_end(run, self._clock()):
            self.task_events.setback(run, setback)

    # --- decisions ----------------------------------------------------------------------------------------

    def decide(self, budget: float = math.inf) -> None:
        """Decide about the runs whose rows were read, for `budget` seconds, and query the rows due next."""
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
        for each in self._last_lines.audit_texts():
            self.task_events.record_for(each.key, each.event, each.text)
        self.task_events.flush()

    def publish_rest(self) -> int:
        """Publish the launches that rows don't show yet, at shutdown, in this thread; see `publish_all`."""
        return publish_all(self.runs, self._view)

    def _adjust(self, run: Run) -> None:
        for event, text in self._retry_policy.adjust(run, self._clock()):
            self.task_events.adjusted(run, event, text)

    def _decide(self, run: Run, row: Row | None) -> None:
        match run.state:
            case RunState.PENDING:
                self._decide_pending(run, row)
            case RunState.ORDERED | RunState.LIVE:
                self._decide_live(run, row)
            case RunState.LAUNCHED:
                self._decide_launched(run, row)
            case RunState.ENDED | RunState.REPORTED:
                self._ended_runs.decide(run, row)
            case RunState.DROPPED | RunState.DONE:
                pass  # forgotten since its row was asked for
            case _:
                assert_never(run.state)

    def _decide_pending(self, run: Run, row: Row | None) -> None:
        """Launch a run once its row shows the launch, so that the next scheduler finds it after a crash."""
        decision = Decision.LAUNCH if run.is_callback else decide_before_launch(row, self._view(run))
        if decision is Decision.PUBLISH:
            self._rows.publish(run, row)  # launched only when its row shows the launch
            self._rows.read_at(run, self._clock() + READ_AGAIN_AFTER)
        elif decision is Decision.SEARCH:
            self._retry_policy.adjust(run, self._clock())  # only to know what it was launched with
            run.recovery = Recovery.SEARCH_ONLY
            self._dispatcher.submit([run], self._clock())
        elif decision is not Decision.LAUNCH:
            self.drop(run, "Airflow has moved on", stop=decision is Decision.FORGET_AND_STOP)
        elif run.workload is None:
            self.note(LaunchFailed(run.run_id, run.number, UNREADABLE, permanent=True))
        else:
            self._adjust(run)
            self._dispatcher.submit([run], self._clock())

    def _decide_launched(self, run: Run, row: Row | None) -> None:
        decision = decide_when_launched(row, self._view(run))
        if decision is Decision.PUBLISH:
            self._rows.publish(run, row)
        elif decision is Decision.FORGET_AND_STOP:
            self.task_events.superseded(run)
            self.drop(run, _SUPERSEDED, stop=True)
        elif decision is Decision.FORGET:
            self.drop(run, _ADOPTED)
        else:
            run.move(RunState.LIVE, "its row shows it", self._clock())
            if run.handed_over_at is not None:
                self._look_whether_started(run)

    def _look_whether_started(self, run: Run) -> None:
        """Read a run's row when its standby has had enough time to start it."""
        self._rows.read_at(run, (run.handed_over_at or self._clock()) + STANDBY_PATIENCE)

    def _decide_live(self, run: Run, row: Row | None) -> None:
        """Decide about a run without a report: Airflow doesn't tell executors when users change a row."""
        if run.is_callback:
            return
        if run.adopted_by_arn and run.setbacks:
            self._retry_policy.adjust(run, self._clock())  # only to know what it was launched with
        decision = decide_while_live(row, self._view(run))
        reason = _MOVED_ON if self.runs.is_current(run) else _SUPERSEDED
        if decision is Decision.PUBLISH:
            self._rows.publish(run, row)
        elif decision is Decision.FORGET:
            self.drop(run, _ADOPTED)
        elif decision is Decision.FORGET_AND_STOP and run.launched is None:
            self.drop(run, reason, stop=True)  # otherwise its task would take the newer run's place
        elif decision in {Decision.FORGET_AND_STOP, Decision.UNWANTED} and run.stop is None:
            if run.unwanted_since is None:
                run.unwanted_since = self._clock()
            # Its task may live even if RunTask's answer was lost.
            if self._clock() - run.unwanted_since >= self._heartbeats.unwanted_grace:
                self.task_events.moved_on(run)
                self._dispatcher.stop(run, reason)
        if decision in {Decision.KEEP, Decision.PUBLISH}:
            run.unwanted_since = None
            self._stop_if_stuck(run, row)

    def _stop_if_stuck(self, run: Run, row: Row | None) -> None:
        """Stop a run's standby that should have started it long ago; then it starts cold. The row must be this run's."""
        if run.handed_over_at is None or run.stop is not None or row is None or row.state != "queued":
            return
        if self._clock() - run.handed_over_at >= STANDBY_PATIENCE:
            self._dispatcher.stop(run, _STUCK)

    def _view(self, run: Run) -> RunView:
        return self.runs.view(
            run,
            job_id=self._executor.job_id,
            queued_again=airflow_compat.is_queued(self._executor, run.key),
            may_relaunch=self._retry_policy.allow(run, self._clock()),
            heartbeats=self._heartbeats,
            asked_at=self._rows.asked_at,
        )

    def _guarded(self, handle: Callable[[Run, T], None], run: Run, what: T) -> None:
        """Handle one run's report or row; log exceptions, so that one bad run doesn't affect the others."""
        try:
            handle(run, what)
        except Exception:  # noqa: BLE001  it is logged, with its traceback
            self.task_events.exception("handle", f"Can't handle {run.label}")
            self._rows.read_at(run, self._clock() + HANDLE_AGAIN_AFTER)
