"""The page's JSON: counts, groups, and one page of the table, made from live tasks. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from ecs_async_executor.fleet import costs as cost_view
from ecs_async_executor.fleet import standbys
from ecs_async_executor.fleet.costs import Costs
from ecs_async_executor.fleet.live import (
    Event,
    Fleet,
    LiveTask,
    Phase,
    Scheduler,
    TaskRow,
    first_sentence,
    live_tasks,
    reason_in,
    schedulers,
)

PAGE_SIZE = 200
"""Tasks on one page of the table."""
FAILURES_SHOWN = 200
"""Failures that are read and grouped by what happened: a few lines on the page, as a rule."""

_ORDER = {phase: index for index, phase in enumerate(Phase)}
_SORT_KEYS: Mapping[str, Callable[[LiveTask], Any]] = {
    "phase": lambda task: _ORDER[task.phase],
    "age": lambda task: -(task.since or float("inf")),
    "dag": lambda task: task.row.dag_id,
    "run": lambda task: task.row.run_id,
    "task": lambda task: (task.row.task_id, task.row.map_index),
    "try": lambda task: task.row.try_number,
    "queue": lambda task: task.row.queue,
    "scheduler": lambda task: task.row.job_id or 0,
}
SORTS = frozenset(_SORT_KEYS)


@dataclass(frozen=True, slots=True)
class Filters:
    """What the user has chosen."""

    text: str = ""
    """Must occur in the Dag's, run's or task's id, the queue, the external id or the reason, in any case."""
    phase: str = ""
    """A `Phase`'s value; empty: all."""
    queue: str = ""
    """Empty: all."""
    sort: str = "phase"
    """One of `SORTS`; anything else sorts by phase."""
    descending: bool = False
    page: int = 0


def make_view(  # noqa: PLR0913  what differs from request to request
    fleet: Fleet,
    readable: frozenset[str],
    now: float,
    filters: Filters,
    failures: Sequence[Event],
    *,
    events: bool = True,
    console_url: Callable[[str], str | None] = lambda _: None,
    costs: Costs | None = None,
) -> dict[str, Any]:
    """Return the page's JSON for a user who may read these Dags, and the Audit Log if `events`.

    `failures` are those that the user may see. `console_url` gives the AWS console's address of an ARN.
    """
    tasks, shown = live_tasks(fleet, readable, now, events=events), schedulers(fleet, now)
    chosen = [task for task in tasks if _matches(task, filters)]
    # Sorting is stable: among equals, what has been in its phase for longest comes first.
    chosen.sort(key=_SORT_KEYS["age"], reverse=True)
    chosen.sort(key=_SORT_KEYS.get(filters.sort, _SORT_KEYS["phase"]), reverse=filters.descending)
    pages = max(1, -(-len(chosen) // PAGE_SIZE))
    page = min(max(filters.page, 0), pages - 1)
    return {
        "at": now,
        "phases": {phase.value: sum(task.phase is phase for task in tasks) for phase in Phase},
        "queues": dict(sorted(Counter(task.row.queue for task in tasks).items())),
        "schedulers": [_scheduler(each) for each in shown],
        "standbys": [row for each in shown for row in standbys.view(each)],
        "waits": _waits(tasks, now),
        "failures": _failures(failures, now) if events else None,
        "costs": cost_view.view(costs, readable) if events and costs is not None else None,
        "tasks": [
            _task(task, now, console_url) for task in chosen[page * PAGE_SIZE : (page + 1) * PAGE_SIZE]
        ],
        "total": len(tasks),
        "matching": len(chosen),
        "page": page,
        "pages": pages,
        "page_size": PAGE_SIZE,
        "left_out": fleet.left_out,
        "scheduled": sum(count for dag_id, count in fleet.scheduled.items() if dag_id in readable),
        "failures_shown": FAILURES_SHOWN,
    }


def choose_failures(fleet: Fleet, readable: frozenset[str]) -> list[int]:
    """Return the ids of the failures to show to a user who may read these Dags."""
    return [event_id for event_id, dag_id in fleet.failures if dag_id in readable][:FAILURES_SHOWN]


def path_of(row: TaskRow | Event) -> str:
    """Return the task's page in Airflow's UI, relative to `[api] base_url`."""
    path = f"dags/{_quoted(row.dag_id)}/runs/{_quoted(row.run_id)}/tasks/{_quoted(row.task_id)}"
    return f"{path}/mapped/{row.map_index}" if row.map_index >= 0 else path


def _quoted(part: str) -> str:
    return quote(part, safe="")


def _matches(task: LiveTask, filters: Filters) -> bool:
    if filters.phase and task.phase.value != filters.phase:
        return False
    if filters.queue and task.row.queue != filters.queue:
        return False
    row, wanted = task.row, filters.text.casefold().strip()
    if not wanted:
        return True
    title = task.cause.title if task.cause else ""
    texts = (row.dag_id, row.run_id, row.task_id, row.queue, row.external_id or "", title)
    return any(wanted in text.casefold() for text in texts)


def _age(since: float | None, now: float) -> float | None:
    return None if since is None else max(0.0, round(now - since, 1))


def _task(task: LiveTask, now: float, console_url: Callable[[str], str | None]) -> dict[str, Any]:
    row = task.row
    arn = row.external_id if (row.external_id or "").startswith("arn:") else None
    return {
        **_names(row),
        "try": row.try_number,
        "queue": row.queue,
        "phase": task.phase.value,
        "age": _age(task.since, now),
        "scheduler": row.job_id,
        "ecs_task": arn.rpartition("/")[2] if arn else None,
        "arn": arn,
        "console": console_url(arn) if arn else None,
        "cause": task.cause.title if task.cause else None,
    }


def _names(row: TaskRow | Event) -> dict[str, Any]:
    return {
        "dag": row.dag_id,
        "run": row.run_id,
        "task": row.task_id,
        "map_index": row.map_index if row.map_index >= 0 else None,
        "path": path_of(row),
    }


def _waits(tasks: Iterable[LiveTask], now: float) -> list[dict[str, Any]]:
    """Group what waits by its cause: the cause that most wait for comes first."""
    groups: dict[str, list[LiveTask]] = {}
    for task in tasks:
        if task.cause is not None:
            groups.setdefault(task.cause.title, []).append(task)
    found = []
    for title, waiting in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0])):
        oldest = min(waiting, key=lambda task: task.since or now)
        found.append(
            {
                "cause": title,
                "detail": oldest.cause.detail if oldest.cause else "",
                "count": len(waiting),
                "oldest": _age(oldest.since, now),
                "example": _names(oldest.row),
            }
        )
    return found


def _failures(failures: Iterable[Event], now: float) -> list[dict[str, Any]]:
    """Group failures by what happened, so that one cause doesn't hide the others; the newest come first."""
    groups: dict[str, list[Event]] = {}
    for event in sorted(failures, key=lambda each: each.at, reverse=True):
        groups.setdefault(first_sentence(reason_in(event)), []).append(event)
    return [
        {
            "event": same[0].name,
            "title": title,
            "text": same[0].text,
            "age": _age(same[0].at, now),
            "tasks": [
                {**_names(each), "try": each.try_number, "age": _age(each.at, now), "at": each.at}
                for each in same
            ],
        }
        for title, same in groups.items()
    ]


def _scheduler(scheduler: Scheduler) -> dict[str, Any]:
    """Return one scheduler's numbers, which are about all Dags and name none."""
    status, engine = scheduler.status, scheduler.status.engine
    numbers = None
    if engine is not None:
        numbers = {
            "waiting": engine.waiting,
            "sending": engine.sending,
            "watched": engine.watched,
            "rate": None if engine.rate is None else round(engine.rate, 2),
            "limit": engine.limit,
            "launches": engine.launches,
            "throttles": engine.throttles,
            "unanswered": None if engine.unanswered is None else round(engine.unanswered, 1),
        }
    return {
        "job_id": status.job_id,
        "team": status.team,
        "host": scheduler.host,
        "version": status.version,
        "age": round(scheduler.age, 1),
        "silent": scheduler.silent,
        "runs": status.runs,
        "slots": status.slots,
        "parallelism": status.parallelism,
        "waiting_for_slot": status.waiting_for_slot,
        "paused": status.paused,
        "paused_for": _age(status.paused_since, scheduler.status.at + scheduler.age),
        "engine": numbers,
    }
