from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest

from ecs_async_executor.conformance.answers import Record
from ecs_async_executor.conformance.assumptions import ASSUMPTIONS
from ecs_async_executor.conformance.judges import Outcome
from ecs_async_executor.conformance.report import Report, as_json, as_markdown, make_report, masked
from ecs_async_executor.conformance.target import Target
from tests.support.conformance import LabEdge, make_lab, run_on, target_of

ABOUT = {"Region": "us-east-1"}
LEFT = "arn:aws:ecs:us-east-1:123456789012:task/default/0123456789abcdef0123456789abcdef"


@cache
def record() -> tuple[Target, Record]:
    edge = LabEdge(make_lab())
    target = target_of(edge.lab)
    return target, run_on(edge, target)[0].record


def report(*, left: tuple[str, ...] = (), breaks: str = "", says: str = "It | broke <b>\n@someone") -> Report:
    target, seen = record()
    answers = [
        replace(each, code="ClientException", message=says, status=400) if each.call.name == breaks else each
        for each in seen.answers
    ]
    return make_report(target, Record(answers), ABOUT, left)


def test_the_markdown_has_a_row_for_each_assumption_and_the_counts() -> None:
    text = as_markdown(report())
    assert [row.name for row in ASSUMPTIONS if f"\n| {row.name} | " not in text] == []
    assert "**39 holds, 0 differs, 3 could not tell.**" in text
    assert "- Region: us-east-1" in text
    assert "- Phases of one task: provisioning 6.0 s, pull 5.0 s, start 1.0 s, stop 3.0 s" in text
    assert "####" not in text


def test_a_difference_is_reported_in_full_with_aws_page() -> None:
    text = as_markdown(report(breaks="missing"))
    section = text.partition("#### missing\n")[2]
    row = next(row for row in ASSUMPTIONS if row.name == "missing")
    assert row.says in section
    assert row.use in section
    assert row.source in section


def test_aws_words_break_neither_the_table_nor_the_page() -> None:
    (line,) = (
        each for each in as_markdown(report(breaks="missing")).splitlines() if each.startswith("| missing |")
    )
    assert "It \\| broke &lt;b> @\u200bsomeone" in line


def test_the_json_says_the_same() -> None:
    document = json.loads(as_json(report(breaks="missing")))
    assert document["counts"] == {"holds": 38, "differs": 1, "could not tell": 3}
    assert {row["name"] for row in document["assumptions"]} == {row.name for row in ASSUMPTIONS}
    (missing,) = (row for row in document["assumptions"] if row["name"] == "missing")
    assert (missing["verdict"], missing["source"][:8]) == ("differs", "https://")


@pytest.mark.parametrize("write", [as_markdown, as_json])
def test_no_account_id_is_in_a_report(write: Callable[[Report], str]) -> None:
    said = (
        "User: arn:aws:sts::123456789012:assumed-role/me is not authorized on 123456789012.dkr.ecr.us-east-1"
    )
    text = write(report(breaks="missing", says=said, left=(LEFT,)))
    assert "123456789012" not in text
    assert "<account>" in text.replace("&lt;", "<")


def test_the_id_of_a_task_is_not_taken_for_an_account() -> None:
    assert (
        masked("task/default/0123456789abcdef0123456789abcdef")
        == "task/default/0123456789abcdef0123456789abcdef"
    )


def test_tasks_that_may_still_run_are_listed() -> None:
    assert "**1 tasks may still run**" in as_markdown(report(left=(LEFT,)))


def test_a_run_that_ended_early_says_why() -> None:
    target, _ = record()
    empty = make_report(target, Record(cut_short="the run was interrupted"), ABOUT)
    assert "- Ended early: the run was interrupted" in as_markdown(empty)
    assert empty.count(Outcome.UNTOLD) == len(ASSUMPTIONS)
