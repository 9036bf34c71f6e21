"""What becomes of a run that has ended: it is launched again, reported to Airflow, or left to Airflow.

Runs in the scheduler's thread.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Protocol

from airflow.executors.base_executor import BaseExecutor

from ecs_async_executor.event_names import EventName
from ecs_async_executor.executor.decisions import Decision, Row, RunView, decide_when_ended, describe_left
from ecs_async_executor.executor.last_lines import LastLines
from ecs_async_executor.executor.retry_policy import RetryPolicy
from ecs_async_executor.executor.row_diagnosis import explain_by_row
from ecs_async_executor.executor.rows.reader import RowReader
from ecs_async_executor.executor.run_state import RunState
from ecs_async_executor.executor.runs import Run, Runs
from ecs_async_executor.executor.task_events import TaskEvents
from ecs_async_executor.measurements import Measurements
from ecs_async_executor.messages import LaunchFailed, Recovery, Stopped, Terminal
from ecs_async_executor.metrics import RELAUNCHES

CONFIRM_AFTER = 5.0
"""Seconds until we check a sent event: core drops events for rows that are locked when it handles them."""


class Drop(Protocol):
    """Forgets a run, and frees its slot."""

    def __call__(self, run: Run, why: str) -> None:
        """Forget this run."""


class EndedRuns:
    """Decides about runs whose end the engine has reported, and carries that out."""

    def __init__(  # noqa: PLR0913  it brings these parts together
        self,
        executor: BaseExecutor,
        runs: Runs,
        rows: RowReader,
        retry_policy: RetryPolicy,
        task_events: TaskEvents,
        *,
        last_lines: LastLines,
        view: Callable[[Run], RunView],
        drop: Drop,
        clock: Callable[[], float],
        measurements: Measurements,
    ) -> None:
        self._executor = executor
        self._runs = runs
        self._rows = rows
        self._retry_policy = retry_policy
        self._task_events = task_events
        self._last_lines = last_lines
        self._view = view
        self._drop = drop
        self._clock = clock
        self._measurements = measurements

    def decide(self, run: Run, row: Row | None) -> None:
        """Decide about an ended run by its row; a callback has none."""
        if run.is_callback:
            self._decide_callback(run)
            return
        view = self._view(run)
        decision = decide_when_ended(row, view)
        if decision in {Decision.RELAUNCH, Decision.FAIL}:  # the row is this run's, so it may explain the end
            run.ended = explain_by_row(run.ended, row)
            view = self._view(run)
            decision = decide_when_ended(row, view)
        if decision is Decision.RELAUNCH:
            self._relaunch(run, row)
        elif decision is Decision.SEARCH and not run.adopted_by_arn:
            run.move(RunState.PENDING, "its row is running, so another launch of it runs", self._clock())
            run.launched = run.ended = None
            run.recovery = Recovery.SEARCH_ONLY
            self._rows.read_at(run, self._clock())
        elif decision in {Decision.FAIL, Decision.SUCCEED}:
            self._send_event(run, decision)
        elif decision is Decision.WAIT:
            self._rows.read_at(run, self._clock() + CONFIRM_AFTER)
        else:
            if decision is Decision.LEAVE and row is not None:
                self._task_events.left_to_airflow(run, describe_left(row, view.heartbeats.timeout))
            self._drop(run, f"decided: {decision.name}")
            if run.ended_by_airflow:
                self._last_lines.keep(run)
            elif decision is Decision.DONE and row is not None and row.state == "up_for_reschedule":
                self._last_lines.look_for_missing_dag(run)

    def _decide_callback(self, run: Run) -> None:
        """Decide by the exit code: a callback has no row, and nothing else reports its end."""
        view, ended = self._view(run), run.ended
        if not self._runs.is_current(run):
            self._task_events.superseded(run)
        elif isinstance(ended, Stopped) and ended.exit_code == 0:
            self._executor.success(run.key)
        elif not view.ran and view.may_relaunch:
            return self._relaunch(run, None)
        else:
            self._executor.fail(run.key, str(run.diagnosis))
        return self._drop(run, "its end is reported")

    def _relaunch(self, run: Run, row: Row | None) -> None:
        if _may_live(run, row):
            run.move(RunState.PENDING, "another scheduler may have launched it", self._clock())
            run.search_again()
            self._rows.read_at(run, self._clock())
            return
        delay = self._retry_policy.delay(run)
        if (reason := self._retry_policy.fall_back(run, self._clock())) is not None:
            self._task_events.adjusted(run, EventName.FALLBACK, reason)
        if run.lost_standby:
            self._task_events.standby_lost(run)
        elif run.costs_attempt:
            self._task_events.start_failed(run, self._retry_policy.max_starts(run), delay)
            run.starts += 1
        else:
            self._task_events.waits_again(run, self._retry_policy.capacity_timeout(run))
        run.relaunched_for = class_of(run.ended)
        self._measurements.count(RELAUNCHES, run.relaunched_for)
        run.move(RunState.PENDING, "to be launched again", self._clock())
        run.next_launch()
        if run.adopted_by_arn:
            # We don't know the ids of its earlier launches; a new run id avoids using any of them again.
            run.adopted_by_arn = False
            self._rows.forget(run)
            self._runs.rename(run, str(uuid.uuid4()))
        if not run.is_callback:
            run.own_ids |= {str(run.launch_id)}
            self._rows.publish(run, row)
        self._rows.read_at(run, self._clock() + delay)

    def _send_event(self, run: Run, decision: Decision) -> None:
        """Tell Airflow that a run ended, and again after a while if the row hasn't changed."""
        if not run.event_sent:
            run.event_sent = True
            gave_up = self._retry_policy.describe_tries(run)
            self._task_events.over(run, gave_up, was_cleared=decision is Decision.SUCCEED)
            if decision is Decision.FAIL:
                self._last_lines.keep(run)
        if run.state is RunState.ENDED:
            run.move(RunState.REPORTED, decision.name, self._clock())
        send = self._executor.fail if decision is Decision.FAIL else self._executor.success
        send(run.key, str(run.diagnosis))
        self._rows.read_at(run, self._clock() + CONFIRM_AFTER)


def _may_live(run: Run, row: Row | None) -> bool:
    """Return whether another scheduler may have sent the launch that has failed here.

    What RunTask has answered holds for all who send a launch, but neither what was never sent nor what a standby didn't get.
    Only a scheduler that adopts a run writes the id of its first launch to the row.
    """
    shows_another = row is not None and run.number == 1 and row.external_executor_id == str(run.launch_id)
    return (run.had_by_another and isinstance(run.ended, LaunchFailed)) or (
        run.lost_standby and shows_another
    )


def class_of(ended: Terminal | None) -> str:
    """Return the class of a relaunch, by how the last launch ended."""
    if isinstance(ended, (LaunchFailed, Stopped)) and ended.standby:
        return "standby"
    if ended is not None and not ended.costs_attempt:
        return "capacity"
    if isinstance(ended, Stopped):
        return "spot" if ended.interrupted else "start failure"
    return "launch failure"
