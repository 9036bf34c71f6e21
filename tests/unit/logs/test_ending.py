"""The log of a try whose container died before Airflow could write one."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

import pytest

from ecs_async_executor.logs.ending import MOST_CHARACTERS, WIDTH, Ending, attempt_log, audit_text
from ecs_async_executor.logs.lines import shown
from ecs_async_executor.logs.location import Elsewhere, LogStream
from ecs_async_executor.logs.problems import SLOW, Problem
from ecs_async_executor.logs.reader import Page
from ecs_async_executor.messages import Diagnosis

WHERE = LogStream("/ecs/etl", "ecs/airflow/abc", "eu-central-1")
AT = datetime(2026, 11, 27, 8, 30, tzinfo=timezone.utc)
WHY = Diagnosis("The container was killed.", "exit code 137", "Give the task more memory.")
LINES = [shown({"timestamp": 1_795_768_491_500, "message": text}) for text in ("loading", "transforming")]


PAGE = Page(tuple(LINES), where=WHERE)


def ending(*, ran: bool = True, why: Diagnosis = WHY) -> Ending:
    return Ending("key", "dag.task of run, try 1", "arn:task", ran, why, AT)


def events(lines: list[str]) -> list[tuple[str | None, str]]:
    return [(line.get("level"), line["event"]) for line in map(json.loads, lines)]


def test_it_has_the_containers_lines_and_then_why_it_ended_and_what_to_do():
    assert events(attempt_log(ending(), PAGE)) == [
        ("info", "The task's container ended before Airflow could write this log."),
        (
            "info",
            "These are the last 2 lines that it printed (log group /ecs/etl, stream ecs/airflow/abc (eu-central-1)).",
        ),
        (None, "loading"),
        (None, "transforming"),
        ("error", "The container was killed."),
        ("error", "What to do: Give the task more memory."),
        ("info", "Facts: exit code 137"),
        ("info", "ECS task: arn:task"),
    ]


def test_the_introduction_has_no_time_and_so_stays_first_and_the_end_has_the_time_of_the_end():
    lines: list[dict[str, Any]] = [json.loads(line) for line in attempt_log(ending(), PAGE)]
    assert not any("timestamp" in line for line in lines[:2])
    assert {line["timestamp"] for line in lines[4:]} == {AT.isoformat()}


def test_a_long_remedy_takes_several_lines_because_the_page_does_not_wrap():
    remedy = " ".join(f"word{number}" for number in range(60))
    lines = events(attempt_log(ending(why=Diagnosis("It died.", remedy=remedy)), Page()))
    told = [text for level, text in lines if level == "error"][1:]
    assert len(told) > 2
    assert max(map(len, told)) <= WIDTH
    assert " ".join(text.strip() for text in told) == f"What to do: {remedy}"


@pytest.mark.parametrize(
    ("page", "said"),
    [
        (Page(), "It printed nothing."),
        (Page(where=WHERE), "It printed nothing (log group /ecs/etl"),
        (
            Page(where=WHERE, problem=Problem("No stream.", nothing_printed=True)),
            "It printed nothing (log group",
        ),
        (
            Page(after=("{}",), where=Elsewhere("FireLens sends them to Loki.")),
            "FireLens sends them to Loki.",
        ),
        (
            Page(problem=Problem("AWS denied GetLogEvents.", "Add: x")),
            "could not be read: AWS denied GetLogEvents. Add: x",
        ),
        (Page(after=("{}",), where=WHERE, problem=SLOW), "could not be read: The lines are being read"),
    ],
)
def test_without_lines_it_says_why_there_are_none(page: Page, said: str):
    lines = [text for _, text in events(attempt_log(ending(), page))]
    end = lines.index(WHY.summary)
    assert said in " ".join(" ".join(lines[:end]).split())


def test_a_task_that_never_started_has_only_the_reason():
    why = Diagnosis("The image does not exist.")
    assert events(attempt_log(ending(ran=False, why=why), Page())) == [
        ("error", "The image does not exist."),
        ("info", "ECS task: arn:task"),
    ]


def test_the_audit_log_has_the_lines_as_people_read_them():
    assert audit_text(PAGE).splitlines() == [
        "The container's last lines (log group /ecs/etl, stream ecs/airflow/abc (eu-central-1)):",
        "2026-11-27T08:34:51.500000+00:00 loading",
        "2026-11-27T08:34:51.500000+00:00 transforming",
    ]


def test_the_audit_log_has_the_last_lines_that_fit():
    lines = [shown({"timestamp": 0, "message": f"{number} " + "x" * 1000}) for number in range(100)]
    text = audit_text(Page(tuple(lines), where=WHERE))
    assert len(text) < MOST_CHARACTERS + 200
    assert "99 xxx" in text
    assert "0 xxx" not in text.splitlines()[1]
