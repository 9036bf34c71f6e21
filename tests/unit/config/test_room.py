from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from ecs_async_executor.config.profiles import make_profiles
from ecs_async_executor.config.request import ROOMS_REMEMBERED, RequestTemplate
from ecs_async_executor.config.room import room_of
from ecs_async_executor.config.settings import Settings


@pytest.fixture
def template() -> RequestTemplate:
    return RequestTemplate(
        Settings(
            cluster="c", container_name="airflow", task_definition="t", subnets=("s",), launch_type="EC2"
        )
    )


def test_a_room_is_a_cluster_its_providers_and_whatever_decides_where_a_task_fits():
    room = room_of(
        {
            "cluster": "c",
            "capacityProviderStrategy": [
                {"capacityProvider": "b"},
                {"capacityProvider": "a", "weight": 2},
                {"capacityProvider": "a"},
            ],
            "taskDefinition": "t",
            "group": "irrelevant",
            "overrides": {
                "cpu": "256",
                "containerOverrides": [{"name": "airflow", "memory": 512, "environment": [{"name": "A"}]}],
            },
        }
    )
    assert (room.cluster, room.providers) == ("c", ("a", "b"))
    assert room.size == '{"airflow.memory": 512, "cpu": "256", "taskDefinition": "t"}'


@pytest.mark.parametrize("key", ["launchType", "launch_type"])
def test_tasks_with_another_launch_type_need_other_room(template: RequestTemplate, key: str):
    assert template.room(None).providers == ("EC2",)
    assert template.room({key: "FARGATE"}).providers == ("FARGATE",)


@pytest.mark.parametrize(
    "executor_config",
    [
        {"cpu": 512},
        {"overrides": {"memory": "2048"}},
        {"overrides": {"containerOverrides": [{"name": "airflow", "cpu": 512}]}},
        {"task_definition": "other"},
        {"placementConstraints": [{"type": "memberOf", "expression": "attribute:gpu == yes"}]},
        {"network_configuration": {"awsvpcConfiguration": {"subnets": ["s2"]}}},
    ],
)
def test_tasks_of_another_size_need_other_room_in_the_same_place(
    template: RequestTemplate, executor_config: Mapping[str, Any]
):
    other, usual = template.room(executor_config), template.room(None)
    assert (other.cluster, other.providers) == (usual.cluster, usual.providers)
    assert other != usual
    assert template.room(dict(executor_config)) is other, "it is worked out once"


@pytest.mark.parametrize(
    "executor_config",
    [
        {},
        {"environment": {"DAY": "Monday"}},
        {"tags": {"team": "data"}},
        {"overrides": {"containerOverrides": [{"name": "airflow", "environment": {"DAY": "Monday"}}]}},
        ["not", "a", "mapping"],
        {"overrides": 7},
        {"overrides": {"containerOverrides": 7}},
        {"capacity_provider_strategy": [7]},
    ],
)
def test_what_decides_nothing_or_is_wrong_changes_no_room(template: RequestTemplate, executor_config: object):
    assert template.room(executor_config) == template.room(None)


def test_what_decides_nothing_is_not_even_looked_at(template: RequestTemplate):
    """Thousands of tasks may have an environment each, and this is worked out in the scheduler's thread."""
    for number in range(10):
        environment = [{"name": "NUMBER", "value": str(number)}]
        template.room(
            {
                "overrides": {
                    "containerOverrides": [{"name": "airflow", "cpu": 512, "environment": environment}]
                }
            }
        )
    assert len(template._rooms) == 1


def test_a_room_never_raises(template: RequestTemplate):
    class Rude:
        def __repr__(self) -> str:
            raise ValueError

    assert template.room({"cpu": Rude()}) == template.room(None)


def test_many_executor_configs_do_not_fill_the_memory(template: RequestTemplate):
    for size in range(ROOMS_REMEMBERED + 5):
        template.room({"cpu": size})
    assert len(template._rooms) <= ROOMS_REMEMBERED


def test_the_queues_of_one_place_and_size_share_their_room():
    queues = {"a": {"tags": {"queue": "a"}}, "b": {"rate_share": 0.5}, "large": {"cpu": 4096}}
    profiles = make_profiles(
        Settings(cluster="c", container_name="airflow", task_definition="t", subnets=("s",), queues=queues)
    )
    rooms = {name: profiles.of(name).template.room(None) for name in queues}
    assert rooms["a"] == rooms["b"] != rooms["large"]
