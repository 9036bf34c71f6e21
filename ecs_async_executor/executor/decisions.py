"""What to tell Airflow about a run, by what its row in the database says. Pure: one table, one test per row.

The worker reports its own result through the API server. An executor's event is only for what died without telling;
a wrong one fails a healthy task. So before any event the row is read, and the row decides.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

HEARTBEAT_TIMEOUT = 300.0
"""Seconds: Airflow's default of `[scheduler] task_instance_heartbeat_timeout`."""
HEARTBEAT_INTERVAL = 5.0
"""Seconds: Airflow's default of `[workers] min_heartbeat_interval`."""
HEARTBEATS_WAITED = 3
"""Heartbeats that a worker may miss before it is taken for none, where one is waited for."""


class Decision(Enum):
    """What to do about a run."""

    FORGET_AND_STOP = "it is history: forget it, stop its task if it lives"
    FORGET = "another scheduler has adopted it: forget it, leave its task alone"
    PUBLISH = "its row does not show its launch: write it there"
    RELAUNCH = "its code never ran: launch it again"
    FAIL = "it died without telling: tell Airflow it failed"
    LEAVE = "what ended was not its code, whose worker lives: forget it, Airflow decides"
    WAIT = "another worker may have started its code: wait for a heartbeat"
    SUCCEED = "it was cleared while running: tell Airflow it ended, so that it runs again at once"
    DONE = "Airflow knows already: no event, free the slot"
    LAUNCH = "its row wants it, and shows the launch: send it"
    FIND = "its code has started, or shall not start: look for its task, never send it"
    KEEP = "all is as it should be"
    UNWANTED = "Airflow has moved on: it should be ending by itself"


@dataclass(frozen=True, slots=True)
class Row:
    """The task instance as the database has it now."""

    state: str | None
    try_number: int
    external_executor_id: str | None
    queued_by_job_id: int | None
    heartbeat_age: float | None = field(default=None, compare=False)
    """Seconds since its worker's last heartbeat, when the row was read; None if there was none. Rows are compared without
    it: it is never the same twice."""


@dataclass(frozen=True, slots=True)
class RunView:
    """The run as the executor has it."""

    try_number: int
    ids: frozenset[str]
    """Its run id, and the ARNs it was launched with."""
    id_committed: bool
    """Its run id stands in the row since the row was QUEUED: any other id there means a newer queueing."""
    current: bool
    """No newer run of the same key is known."""
    job_id: Any
    """Of this scheduler; None outside of one (`dag.test`)."""
    may_relaunch: bool = False
    """Start attempts are left, and trying again can help."""
    ran: bool = True
    """Its code may have run."""
    lost: bool = False
    """ECS shows no task of it: that it has ended was not seen."""
    refused_for: float | None = None
    """Seconds from when its container was seen to have ended as one does whose task another worker has started, to when the
    row was asked for (a younger heartbeat is another worker's); None if it ended otherwise."""
    heartbeat_interval: float = HEARTBEAT_INTERVAL
    """Seconds between two heartbeats of a worker (`[workers] min_heartbeat_interval`)."""
    heartbeat_timeout: float = HEARTBEAT_TIMEOUT
    """Seconds after its last heartbeat when Airflow takes a worker for dead, and fails its task itself
    (`[scheduler] task_instance_heartbeat_timeout`)."""
    published: str | None = None
    """What the row shall show as its external executor id."""


def decide_when_launched(row: Row | None, run: RunView) -> Decision:
    """Decide about a run that ECS has just accepted."""
    if row is None or _is_history(row, run):
        return Decision.FORGET_AND_STOP
    if row.queued_by_job_id != run.job_id:
        return Decision.FORGET
    if row.state in {"queued", "running"}:
        return Decision.KEEP if _is_published(row, run) else Decision.PUBLISH
    return Decision.DONE


def decide_when_ended(row: Row | None, run: RunView) -> Decision:
    """Decide about a run whose ECS task has stopped, or could not be started."""
    if row is None or _is_history(row, run):
        return Decision.FORGET_AND_STOP
    if row.queued_by_job_id != run.job_id:
        return Decision.FORGET
    if row.state == "queued":
        return Decision.RELAUNCH if run.may_relaunch else Decision.FAIL
    if row.state == "running":
        if not run.ran:
            return Decision.FIND  # what never ran can't be what runs: another launch of it does
        return _decide_by_heartbeat(row, run)
    if row.state == "restarting":
        return Decision.SUCCEED
    return Decision.DONE


def decide_before_launch(row: Row | None, run: RunView, *, nothing_lives: bool) -> Decision:
    """Decide about a run that is to be launched: again (then `nothing_lives`), or after another scheduler."""
    if row is None or _is_history(row, run):
        return Decision.FORGET if nothing_lives else Decision.FORGET_AND_STOP
    if row.queued_by_job_id != run.job_id:
        return Decision.FORGET
    if row.state == "queued":
        return Decision.PUBLISH if nothing_lives and not _is_published(row, run) else Decision.LAUNCH
    if row.state == "running" or not nothing_lives:
        return Decision.FIND
    return Decision.FORGET


def decide_while_live(row: Row | None, run: RunView) -> Decision:
    """Decide about a run that the engine has in hand, and about which it has nothing to report."""
    if row is None or _is_history(row, run):
        return Decision.FORGET_AND_STOP
    if row.queued_by_job_id != run.job_id:
        return Decision.FORGET
    if row.state in {"queued", "running"}:
        # Another scheduler may have written late, or the row may have been locked.
        return Decision.KEEP if _is_published(row, run) else Decision.PUBLISH
    return Decision.UNWANTED


def say_left(row: Row, heartbeat_timeout: float) -> str:
    """Say why a run is left to Airflow, and what comes now."""
    return (
        f"It was neither stopped nor failed: a worker of this task sent a heartbeat {row.heartbeat_age or 0:.0f} s before. What"
        f" that worker reports counts; if its heartbeats stop for {heartbeat_timeout:.0f} s, Airflow fails the task."
    )


def is_as_expected(row: Row, expected: Row) -> bool:
    """Tell that `decide_while_live` would keep a run whose row is to be like this: QUEUED or RUNNING, and all the rest."""
    return row.state in {"queued", "running"} and replace(row, state=expected.state) == expected


def _is_history(row: Row, run: RunView) -> bool:
    if row.try_number != run.try_number or not run.current:
        return True
    external_id = row.external_executor_id or ""
    known = external_id in run.ids or external_id.rpartition("-")[0] in run.ids
    if known or not run.id_committed or row.queued_by_job_id == run.job_id:
        # A newer queueing of ours would be known: a strange id comes from a scheduler that had the run before, stood
        # still, and has written late. Core writes it for whoever says so.
        return False
    # An ARN may be that of this very run, published by the scheduler that has adopted it.
    return not external_id.startswith("arn:")


def _decide_by_heartbeat(row: Row, run: RunView) -> Decision:
    age = row.heartbeat_age
    if age is None or age >= run.heartbeat_timeout:
        return Decision.FAIL
    if run.lost:
        return Decision.LEAVE
    if run.refused_for is None:
        return Decision.FAIL
    # Another executor's worker may have been quicker, by a message that was left in CeleryExecutor's broker.
    if age < run.refused_for:
        return Decision.LEAVE
    return Decision.WAIT if run.refused_for < HEARTBEATS_WAITED * run.heartbeat_interval else Decision.FAIL


def _is_published(row: Row, run: RunView) -> bool:
    return run.published is None or row.external_executor_id == run.published
