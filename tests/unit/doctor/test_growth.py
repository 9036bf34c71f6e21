"""What keeps the larger sizes of a profile from having an effect."""

from __future__ import annotations

from typing import Any

import pytest

from ecs_async_executor.doctor.setup import Target
from ecs_async_executor.messages import Request
from tests.unit.doctor.setups import BODY, DEFINITION, a_setup, facts, found

SIZES = (2048, 4096)


def said(
    *, of_task: str | None, limit: int | None, overrides: dict[str, Any], memory: tuple[int, ...] = SIZES
) -> list[str]:
    """What the doctor says about growth, for a task definition's sizes and a request's overrides."""
    container = {**DEFINITION["containerDefinitions"][0], **({"memory": limit} if limit else {})}
    definition = {**DEFINITION, "containerDefinitions": [container], "memory": of_task}
    body = {**BODY, "launchType": "EC2", "overrides": overrides}
    target = Target("growing", "prod", "airflow", Request(body, "airflow"), memory=memory)
    texts = [
        f"{each.what} {each.todo}"
        for each in found(a_setup(body, targets=(target,)), facts(definition=definition))
    ]
    return [text for text in texts if "grows to" in text]


TASK = {"memory": "2048"}
CONTAINER = {"containerOverrides": [{"name": "airflow", "memory": 2048}]}


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        pytest.param({"of_task": "1024", "limit": None, "overrides": TASK}, "", id="the task grows"),
        pytest.param(
            {"of_task": "1024", "limit": 1024, "overrides": TASK},
            'its container airflow has a limit of 1024 MiB. Leave "memory" out of the container',
            id="the task grows, and its container doesn't",
        ),
        pytest.param({"of_task": "1024", "limit": 8192, "overrides": TASK}, "", id="its container has more"),
        pytest.param({"of_task": None, "limit": 512, "overrides": CONTAINER}, "", id="the container grows"),
        pytest.param({"of_task": "4096", "limit": 512, "overrides": CONTAINER}, "", id="its task has room"),
        pytest.param(
            {"of_task": "3000", "limit": 512, "overrides": CONTAINER},
            'its ECS task has 3000 MiB. Leave "memory" of the task out',
            id="the container grows out of its task",
        ),
        pytest.param(
            {"of_task": "3000", "limit": 512, "overrides": TASK, "memory": ()}, "", id="nothing grows"
        ),
    ],
)
def test_what_limits_a_size_is_named_with_its_remedy(facts: dict[str, Any], says: str) -> None:
    texts = said(**facts)
    assert [says in text for text in texts] == ([True] if says else [])
