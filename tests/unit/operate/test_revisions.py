"""One test per row of the sweep's table of images' revisions."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from ecs_async_executor.engine.images import DEFINITION, DEPLOYMENT, IMAGE
from ecs_async_executor.operate.revisions import KEPT_FOR, Verdict, explain, judge_all, registered
from tests.support import operation
from tests.support.operation import NOW

ARN = "arn:aws:ecs:us-east-1:123456789012:task-definition/ecs-async-image-airflow-task-7-0a:1"
FAMILY = "ecs-async-image-airflow-task-7-0a"
NAMED = ("airflow-task:7", "airflow:2")


def answer(tags: dict[str, str] | None = None, *, age: float = KEPT_FOR + 1) -> dict[str, Any]:
    values = {
        DEPLOYMENT: operation.DEPLOYMENT,
        DEFINITION: "airflow-task:7",
        IMAGE: "airflow:2",
        **(tags or {}),
    }
    return {
        "taskDefinition": {
            "taskDefinitionArn": ARN,
            "family": FAMILY,
            "registeredAt": datetime.fromtimestamp(NOW - age, timezone.utc),
        },
        "tags": [{"key": key, "value": value} for key, value in values.items() if value],
    }


def verdict(
    found: dict[str, Any] | None = None,
    *,
    live: frozenset[str] = frozenset(),
    named: frozenset[tuple[str, str]] = frozenset(),
) -> Verdict:
    (judged,) = judge_all([registered(found or answer())], operation.DEPLOYMENT, live, named, NOW)
    assert judged.is_to_deregister == (judged.verdict is Verdict.LEFT_OVER)
    return judged.verdict


def test_a_month_after_its_registration_a_revision_that_nothing_names_is_left_over() -> None:
    others = frozenset({("airflow-task:8", "airflow:2"), ("airflow-task:7", "airflow:3")})
    assert verdict(live=frozenset({"airflow-task"}), named=others) is Verdict.LEFT_OVER


def test_a_revision_is_kept_for_a_month() -> None:
    assert verdict(answer(age=KEPT_FOR - 1)) is Verdict.YOUNG


def test_a_revision_whose_age_is_unknown_is_kept() -> None:
    found = answer()
    del found["taskDefinition"]["registeredAt"]
    assert verdict(found) is Verdict.YOUNG


def test_a_revision_with_a_live_task_is_kept() -> None:
    assert verdict(live=frozenset({FAMILY})) is Verdict.IN_USE


def test_a_revision_whose_image_a_profile_names_is_kept() -> None:
    assert verdict(named=frozenset({NAMED})) is Verdict.NAMED


@pytest.mark.parametrize("tags", [{DEPLOYMENT: "airflow/other"}, {DEPLOYMENT: ""}, {IMAGE: ""}])
def test_a_revision_without_this_airflows_tags_is_never_touched(tags: dict[str, str]) -> None:
    assert verdict(answer(tags)) is Verdict.FOREIGN


def test_the_explanation_tells_what_it_is_and_its_age() -> None:
    (judged,) = judge_all([registered(answer(age=40 * 86_400))], operation.DEPLOYMENT, (), (), NOW)
    assert explain(judged, NOW) == (
        "airflow-task:7 with the image airflow:2. It is 40d 00h old; no option names its image, and no task of it is live."
    )
