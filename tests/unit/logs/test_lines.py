from __future__ import annotations

import json
from datetime import datetime, timezone

import pytest
from airflow.utils.log.file_task_handler import StructuredLogMessage

from ecs_async_executor.logs.lines import notice, shown, time_of

AT = 1_795_768_491_076
STRUCTURED = '{"timestamp":"2026-11-27T08:34:51.072749Z","level":"info","event":"x","logger":"task"}'


def test_a_line_that_airflow_has_structured_stays_byte_by_byte() -> None:
    assert shown({"timestamp": AT, "message": STRUCTURED}) == STRUCTURED


@pytest.mark.parametrize(
    "message",
    [
        "Traceback (most recent call last):",
        "",
        "{not json",
        '{"level":"info","message":"a library\'s own JSON"}',
        '{"event":"without a time"}',
        '{"timestamp":"yesterday","event":"x"}',
        '{"timestamp":1,"event":"x"}',
        '{"timestamp":"2026-11-27T08:34:51Z","event":{"an":"object"}}',
        "[1, 2]",
        "{}",
        "tab\tand\u2028other ends of lines",
    ],
)
def test_any_other_line_is_text_with_cloudwatchs_time(message: str) -> None:
    line = shown({"timestamp": AT, "message": message})
    assert "\n" not in line
    read = StructuredLogMessage.model_validate_json(line)
    assert read.event == message
    assert read.timestamp == datetime(2026, 11, 27, 8, 34, 51, 76_000, timezone.utc)


def test_what_ends_a_line_is_left_out() -> None:
    assert json.loads(shown({"timestamp": AT, "message": "x\r\n"}))["event"] == "x"


def test_a_notice_without_a_time_comes_first_and_with_one_at_its_time() -> None:
    assert StructuredLogMessage.model_validate_json(notice("x")).timestamp is None
    at = datetime(2026, 1, 1, tzinfo=timezone.utc)
    read = StructuredLogMessage.model_validate_json(notice("x", at))
    assert (read.event, read.timestamp) == ("x", at)


def test_the_token_in_a_command_that_a_shell_prints_is_left_out():
    token = "eyJhbGciOiJIUzUxMiJ9.eyJzdWIiOiIwMWEyMWMyNCJ9.c2lnbmF0dXJlLW9mLWl0"
    message = f"exec: python -m airflow --json-string {{'token':'{token}'}}: not found"
    line = shown({"timestamp": 0, "message": message})
    assert token not in line
    assert json.loads(line)["event"] == "exec: python -m airflow --json-string {'token':'***'}: not found"


def test_a_line_nested_too_deep_for_a_parser_is_text():
    message = '{"event":' + "[" * 100_000
    assert json.loads(shown({"timestamp": 0, "message": message}))["event"] == message


@pytest.mark.parametrize(
    ("line", "time"),
    [
        ('{"timestamp": "2023-11-14T22:13:20"}', datetime(2023, 11, 14, 22, 13, 20, tzinfo=timezone.utc)),
        ('{"timestamp": "2023-11-14T22:13:20Z"}', datetime(2023, 11, 14, 22, 13, 20, tzinfo=timezone.utc)),
        ('{"timestamp": "soon"}', None),
        ("{}", None),
    ],
)
def test_a_time_without_a_zone_is_utc(line: str, time: datetime | None):
    assert time_of(line) == time
