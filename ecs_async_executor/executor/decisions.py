"""Decides by a run's row what to tell Airflow about the run. Pure: one table, one test per row.

The worker itself reports its result through the API server. The executor's events are only for workers that
die without reporting; a wrong event fails a healthy task. So we read the row before any event: it decides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from functools import wraps
from typing import Any

from ecs_async_executor.config.heartbeats import Heartbeats
from ecs_async_executor.launch_id import LaunchId

HEARTBEATS_WAITED = 3
"""Heartbeat intervals to wait for another worker's heartbeat before concluding that there is none."""


class Decision(Enum):
    """What to do about a run."""

    FORGET_AND_STOP = "it is history: forget it, and stop its task if it lives"
    FORGET = "another scheduler has adopted it: forget it, and leave its task alone"
    PUBLISH = "its row doesn't show its launch: write the launch there"
    RELAUNCH = "its code never ran: launch it again"
    FAIL = "it died without reporting a result: tell Airflow that it failed"
    LEAVE = "its code runs in a worker that we can't see: forget it, Airflow decides"
    WAIT = "another worker may have started its code: wait for a heartbeat"
    SUCCEED = "it was cleared while running: tell Airflow that it ended, so that it runs again at once"
    DONE = "Airflow knows already: send no event, free the slot"
    LAUNCH = "its row still wants it and shows the launch: send it"
    SEARCH = "its code has started, or must not start: search for its task, never send it"
    KEEP = "its row is as it should be: change nothing"
    UNWANTED = "Airflow has moved on: the task should end by itself"


@dataclass(frozen=True, slots=True)
class Row:
    """A task instance's row, as read from the database."""

    state: str | None
    try_number: int
    external_executor_id: str | None
    queued_by_job_id: int | None
    heartbeat_age: float | None = field(default=None, compare=False)
    """Seconds from its worker's last heartbeat to the read; None if there was none.

    Comparisons ignore it: it is different at every read."""


@dataclass(frozen=True, slots=True)
class ExpectedRow:
    """What the row of a live run shows besides its state, while nobody has changed it."""

    try_number: int
    external_executor_id: str | None
    queued_by_job_id: int | None


@dataclass(frozen=True, slots=True)
class RunView:
    """What the decision table needs to know about a run."""

    try_number: int
    ids: frozenset[str]
    """All external executor ids that its row may show."""
    id_committed: bool
    """Core committed its run id to the row together with QUEUED: another id there means a newer queueing."""
    current: bool
    """No newer run of the same key is known."""
    job_id: Any
    """This scheduler's job id; None outside of a scheduler (`dag.test`)."""
    nothing_lives: bool = False
    """It waits for its next launch: all launches before are over."""
    shows_launch: bool = False
    """Its row must show its launch before that is sent, although another scheduler may have sent it."""
    may_relaunch: bool = False
    """Start attempts are left, and launching again can help."""
    ran: bool = True
    """Its code may have run."""
    lost: bool = False
    """ECS shows no task for it: no poll saw it stop."""
    refused_for: float | None = None
    """Set if its container exited with `REFUSED`, as it does when another worker has started the task.

    The seconds from the report of that to the query for the row: a younger heartbeat is another worker's."""
    heartbeats: Heartbeats = field(default_factory=Heartbeats)
    published: str | None = None
    """What the row's external executor id should be; None if it doesn't matter."""


def _if_ours(table: Callable[[Row, RunView], Decision]) -> Callable[[Row | None, RunView], Decision]:
    """Guard a decision table: the row must still be this run's and this scheduler's."""

    @wraps(table)
    def decide(row: Row | None, run: RunView) -> Decision:
        if row is None or _is_history(row, run):
            return Decision.FORGET if run.nothing_lives else Decision.FORGET_AND_STOP
        return table(row, run) if row.queued_by_job_id == run.job_id else Decision.FORGET

    return decide


@_if_ours
def decide_when_launched(row: Row, run: RunView) -> Decision:
    """Decide about a run that ECS has just accepted."""
    if row.state in {"queued", "running"}:
        return Decision.KEEP if _is_published(row, run) else Decision.PUBLISH
    return Decision.DONE


@_if_ours
def decide_when_ended(row: Row, run: RunView) -> Decision:
    """Decide about a run whose ECS task has stopped or could not be started."""
    if row.state == "queued":
        return Decision.RELAUNCH if run.may_relaunch else Decision.FAIL
    if row.state == "running":
        if not run.ran:
            return Decision.SEARCH  # this launch never ran, so the row must be another launch's
        return _decide_by_heartbeat(row, run)
    if row.state == "restarting":
        return Decision.SUCCEED
    return Decision.DONE


@_if_ours
def decide_before_launch(row: Row, run: RunView) -> Decision:
    """Decide about a run to launch: again (nothing of it lives), or after another scheduler."""
    if row.state == "queued":
        must_show = run.nothing_lives or run.shows_launch
        return Decision.PUBLISH if must_show and not _is_published(row, run) else Decision.LAUNCH
    if row.state == "running" or not run.nothing_lives:
        return Decision.SEARCH
    return Decision.FORGET


@_if_ours
def decide_while_live(row: Row, run: RunView) -> Decision:
    """Decide about a run that the engine has and has reported nothing new about."""
    if row.state in {"queued", "running"}:
        # Another scheduler may have overwritten it late, or a lock may have kept us from writing.
        return Decision.KEEP if _is_published(row, run) else Decision.PUBLISH
    return Decision.UNWANTED


def describe_left(row: Row, heartbeat_timeout: float) -> str:
    """Explain why a run is left to Airflow, and what happens next."""
    return (
        "It was neither stopped nor failed: a worker of this task sent a heartbeat"
        f" {row.heartbeat_age or 0:.0f} s before. What that worker reports counts; if its heartbeats stop for"
        f" {heartbeat_timeout:.0f} s, Airflow fails the task."
    )


def is_as_expected(row: Row, expected: ExpectedRow) -> bool:
    """Return whether `decide_while_live` would say KEEP: a row QUEUED or RUNNING, otherwise as expected."""
    found = ExpectedRow(row.try_number, row.external_executor_id, row.queued_by_job_id)
    return row.state in {"queued", "running"} and found == expected


def _is_history(row: Row, run: RunView) -> bool:
    if row.try_number != run.try_number or not run.current:
        return True
    external_id = row.external_executor_id or ""
    launch = LaunchId.parse(external_id)
    known = external_id in run.ids or (launch is not None and launch.run_id in run.ids)
    if known or not run.id_committed or row.queued_by_job_id == run.job_id:
        # We would know a newer queueing of our own. So an unknown id was written late, by a scheduler that
        # had this run earlier and then stalled: core writes the id for any executor that asks.
        return False
    # An ARN may be this very run's, published by the scheduler that has adopted it.
    return not external_id.startswith("arn:")


def _decide_by_heartbeat(row: Row, run: RunView) -> Decision:
    age = row.heartbeat_age
    if age is None or age >= run.heartbeats.timeout:
        return Decision.FAIL
    if run.lost:
        return Decision.LEAVE
    if run.refused_for is None:
        return Decision.FAIL
    # Another executor's worker may have been faster, started by a message left in CeleryExecutor's broker.
    if age < run.refused_for:
        return Decision.LEAVE
    return Decision.WAIT if run.refused_for < HEARTBEATS_WAITED * run.heartbeats.interval else Decision.FAIL


def _is_published(row: Row, run: RunView) -> bool:
    return run.published is None or row.external_executor_id == run.published
