"""docs/conformance.md promises what the suite keeps: its policy, its numbers."""

from __future__ import annotations

import json
import re
from typing import Any

from ecs_async_executor.commands import BURST, MOST_CENTS
from ecs_async_executor.conformance.assumptions import ASSUMPTIONS
from ecs_async_executor.conformance.limits import SECONDS, TASKS
from ecs_async_executor.conformance.plan import plan
from ecs_async_executor.conformance.run import CALLS_A_SECOND
from ecs_async_executor.conformance.target import LIFE
from tests.support.conformance import LabEdge, make_lab, run_on, target_of
from tests.unit.docs.pages import ROOT, code_blocks
from tests.unit.docs.test_iam_page import SCHEDULER, statements

PAGE = (ROOT / "docs" / "conformance.md").read_text("utf-8")
WORDS = " ".join(PAGE.split())
(POLICY,) = (json.loads(block) for block in code_blocks(PAGE, "json"))


def without_resources(statement: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in statement.items() if name in {"Resource", "Condition"}}


def test_the_policy_allows_what_the_suite_calls_and_what_run_task_needs_beside() -> None:
    edge = LabEdge(make_lab())
    run_on(edge)
    called = {f"{call.service.replace('-', '')}:{call.action}" for call in edge.sent}
    beside = {"ecs:DescribeTaskDefinition", "iam:PassRole", "ecs:TagResource"}
    assert statements(POLICY).keys() == called | beside


def test_each_statement_that_the_schedulers_role_has_is_the_same() -> None:
    scheduler, ours = statements(SCHEDULER), statements(POLICY)
    shared = scheduler.keys() & ours.keys()
    assert ours.keys() - shared == {"ecs:DescribeTaskDefinition", "servicequotas:GetServiceQuota"}
    assert [
        name for name in shared if without_resources(ours[name]) != without_resources(scheduler[name])
    ] == []


def test_the_numbers_on_the_page_are_the_suites() -> None:
    target = target_of(make_lab(), broken_task_definition="")
    assert plan(target).tasks == 5
    assert "starts five ECS tasks" in WORDS
    assert (TASKS, SECONDS, LIFE) == (12, 900, 600)
    assert re.search(
        "more than twelve tasks.*stops asking after fifteen|stops asking after fifteen.*more than twelve tasks",
        WORDS,
    )
    assert "ten minutes after their start" in WORDS
    assert CALLS_A_SECOND == 4
    assert f"DescribeTasks {BURST} times" in WORDS
    assert (MOST_CENTS, "more than a dollar" in WORDS) == (100, True)
    assert round(plan(target).cents, 1) == 0.2
    assert abs(len(ASSUMPTIONS) - 40) <= 5
