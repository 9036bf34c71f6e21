"""The fleet as the database shows it, and the rules that turn it into what the page shows. Pure.

Times are seconds since 1970.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from ecs_async_executor.event_names import WAITS, EventName
from ecs_async_executor.scheduler_status import SchedulerStatus

SILENT_AFTER = 45.0
"""Seconds after its last status when a scheduler counts as silent: it writes one every ten."""
FORGOTTEN_AFTER = 900.0
"""Seconds after its last status when a silent scheduler is no longer shown."""
UNANSWERED_AFTER = 30.0
"""Seconds without a usable answer of ECS until that is shown."""
UNEXPLAINED_AFTER = 60.0
"""Seconds that a launch may take until a missing reason is worth showing."""
CLOCK_SKEW = 5.0
"""Seconds by which the clocks of schedulers may differ when we compare an event's time with a row's."""

# The engine's words (`Calls.hold_up`) in the events of launches that have waited for long already: one group for both.
THROTTLED = "AWS throttles RunTask, so launches are slow."
IN_LINE = "More launches wait than RunTask's rate allows at once."


class Phase(Enum):
    """How far a task has got, in order. `Phase.WAITING.value` is what the page's JSON shows."""

    WAITING = "waiting"
    LAUNCHING = "launching"
    STARTING = "starting"
    RUNNING = "running"
    ENDING = "ending"


@dataclass(frozen=True, slots=True)
class TaskRow:
    """A live task of this executor: one row of `task_instance`."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    try_number: int
    state: str
    """queued, running or restarting."""
    queue: str
    external_id: str | None
    """The run id or launch id until the task is launched, then the ARN."""
    job_id: int | None
    """The scheduler that queued or adopted it."""
    queued_at: float | None
    started_at: float | None
    updated_at: float | None


@dataclass(frozen=True, slots=True)
class Event:
    """One of our events of the Audit Log."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    try_number: int | None
    name: str
    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Job:
    """A scheduler, as Airflow's `job` table shows it."""

    host: str
    ended: bool


@dataclass(frozen=True, slots=True)
class Fleet:
    """Everything that one look at the database found, for all users."""

    at: float
    """When it was read."""
    tasks: tuple[TaskRow, ...] = ()
    left_out: int = 0
    """Live tasks beyond the limit of one read."""
    delays: tuple[Event, ...] = ()
    """The events that may say why a task doesn't run yet."""
    failures: tuple[tuple[int, str], ...] = ()
    """Ids and Dags of the last failures' events, the newest first."""
    statuses: tuple[SchedulerStatus, ...] = ()
    jobs: Mapping[int, Job] = field(default_factory=dict)
    scheduled: Mapping[str, int] = field(default_factory=dict)
    """By Dag, the tasks that Airflow has scheduled and not queued yet."""


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a task doesn't run yet."""

    title: str
    """The same for all tasks that wait for the same thing."""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class LiveTask:
    """A row, and what the rules say about it."""

    row: TaskRow
    phase: Phase
    since: float | None
    """When the phase began; None if no row or event shows it."""
    cause: Cause | None = None


@dataclass(frozen=True, slots=True)
class Scheduler:
    """One executor of one scheduler."""

    status: SchedulerStatus
    host: str
    age: float
    """Seconds since its status was written."""
    silent: bool


def schedulers(fleet: Fleet, now: float) -> list[Scheduler]:
    """Return the schedulers to show, by job id: those that have ended, or have been silent for long, are not."""
    newest: dict[tuple[int, str], SchedulerStatus] = {}
    for status in fleet.statuses:
        key = status.job_id, status.team or ""
        if key not in newest or newest[key].at < status.at:
            newest[key] = status
    shown = []
    for _, status in sorted(newest.items()):
        job = fleet.jobs.get(status.job_id)
        age = max(0.0, now - status.at)
        if age < FORGOTTEN_AFTER and not (job is not None and job.ended):
            shown.append(Scheduler(status, job.host if job else "", age, age >= SILENT_AFTER))
    return shown


def live_tasks(fleet: Fleet, readable: frozenset[str], now: float, *, events: bool = True) -> list[LiveTask]:
    """Return the live tasks of these Dags; without `events`, no text from the Audit Log is used."""
    found = [row for row in fleet.tasks if row.dag_id in readable]
    waits, slow_starts = _latest(fleet, WAITS, events), _latest(fleet, _SLOW_STARTS, events)
    by_job = _by_job(schedulers(fleet, now))
    return [_live_task(row, waits, slow_starts, by_job, fleet.jobs, now) for row in found]


def _live_task(  # noqa: PLR0913, PLR0917  what the rules look at
    row: TaskRow,
    waits: Mapping[tuple[object, ...], Event],
    slow_starts: Mapping[tuple[object, ...], Event],
    by_job: Mapping[int, Scheduler],
    jobs: Mapping[int, Job],
    now: float,
) -> LiveTask:
    if row.state == "running":
        return LiveTask(row, Phase.RUNNING, row.started_at)
    if row.state == "restarting":
        return LiveTask(row, Phase.ENDING, row.updated_at)
    key = row.dag_id, row.run_id, row.task_id, row.map_index, row.try_number
    if (row.external_id or "").startswith("arn:"):
        since = row.updated_at or row.queued_at
        slow = _since(slow_starts.get(key), since)
        cause = Cause(slow_start_in(slow.text), slow.text) if slow is not None else None
        return LiveTask(row, Phase.STARTING, since, cause)
    # An event from before the queueing is of an earlier one of the same try: after a deferral, for example.
    event = _since(waits.get(key), row.queued_at)
    cause = cause_of(row, event, by_job.get(row.job_id or -1), jobs.get(row.job_id or -1), now)
    return LiveTask(row, Phase.LAUNCHING if cause is None else Phase.WAITING, row.queued_at, cause)


def cause_of(
    row: TaskRow, event: Event | None, scheduler: Scheduler | None, job: Job | None, now: float
) -> Cause | None:
    """Return why a task isn't launched yet; None if it has only just been queued."""
    who = f"Scheduler {row.job_id}"
    if job is not None and job.ended:
        return Cause(f"{who} has ended.", "Another scheduler adopts its tasks within some minutes.")
    if scheduler is not None and scheduler.silent:
        text = f"Its last word came {scheduler.age:.0f} s ago. If it is dead, another scheduler adopts its tasks."
        return Cause(f"{who} gives no sign of life.", text)
    status = scheduler.status if scheduler is not None else None
    if status is not None and status.paused is not None:
        return Cause(f"AWS can't be used: {first_sentence(status.paused)}", status.paused)
    unanswered = status.engine.unanswered if status is not None and status.engine is not None else None
    if unanswered is not None and unanswered >= UNANSWERED_AFTER:
        text = f"Time-outs or internal errors for {unanswered:.0f} s. The executor asks again and again; nothing is lost."
        return Cause("ECS gives no usable answer to any call.", text)
    if event is not None:
        return Cause(first_sentence(reason_in(event)), event.text)
    if status is not None and (cause := _cause_in(status)) is not None:
        return cause
    if now - (row.queued_at or now) >= UNEXPLAINED_AFTER:
        return Cause("No reason is known.", f"{who} has said nothing about it. Its log may tell more.")
    return None


def _cause_in(status: SchedulerStatus) -> Cause | None:
    """Return what a scheduler's numbers tell about all of its tasks that wait without a reason of their own."""
    engine = status.engine
    if engine is None:
        text = "It is started again by itself; the scheduler's log says why it died."
        return Cause(f"The engine of scheduler {status.job_id} doesn't answer.", text)
    if engine.waiting:
        limit = f" of {engine.limit:g}/s" if engine.limit else ""
        rate = "" if engine.rate is None else f", {engine.rate:.1f} launches/s{limit} are possible now"
        queue = f"{engine.waiting} launches wait{rate}."
        if engine.throttles:
            text = f"{queue} AWS has throttled {engine.throttles} calls in the last minute."
            return Cause(THROTTLED, text)
        return Cause(IN_LINE, queue)
    if status.waiting_for_slot:
        text = f"All {status.parallelism} are in use; `[core] parallelism` sets how many there are."
        return Cause(f"Scheduler {status.job_id} has no free slot.", text)
    return None


_TRIES = re.compile(
    r"^(?:Start \d+ of \d+ failed[^.]*\. |It waited \d+ s [^.]*\. |It starts cold, at no cost\. )"
)
"""What `TaskEvents.start_failed`, `TaskEvents.standby_lost` and `RetryPolicy.describe_tries` put in front of the diagnosis."""
_SLOW = re.compile(r" s: it is ([^;.]+)")
"""Where `describe_slow_start` says what the task is doing."""
_SLOW_STARTS = frozenset({EventName.SLOW_START.value})
_SENTENCE = re.compile(r"(.+?[.!?])(?:\s|$)", re.DOTALL)
TITLE_LENGTH = 200


def reason_in(event: Event) -> str:
    """Return an event's text without what differs from task to task."""
    return _TRIES.sub("", event.text)


def slow_start_in(text: str) -> str:
    """Return what a slow start waits for, without the seconds, which differ from task to task."""
    found = _SLOW.search(text)
    return f"The container is slow to start: {found[1]}." if found else first_sentence(text)


def first_sentence(text: str) -> str:
    """Return the first sentence of a text, shortened if it is very long."""
    found = _SENTENCE.match(text)
    sentence = " ".join((found[1] if found else text).split())
    return sentence if len(sentence) <= TITLE_LENGTH else sentence[: TITLE_LENGTH - 1] + "…"


def _latest(fleet: Fleet, names: frozenset[str], wanted: bool) -> dict[tuple[object, ...], Event]:  # noqa: FBT001  the user's access
    """Return the last event of these names of each try; none if the user may not read events."""
    latest: dict[tuple[object, ...], Event] = {}
    for event in fleet.delays if wanted else ():
        key = event.dag_id, event.run_id, event.task_id, event.map_index, event.try_number
        if event.name in names and (key not in latest or latest[key].at <= event.at):
            latest[key] = event
    return latest


def _since(event: Event | None, since: float | None) -> Event | None:
    """Return the event, unless it is from before that time."""
    return event if event is not None and event.at >= (since or 0.0) - CLOCK_SKEW else None


def _by_job(shown: list[Scheduler]) -> dict[int, Scheduler]:
    """Return the schedulers that have one executor: a row doesn't tell which of several it belongs to."""
    by_job: dict[int, list[Scheduler]] = {}
    for each in shown:
        by_job.setdefault(each.status.job_id, []).append(each)
    return {job_id: each[0] for job_id, each in by_job.items() if len(each) == 1}
