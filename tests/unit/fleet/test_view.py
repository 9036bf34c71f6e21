"""The fleet page's JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from ecs_async_executor.event_names import EventName
from ecs_async_executor.fleet.live import Event, Fleet, TaskRow
from ecs_async_executor.fleet.view import (
    FAILURES_SHOWN,
    PAGE_SIZE,
    SORTS,
    Filters,
    choose_failures,
    make_view,
    path_of,
)
from ecs_async_executor.messages import EngineStatus
from ecs_async_executor.scheduler_status import SchedulerStatus

NOW = 10_000.0
ARN = "arn:aws:ecs:eu-central-1:123456789012:task/default/0123456789abcdef"
ROW = TaskRow("dag", "run", "task", -1, 1, "queued", "default", "run-id", 7, NOW - 10, None, NOW - 8)
RUNNING = replace(ROW, task_id="b", state="running", external_id=ARN, started_at=NOW - 50, queue="big")
EVENT = Event(
    "dag", "run", "task", -1, 1, EventName.WAITS.value, NOW - 5, "There is no capacity. (RunTask said so.)"
)
DAGS = frozenset({"dag"})


def view(*rows: TaskRow, dags: frozenset[str] = DAGS, failures: Any = (), **more: Any) -> dict[str, Any]:
    names = {"text", "phase", "queue", "sort", "descending", "page"}
    filters = Filters(**{name: more.pop(name) for name in names & set(more)})
    events = more.pop("events", True)
    console = {"console_url": more.pop("console_url")} if "console_url" in more else {}
    fleet = Fleet(NOW, rows, **more)
    return make_view(fleet, dags, NOW, filters, failures, events=events, **console)


def tasks(*rows: TaskRow, **more: Any) -> list[str]:
    return [task["task"] for task in view(*rows, **more)["tasks"]]


def test_the_view_of_nothing_is_complete():
    shown = view()
    assert shown["phases"] == dict.fromkeys(["waiting", "launching", "starting", "running", "ending"], 0)
    assert (shown["total"], shown["page"], shown["pages"], shown["tasks"]) == (0, 0, 1, [])
    assert shown["waits"] == shown["schedulers"] == shown["failures"] == []
    json.dumps(shown)


def test_a_task_is_shown_with_all_that_its_row_tells():
    (shown,) = view(RUNNING)["tasks"]
    assert shown == {
        "dag": "dag",
        "run": "run",
        "task": "b",
        "map_index": None,
        "path": "dags/dag/runs/run/tasks/b",
        "try": 1,
        "queue": "big",
        "phase": "running",
        "age": 50.0,
        "scheduler": 7,
        "ecs_task": "0123456789abcdef",
        "arn": ARN,
        "console": None,
        "cause": None,
    }


def test_the_arn_leads_to_the_aws_console():
    first, second = view(ROW, RUNNING, console_url=lambda arn: f"https://console/{arn}", sort="task")["tasks"]
    assert (first["console"], second["console"]) == (f"https://console/{ARN}", None)


def test_counts_are_of_all_tasks_whatever_the_filters():
    shown = view(ROW, RUNNING, phase="running")
    assert (shown["phases"]["running"], shown["phases"]["launching"]) == (1, 1)
    assert shown["queues"] == {"big": 1, "default": 1}
    assert (shown["total"], shown["matching"], len(shown["tasks"])) == (2, 1, 1)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, ["task", "b"]),
        ({"phase": "running"}, ["b"]),
        ({"phase": "ending"}, []),
        ({"phase": "no such phase"}, []),
        ({"queue": "default"}, ["task"]),
        ({"queue": "no such queue"}, []),
        ({"text": "TASK "}, ["task", "b"]),  # the ARN holds it, too
        ({"text": "89abcdef"}, ["b"]),
        ({"text": "CAPACITY"}, ["task"]),
        ({"text": "run", "queue": "big", "phase": "running"}, ["b"]),
        ({"text": "nothing"}, []),
    ],
)
def test_filters_choose_tasks(filters: dict[str, Any], expected: list[str]):
    assert tasks(ROW, RUNNING, delays=(EVENT,), **filters) == expected


@pytest.mark.parametrize(
    ("sort", "descending", "expected"),
    [
        ("phase", False, ["c", "a", "b"]),
        ("phase", True, ["b", "a", "c"]),
        ("task", False, ["a", "b", "c"]),
        ("task", True, ["c", "b", "a"]),
        ("age", False, ["c", "a", "b"]),
        ("age", True, ["b", "a", "c"]),
        ("queue", False, ["b", "a", "c"]),
        ("no such column", False, ["c", "a", "b"]),
    ],
)
def test_tasks_are_sorted_and_equals_by_age(sort: str, descending: bool, expected: list[str]):
    rows = (
        replace(ROW, task_id="c"),
        RUNNING,
        replace(ROW, task_id="a", external_id=ARN, updated_at=NOW - 20),
    )
    assert tasks(*rows, sort=sort, descending=descending) == expected


@pytest.mark.parametrize("sort", sorted(SORTS))
def test_every_sort_takes_rows_with_gaps(sort: str):
    gaps = replace(ROW, job_id=None, queued_at=None, updated_at=None, external_id=None, queue="")
    assert len(tasks(gaps, ROW, RUNNING, sort=sort)) == 3


def test_a_long_table_comes_in_pages():
    rows = [replace(ROW, map_index=index) for index in range(PAGE_SIZE + 1)]
    first, second = view(*rows, sort="task"), view(*rows, sort="task", page=1)
    assert (first["pages"], len(first["tasks"]), first["matching"]) == (2, PAGE_SIZE, PAGE_SIZE + 1)
    assert [task["map_index"] for task in second["tasks"]] == [PAGE_SIZE]
    assert view(*rows, page=9)["page"] == 1, "the last page, once the table has become shorter"


def test_what_waits_is_grouped_by_its_cause():
    rows = [replace(ROW, map_index=index, queued_at=NOW - 10 - index) for index in range(3)]
    waits = [replace(EVENT, map_index=index) for index in range(2)]
    waits.append(replace(EVENT, map_index=2, text="The image does not exist. Push it."))
    first, second = view(*rows, delays=tuple(waits))["waits"]
    assert (first["cause"], first["count"], first["oldest"]) == ("There is no capacity.", 2, 11.0)
    assert first["example"]["path"] == "dags/dag/runs/run/tasks/task/mapped/1"
    assert (second["cause"], second["count"]) == ("The image does not exist.", 1)
    assert second["detail"] == "The image does not exist. Push it."


def test_failures_are_grouped_by_what_happened():
    text = "Start {} of 3 failed, the next one in 9 s. The image does not exist. Push it."
    failures = [
        replace(EVENT, name=EventName.ENDED.value, at=NOW - 60, text="Out of memory."),
        replace(EVENT, name=EventName.LAUNCH_FAILED.value, at=NOW - 90, text=text.format(1)),
        replace(EVENT, name=EventName.LAUNCH_FAILED.value, at=NOW - 30, text=text.format(2)),
    ]
    first, second = view(failures=failures)["failures"]
    assert (first["event"], first["title"], first["age"]) == (
        EventName.LAUNCH_FAILED.value,
        "The image does not exist.",
        30.0,
    )
    assert [task["age"] for task in first["tasks"]] == [30.0, 90.0]
    assert first["text"] == text.format(2)
    assert (second["event"], len(second["tasks"])) == (EventName.ENDED.value, 1)


def test_nothing_of_another_dag_is_in_the_view():
    secret = replace(ROW, dag_id="secret", queue="secret queue", job_id=8)
    why = replace(EVENT, dag_id="secret", text="A secret reason.")
    status = SchedulerStatus(8, NOW, "1", 1, 1, 32, 0, EngineStatus(1, 0, 0, 1.0, 1.0, 1, 0))
    shown = view(secret, ROW, delays=(why,), failures=(), statuses=(status,))
    assert "secret" not in json.dumps(shown)
    assert shown["total"] == 1
    assert shown["schedulers"][0]["runs"] == 1, "a scheduler's numbers count all Dags"


def test_what_airflow_holds_back_is_counted_for_the_dags_that_the_user_may_read():
    assert view(ROW, scheduled={"dag": 5, "secret": 7})["scheduled"] == 5


def test_only_failures_of_readable_dags_are_chosen_and_not_too_many():
    found = tuple((index, "dag" if index % 2 else "secret") for index in range(4 * FAILURES_SHOWN))
    assert choose_failures(Fleet(NOW, failures=found), DAGS) == list(range(1, 2 * FAILURES_SHOWN, 2))
    assert choose_failures(Fleet(NOW, failures=found), frozenset()) == []


def test_without_access_to_the_audit_log_failures_are_not_even_counted():
    assert view(ROW, failures=(EVENT,), delays=(EVENT,), events=False)["failures"] is None


def test_ids_are_quoted_in_paths():
    row = replace(
        ROW, dag_id="a/b", run_id="manual__2026-01-01T00:00:00+00:00", task_id="group.t?", map_index=3
    )
    assert (
        path_of(row) == "dags/a%2Fb/runs/manual__2026-01-01T00%3A00%3A00%2B00%3A00/tasks/group.t%3F/mapped/3"
    )


def test_a_schedulers_numbers_are_shown():
    engine = EngineStatus(waiting=4, sending=2, watched=9, rate=6.4321, limit=10.0, launches=300, throttles=7)
    status = SchedulerStatus(
        7, NOW - 2, "1.0", 15, 14, 32, 1, engine, paused="No network.", paused_since=NOW - 40, team="red"
    )
    (shown,) = view(ROW, statuses=(status,))["schedulers"]
    assert shown["engine"] == {
        "waiting": 4,
        "sending": 2,
        "watched": 9,
        "rate": 6.43,
        "limit": 10.0,
        "launches": 300,
        "throttles": 7,
        "unanswered": None,
    }
    assert (shown["age"], shown["silent"], shown["paused_for"]) == (2.0, False, 40.0)
    assert (shown["runs"], shown["slots"], shown["parallelism"], shown["waiting_for_slot"]) == (15, 14, 32, 1)
