"""Storing a dead container's log: what remote logs answer, and what CloudWatch Logs takes in one call."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from ecs_async_executor.logs.attempt_file import _has, batches

NOW = datetime(2026, 11, 27, 8, 30, tzinfo=timezone.utc)
RELATIVE = "dag_id=etl/run_id=r/task_id=load/attempt=1.log"


class Store:
    """A remote log that answers like this."""

    def __init__(self, sources: Any, logs: Any) -> None:
        self.answer = sources, logs

    def read(self, _relative: str, _ti: Any) -> tuple[Any, Any]:
        return self.answer


@pytest.mark.parametrize(
    ("sources", "logs", "has"),
    [
        ([], None, False),
        ([f"s3://bucket/logs/{RELATIVE}"], ["a line"], True),
        ([f"s3://bucket/logs/{RELATIVE}.trigger.7.log"], ["waiting"], True),
        ([f"gs://bucket/{RELATIVE}"], [], True),
        (["No logs found in WASB; ti=<TaskInstance>"], [], False),
        ([], [f"*** Log {RELATIVE} not found in Elasticsearch"], False),
        (["elasticsearch:9200"], ["a line"], True),
        (None, None, False),
    ],
    ids=[
        "S3, none",
        "S3",
        "S3, a triggerer's",
        "GCS, can't be read",
        "WASB, none",
        "Elasticsearch, none",
        "Elasticsearch",
        "nothing",
    ],
)
def test_a_remote_log_has_a_log_if_it_names_it_or_has_lines_of_it(sources: Any, logs: Any, has: bool):
    assert _has(Store(sources, logs), RELATIVE, None) is has


def line(at: datetime | None = None, text: str = "x") -> str:
    return json.dumps({"event": text} if at is None else {"timestamp": at.isoformat(), "event": text})


def test_a_call_takes_ten_thousand_events():
    assert [len(call) for call in batches([line(NOW)] * 10_005, NOW)] == [10_000, 5]


def test_a_call_takes_one_mebibyte():
    calls = list(batches([line(NOW, "x" * 200_000)] * 6, NOW))
    assert [len(call) for call in calls] == [5, 1]


def test_a_call_spans_less_than_a_day():
    times = [NOW - timedelta(hours=hours) for hours in (30, 29, 6, 1)]
    assert [len(call) for call in batches([line(at) for at in times], NOW)] == [2, 2]


def test_events_come_in_the_order_of_their_times_and_none_is_too_old():
    times = [NOW, NOW - timedelta(days=30), NOW - timedelta(hours=1)]
    (old, new) = batches([line(at, str(number)) for number, at in enumerate(times)], NOW)
    assert [json.loads(event["message"])["event"] for event in (*old, *new)] == ["1", "2", "0"]
    assert old[0]["timestamp"] == int((NOW - timedelta(days=13)).timestamp() * 1000)


def test_a_time_without_a_zone_and_no_time_at_all_are_fine():
    lines = ['{"timestamp": "2026-11-27T08:00:00", "event": "naive"}', line(None), line(NOW)]
    (call,) = batches(lines, NOW)
    assert [event["timestamp"] for event in call] == sorted(event["timestamp"] for event in call)
    assert call[1]["timestamp"] == call[0]["timestamp"], "without a time of its own it has that of the first"
