"""Follows every run from its order to its end: takes the engine's reports, reads the rows, decides, tells Airflow.

Runs in the scheduler's thread, inside `sync()`. All it does to Airflow goes through the executor's base class.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from itertools import zip_longest
from random import random
from typing import Any, TypeVar

from airflow.executors.base_executor import BaseExecutor

from ecs_async_executor import workloads
from ecs_async_executor.decisions import (
    Decision,
    Facts,
    Row,
    decide_before_launch,
    decide_when_ended,
    decide_when_launched,
    decide_while_live,
)
from ecs_async_executor.engine.backoff import backoff
from ecs_async_executor.engine.messages import (
    Cancelled,
    Diagnosis,
    Launched,
    LaunchFailed,
    Order,
    Recovery,
    Report,
    Running,
    Stopped,
    Waiting,
)
from ecs_async_executor.launches import Launches
from ecs_async_executor.orders import Orders
from ecs_async_executor.rounds import Rounds
from ecs_async_executor.rows import read_rows, read_workloads
from ecs_async_executor.runs import Run, Runs, launch_id
from ecs_async_executor.settings import Settings

log = logging.getLogger(__name__)
T = TypeVar("T")

DECIDE_SECONDS = 0.015
"""Bounds what each part of one heartbeat spends on decisions; the rest waits for the next. By time, since the
database's share of it grows when the engine is busy."""
ROWS_PER_QUERY = 50
CONFIRM_AFTER = 5.0
"""Seconds until a told event is checked: core drops events for rows that are locked at that instant."""
SHOW_AGAIN_AFTER = 1.0
"""Seconds until a row is read again that does not show the launch which is to be sent."""
UNWANTED_GRACE = 120.0
"""Seconds for a task to end by itself, after Airflow has moved on: its worker learns of that at its next heartbeat, or
has told the result itself, and then cleans up and uploads its log. `[core] task_success_overtime` comes on top."""

_UNREADABLE = Diagnosis("Airflow can't describe the task any more.", remedy="See the scheduler's log.")


class Supervisor:
    """All runs of one executor."""

    def __init__(
        self,
        executor: BaseExecutor,
        orders: Orders,
        submit: Callable[[Iterable[Order]], None],
        settings: Settings,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._executor = executor
        self.unwanted_grace = UNWANTED_GRACE
        self._launches = Launches(orders, submit)
        self._max_starts = settings.max_run_task_attempts
        self._capacity_timeout = settings.capacity_timeout
        self._clock = clock
        self.runs = Runs()
        self._launched: dict[str, Run] = {}
        """Runs whose ARN is to be told to Airflow."""
        self._ended: dict[str, float] = {}
        """Runs that ended, and when to decide about each."""
        self._rounds = Rounds()

    def __repr__(self) -> str:
        return f"<Supervisor {self.runs!r}, {len(self._launched)} to publish, {len(self._ended)} ended>"

    # --- runs that come and go ----------------------------------------------------------------------------

    def take_in(self, run: Run) -> Order:
        """Make a run the current one of its key, and give its launch order."""
        order = self._launches.order(run)
        self._add(run)
        return order

    def adopt(self, runs: Iterable[Run]) -> None:
        """Go on with the runs of a former scheduler. Adopting one again changes nothing."""
        launched = []
        for run in runs:
            known = self.runs.current(run.key)
            if known is not None and known.covers(run):
                continue
            if known is not None:
                self.drop(known)  # others had it meanwhile, and have launched it again
            self._executor.running.add(run.key)
            self._add(run)
            if run.launched is None:
                self._launches.postpone(run, self._clock())
            else:
                launched.append(run)
        self._launches.submit(launched)

    def _add(self, run: Run) -> None:
        self.runs.add(run)
        if not run.is_callback:
            self._rounds.add(run.run_id, self._clock())

    def live_orders(self) -> Iterator[Order]:
        """Order again all that is live, from a new engine."""
        return self._launches.live_orders(self.runs)

    def unpublished(self) -> list[Run]:
        """Give the runs whose ARN Airflow has not been told, or has not written into their row yet."""
        told = (self.runs.current(key) for key in self._executor.event_buffer)
        return [*self._launched.values(), *(run for run in told if run is not None)]

    def knows(self, run_id: str) -> bool:
        """Tell whether the engine may still have a run of this id."""
        return self.runs.get(run_id) is not None or self._launches.is_stopping(run_id)

    def drop(self, run: Run, *, stop: str | None = None) -> None:
        """Forget a run and stop its task if asked; its slot is free unless a newer run of the key has it."""
        if self.runs.is_current(run):
            self._executor.running.discard(run.key)
        self.runs.forget(run)
        self._launched.pop(run.run_id, None)
        self._ended.pop(run.run_id, None)
        self._launches.drop(run, stop=stop)

    def told_from_outside(self, key: Any) -> None:
        """Airflow itself has ended this task (its heartbeats timed out): stop its container."""
        run = self.runs.current(key)
        if run is None or run.ended is not None or run.stop is not None:
            return
        log.warning("Airflow has ended %s; its ECS task is stopped.", run.label)
        reason = "Airflow has ended it: its heartbeats timed out"
        if self._launches.is_pending(run):
            self.drop(run, stop=reason)
        else:
            run.told = True  # and again when it has stopped, if core has dropped the event
            self._launches.stop(run, reason)

    # --- reports ------------------------------------------------------------------------------------------

    def note(self, report: Report) -> None:
        """Take in what the engine says of one run."""
        run = self.runs.get(getattr(report, "run_id", ""))
        if run is not None:
            self._guarded(self._note, run, report)
        else:
            self._launches.note(report)

    def _note(self, run: Run, report: Report) -> None:
        if getattr(report, "number", run.number) != run.number:
            return  # of a launch that was over before the run came into these hands again
        match report:
            case Launched():
                run.launched = report
                run.ids.add(report.arn)
                self._launched[run.run_id] = run
            case Running():
                if run.is_callback and self.runs.is_current(run):
                    self._executor.running_state(run.key)
            case Waiting():
                log.info("%s waits: %s", run.label, report.diagnosis)
                self._log_event(run, "ecs launch waits", str(report.diagnosis))
            case LaunchFailed() | Stopped() | Cancelled():
                run.ended = report
                self._launched.pop(run.run_id, None)
                self._launches.settle(run)
                self._ended[run.run_id] = self._clock()
                if run.waits_since is None and not getattr(report, "costs_attempt", True):
                    run.waits_since = self._clock()

    # --- decisions ----------------------------------------------------------------------------------------

    def decide(self) -> None:
        """Look at the rows that matter now, and decide. What fails is taken up again at the next heartbeat."""
        for part in (self._look_round, self._launch_pending, self._decide_reported):
            try:
                part(self._clock())
            except Exception:
                log.exception("Can't read or decide; it is tried again at the next heartbeat.")

    def _decide_reported(self, now: float) -> None:
        """Decide about what was launched or has ended."""
        ended = [self.runs.get(run_id) for run_id, at in self._ended.items() if at <= now]
        # In turns, so that neither kind can hold up the other.
        turns = zip_longest((run for run in ended if run is not None), list(self._launched.values()))
        work = [run for pair in turns for run in pair if run is not None]
        for start in range(0, len(work), ROWS_PER_QUERY):
            runs = work[start : start + ROWS_PER_QUERY]
            rows = read_rows(runs)
            for run in runs:
                handle = self._decide_launched if run.ended is None else self._decide_ended
                self._guarded(handle, run, rows.get(run.run_id))
            if self._clock() - now > DECIDE_SECONDS:
                return

    def _launch_pending(self, now: float) -> None:
        """Launch what is due: a scheduler that comes after a crash must be able to find it by its row."""
        due = self._launches.due(now)
        for start in range(0, len(due), ROWS_PER_QUERY):
            runs = due[start : start + ROWS_PER_QUERY]
            rows = read_rows(runs)
            workloads_read = read_workloads([run for run in runs if run.workload is None])
            for run in runs:
                run.workload = run.workload or workloads_read.get(run.run_id)
                self._guarded(self._launch, run, rows.get(run.run_id))
            if self._clock() - now > DECIDE_SECONDS:
                return

    def _launch(self, run: Run, row: Row | None) -> None:
        nothing_lives = self._launches.nothing_lives(run)
        decision = (
            Decision.LAUNCH
            if run.is_callback
            else decide_before_launch(row, self._facts(run), nothing_lives=nothing_lives)
        )
        if decision is Decision.PUBLISH:
            # Not before the row shows it. Core drops events for rows that are locked, hence again and again.
            self._executor.running_state(run.key, run.published)
            self._launches.postpone(run, self._clock() + SHOW_AGAIN_AFTER)
        elif decision is Decision.FIND:
            run.recovery = Recovery.FIND
            self._launches.submit([run])
        elif decision is not Decision.LAUNCH:
            self.drop(run, stop="Airflow has moved on" if decision is Decision.FORGET_AND_STOP else None)
        elif run.workload is None:
            self.note(LaunchFailed(run.run_id, run.number, _UNREADABLE, permanent=True))
        else:
            self._launches.submit([run])

    def _look_round(self, now: float) -> None:
        """Look at the rows of runs about which nothing is reported: Airflow tells nobody what users do to them."""
        known = [run for run_id in self._rounds.take(now) if (run := self.runs.get(run_id)) is not None]
        for run in known:
            self._rounds.add(run.run_id, now)
        runs = [run for run in known if run.ended is None]
        rows = read_rows(runs)
        for run in runs:
            self._guarded(self._decide_live, run, rows.get(run.run_id))

    def _guarded(self, handle: Callable[[Run, T], None], run: Run, what: T) -> None:
        """One bad record harms no other."""
        try:
            handle(run, what)
        except Exception:
            log.exception("Can't handle %s", run.label)
            self._launched.pop(run.run_id, None)
            again = self._clock() + CONFIRM_AFTER
            if run.run_id in self._ended:
                self._decide_again(run, again)
            elif self._launches.is_pending(run):
                self._launches.postpone(run, again)

    def _decide_again(self, run: Run, at: float) -> None:
        self._ended.pop(run.run_id, None)  # to the end: what has to wait holds nobody up
        self._ended[run.run_id] = at

    def _decide_launched(self, run: Run, row: Row | None) -> None:
        del self._launched[run.run_id]
        if run.is_callback:
            return
        decision = decide_when_launched(row, self._facts(run))
        if decision is Decision.PUBLISH and run.launched is not None:
            self._executor.running_state(run.key, run.launched.arn)
        elif decision is Decision.FORGET_AND_STOP:
            log.info("%s has been superseded; its ECS task is stopped.", run.label)
            self.drop(run, stop="superseded: Airflow has moved on")
        elif decision is Decision.FORGET:
            self.drop(run)

    def _decide_live(self, run: Run, row: Row | None) -> None:
        if self._launches.is_pending(run):
            return  # its row is looked at when it is due
        decision = decide_while_live(row, self._facts(run))
        reason = "Airflow has moved on: the task was cleared, marked or has ended"
        if decision is Decision.PUBLISH:
            self._executor.running_state(run.key, run.published)
        elif decision is Decision.FORGET:
            self.drop(run)
        elif decision is Decision.FORGET_AND_STOP and run.launched is None:
            self.drop(run, stop=reason)  # its task would take the place of the newer run
        elif decision in {Decision.UNWANTED, Decision.FORGET_AND_STOP} and run.stop is None:
            if run.unwanted_since is None:
                run.unwanted_since = self._clock()
            # Its task may live, even if RunTask's answer was lost.
            if self._clock() - run.unwanted_since >= self.unwanted_grace:
                log.info("%s is stopped: its row has moved on.", run.label)
                self._launches.stop(run, reason)
        if decision in {Decision.KEEP, Decision.PUBLISH}:
            run.unwanted_since = None

    def _decide_ended(self, run: Run, row: Row | None) -> None:
        if run.is_callback:
            self._decide_callback(run)
            return
        decision = decide_when_ended(row, self._facts(run))
        if decision is Decision.RELAUNCH:
            self._relaunch(run)
        elif decision is Decision.FIND and not run.anonymous:
            del self._ended[run.run_id]
            run.launched = run.ended = None
            run.recovery = Recovery.FIND
            self._launches.submit([run])
        elif decision in {Decision.FAIL, Decision.SUCCEED}:
            self._tell(run, decision)
        else:
            self.drop(run)

    def _decide_callback(self, run: Run) -> None:
        """Decide by the exit code: a callback has no row, and nobody else reports its end."""
        ended = run.ended
        if not self.runs.is_current(run):
            log.info("%s has been superseded.", run.label)
        elif isinstance(ended, Stopped) and ended.exit_code == 0:
            self._executor.success(run.key)
        elif not (isinstance(ended, Stopped) and ended.ran) and self._facts(run).may_relaunch:
            self._relaunch(run)
            return
        else:
            self._executor.fail(run.key, str(run.diagnosis))
        self.drop(run)

    def _facts(self, run: Run) -> Facts:
        return self.runs.facts(
            run,
            job_id=self._executor.job_id,
            queued_again=workloads.is_queued(self._executor, run.key),
            may_relaunch=self._may_relaunch(run),
        )

    def _may_relaunch(self, run: Run) -> bool:
        """Lack of capacity costs time, every other start failure costs one of the run's start attempts."""
        if not getattr(run.ended, "costs_attempt", True) and run.waits_since is not None:
            return self._clock() - run.waits_since < self._capacity_timeout
        return run.starts < self._max_starts and not getattr(run.ended, "permanent", False)

    def _relaunch(self, run: Run) -> None:
        if getattr(run.ended, "costs_attempt", True):
            delay = backoff(run.starts, base=10.0, cap=60.0, random=random)
            text = f"Start {run.starts} of {self._max_starts} failed, the next one in {delay:.0f} s. {run.diagnosis}"
            log.warning("%s: %s", run.label, text)
            self._log_event(run, "ecs launch failed", text)
            run.starts += 1
        else:
            # Thousands may wait for room; each try takes one of the calls that AWS allows.
            delay = backoff(run.number, base=5.0, cap=300.0, random=random)
            if run.diagnosis.summary not in run.waits_for:
                run.waits_for.add(run.diagnosis.summary)
                log.info("%s waits: %s", run.label, run.diagnosis)
                self._log_event(run, "ecs launch waits", str(run.diagnosis))
        del self._ended[run.run_id]
        run.next_launch()
        if run.anonymous:
            # Under which ids it was launched is not known, so none of them is used again.
            run.anonymous = False
            self.runs.rename(run, str(uuid.uuid4()))
            self._rounds.add(run.run_id, self._clock())
        if not run.is_callback:
            run.ids.add(launch_id(run.run_id, run.number))
            self._executor.running_state(run.key, run.published)
        self._launches.postpone(run, self._clock() + delay)

    def _tell(self, run: Run, decision: Decision) -> None:
        """Tell Airflow the end, and again after a while if the row has not moved."""
        if not run.told:
            run.told = True
            if decision is Decision.SUCCEED:
                log.info("%s was cleared, and has ended: Airflow runs it again. %s", run.label, run.diagnosis)
            else:
                log.warning("%s: %s", run.label, run.diagnosis)
            self._log_event(run, "ecs task ended", str(run.diagnosis))
        tell = self._executor.fail if decision is Decision.FAIL else self._executor.success
        tell(run.key, str(run.diagnosis))
        self._decide_again(run, self._clock() + CONFIRM_AFTER)

    def _log_event(self, run: Run, event: str, text: str) -> None:
        """Write to the task's Audit Log."""
        if not run.is_callback:
            self._executor.log_task_event(event=event, extra=text, ti_key=run.key)
