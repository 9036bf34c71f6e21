"""The doctor knows what `task_tags` needs, and its own launch has tags that are nobody's."""

from __future__ import annotations

from typing import Any

import pytest

from ecs_async_executor.config.profiles import make_profiles
from ecs_async_executor.config.settings import Settings
from ecs_async_executor.doctor.launch.launch import FACTS
from ecs_async_executor.doctor.permissions import needs
from tests.unit.doctor.setups import a_setup, facts


def body(facts: Any = None, **options: Any) -> dict[str, Any]:
    settings = Settings(
        cluster="prod", container_name="airflow", task_definition="airflow-task", subnets=("s",), **options
    )
    return dict(make_profiles(settings).of("").request(["run"], None, facts=facts).body)


@pytest.mark.parametrize(
    ("options", "needed"), [({}, False), ({"task_tags": {"dag": "{dag_id}", "team": "{team}"}}, True)]
)
def test_tags_need_a_right_on_the_clusters_tasks(options: dict[str, Any], needed: bool) -> None:
    found = {action: need for need in needs(a_setup(body(**options)), facts()) for action in need.actions}
    assert ("ecs:TagResource" in found) is needed
    if needed:
        assert found["ecs:TagResource"].resource.endswith(":task/prod/*")


def test_the_probes_tags_are_the_doctors() -> None:
    tags = body(FACTS, task_tags={"dag": "{dag_id}", "team": "{team}", "of": "us"})["tags"]
    assert {tag["key"]: tag["value"] for tag in tags} == {
        "dag": "ecs-async-doctor",
        "team": "ecs-async-doctor",
        "of": "us",
    }
