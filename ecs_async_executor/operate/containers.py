"""Which containers outlived their task instance: one table, one test per row. Pure.

A container is stopped only if a row of *this* database shows that it is over. Whatever is in doubt is left alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from ecs_async_executor.launch_id import STANDBY, LaunchId
from ecs_async_executor.operate.ecs_task import EcsTask, WorkloadKind
from ecs_async_executor.operate.rows import FoundRow
from ecs_async_executor.operate.text import age

LAUNCHES_SEARCHED = 20
"""Launch numbers of one run that are looked for in rows. Refusals for lack of room count, too: a container of a later launch is
found by its task instance's id, or left alone."""
OVER = frozenset(
    {
        "success",
        "failed",
        "skipped",
        "upstream_failed",
        "removed",
        "up_for_retry",
        "up_for_reschedule",
        "deferred",
    }
    | {"scheduled", None}
)
"""States in which Airflow counts on no container: the worker has reported, or someone has cleared or marked the task.
None is the state of a cleared task."""


class Verdict(Enum):
    """What to do about a container."""

    STOPPING = "it is stopping already"
    IN_USE = "a live task instance shows its ARN or its run id"
    SIBLING = "it has the run id of a container that a live task instance shows"
    CALLBACK = "it runs a callback, which has no task instance"
    WAITS = "it is a standby that waits for a task; it ends by itself within four minutes if its scheduler is gone"
    HELD = "its task instance is live under another id: the executor decides about it"
    YOUNG = "it is too young to judge"
    JUST_OVER = "its task instance was over only a moment ago: it may still be ending by itself"
    UNCLEAR = "its row does not show since when it is over, or in a state that this version does not know"
    UNKNOWN = "no row shows it, and its command does not show what it runs"
    GONE = "this Airflow's database has no trace of it; it may belong to another Airflow with the same `deployment`"
    OVER = "its task instance is over"
    EARLIER_TRY = "it belongs to an earlier try of its task instance"
    FORSAKEN = "it is a standby whose scheduler is gone, and it should have ended by itself"
    GONE_TOO = "this Airflow's database has no trace of it, and --gone says that no other Airflow has"


TO_STOP = frozenset({Verdict.OVER, Verdict.EARLIER_TRY, Verdict.FORSAKEN, Verdict.GONE_TOO})


@dataclass(frozen=True, slots=True)
class Leases:
    """The leases of schedulers' standbys: a scheduler that lives renews its own every minute."""

    location: str
    """`s3://bucket/prefix/`: nothing is known of others."""
    renewed_at: Mapping[str, float] = field(default_factory=dict)
    """By URL: seconds since 1970."""

    def is_over(self, lease: str, at: float) -> bool:
        """Return whether a lease wasn't renewed since that time; False if nobody looked where it is."""
        return lease.startswith(self.location) and self.renewed_at.get(lease, 0.0) < at


@dataclass(frozen=True, slots=True)
class Facts:
    """What the database says, read after ECS was asked: a row that is newer than its container protects it."""

    live: Sequence[FoundRow] = ()
    by_external_id: Mapping[str, Sequence[FoundRow]] = field(default_factory=dict)
    by_ti_id: Mapping[str, Sequence[FoundRow]] = field(default_factory=dict)
    leases: Leases | None = None
    """None: the bucket wasn't looked at."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What the sweep is about, and what it leaves alone."""

    deployment: str
    """The prefix of `startedBy`: `airflow/<name>`."""
    grace: float
    """Seconds that a container must be old, and its task instance be over."""
    gone: bool = False
    """Whether to stop what no row knows, too."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A container, what to do about it, and the row that says so."""

    task: EcsTask
    verdict: Verdict
    row: FoundRow | None = None

    @property
    def is_to_stop(self) -> bool:
        """Whether the sweep stops it."""
        return self.verdict in TO_STOP


def judge_all(tasks: Iterable[EcsTask], facts: Facts, rules: Rules, now: float) -> list[Judged]:
    """Judge this deployment's containers; tasks that others have started are left out."""
    ours = [task for task in tasks if task.run_id(rules.deployment) is not None]
    protected = live_ids(facts.live)
    # All standbys have the same run id: only a row's ARN tells which of them serves whom.
    siblings = {task.run_id(rules.deployment) for task in ours if task.arn in protected} - {STANDBY}
    live_tis = {row.ti_id for row in facts.live}

    def judge(task: EcsTask) -> Judged:
        run_id = task.run_id(rules.deployment)
        if task.is_stopping:
            return Judged(task, Verdict.STOPPING)
        if task.arn in protected or run_id in protected:
            return Judged(task, Verdict.IN_USE)
        if run_id in siblings:
            return Judged(task, Verdict.SIBLING)
        if task.workload is WorkloadKind.CALLBACK:
            return Judged(task, Verdict.CALLBACK)
        if task.ti_id in live_tis:
            return Judged(task, Verdict.HELD)
        found = _by_row(task, facts, rules, now)
        is_young = task.created_at is None or now - task.created_at < rules.grace
        if is_young and found.verdict is not Verdict.WAITS:
            return Judged(task, Verdict.YOUNG)
        return found

    return [judge(task) for task in ours]


def _by_row(task: EcsTask, facts: Facts, rules: Rules, now: float) -> Judged:
    """Judge a container that no live row has: by the rows that show its ids, else by the one its command names."""
    ids = external_ids(task, rules.deployment)
    rows = [row for each in ids for row in facts.by_external_id.get(each, ())]
    rows = rows or list(facts.by_ti_id.get(task.ti_id or "", ()))
    if not rows and task.standby is not None:
        gone = facts.leases is not None and facts.leases.is_over(task.standby.lease, now - rules.grace)
        return Judged(task, Verdict.FORSAKEN if gone else Verdict.WAITS)
    if any(row.is_live for row in rows):
        return Judged(task, Verdict.HELD)
    if not rows:
        if task.workload is not WorkloadKind.TASK:
            return Judged(task, Verdict.UNKNOWN)
        return Judged(task, Verdict.GONE_TOO if rules.gone else Verdict.GONE)
    row = max(rows, key=lambda each: math.inf if each.changed_at is None else each.changed_at)
    if row.changed_at is None or (row.state not in OVER and not row.earlier_try):
        return Judged(task, Verdict.UNCLEAR, row)
    if now - row.changed_at < rules.grace:
        return Judged(task, Verdict.JUST_OVER, row)
    return Judged(task, Verdict.EARLIER_TRY if row.earlier_try else Verdict.OVER, row)


def external_ids(task: EcsTask, deployment: str) -> list[str]:
    """Return what a row may show of this container: its ARN, its run id, its launch ids."""
    run_id = task.run_id(deployment)
    if run_id == STANDBY:
        return [task.arn]
    launches = [str(LaunchId(run_id, number)) for number in range(1, LAUNCHES_SEARCHED + 1)] if run_id else []
    return [task.arn, *([run_id] if run_id else []), *launches]


def live_ids(rows: Iterable[FoundRow]) -> set[str]:
    """Return all that live rows show: ARNs, and run ids with and without their launch numbers."""
    shown = {row.external_id for row in rows if row.external_id}
    return shown | {launch.run_id for text in shown if (launch := LaunchId.parse(text)) is not None}


def explain(judged: Judged, now: float) -> str:
    """Return why, with the times that decided."""
    task, row = judged.task, judged.row
    runs = f"It is {age(None if task.created_at is None else now - task.created_at)} old"
    if row is None:
        return f"{runs}; {judged.verdict.value}."
    since = age(None if row.changed_at is None else now - row.changed_at)
    state = f"{row.state or 'cleared'} for {since}"
    if judged.verdict is Verdict.EARLIER_TRY:
        return f"{runs}; it belongs to try {row.try_number} of {row.label}, which has been over for {since}."
    return f"{runs}; {judged.verdict.value}: {row.label} is {state}."
