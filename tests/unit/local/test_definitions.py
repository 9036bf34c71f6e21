from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ecs_async_executor.local.definitions import LogTarget, Registry
from ecs_async_executor.local.protocol import AwsError

if TYPE_CHECKING:
    from .conftest import Lab


@pytest.fixture
def registry() -> Registry:
    return Registry("us-east-1", "123456789012")


def test_each_registration_is_a_revision_and_the_family_means_the_latest(registry: Registry) -> None:
    first = registry.register({"family": "f", "containerDefinitions": [{"name": "a"}]})
    second = registry.register({"family": "f", "containerDefinitions": [{"name": "b"}]})
    assert registry.find("f") is second
    assert registry.find("f:1") is first
    assert registry.find(first.arn) is first
    assert second.arn == "arn:aws:ecs:us-east-1:123456789012:task-definition/f:2"


@pytest.mark.parametrize("name", ["nope", "f:2", "f:0", "f:x"])
def test_an_unknown_definition_can_not_be_described(registry: Registry, name: str) -> None:
    registry.register({"family": "f", "containerDefinitions": [{"name": "a"}]})
    with pytest.raises(AwsError, match="Unable to describe task definition"):
        registry.find(name)


@pytest.mark.parametrize(
    "containers", [[], [{"name": "a", "essential": False}], [{"name": "a"}, {"name": "a"}], [{"image": "a"}]]
)
def test_containers_need_names_of_their_own_and_one_essential(
    registry: Registry, containers: list[dict[str, Any]]
) -> None:
    with pytest.raises(AwsError) as caught:
        registry.register({"family": "f", "containerDefinitions": containers})
    assert caught.value.code == "ClientException"


def test_the_first_essential_container_is_the_main_one(registry: Registry) -> None:
    containers = [{"name": "log", "essential": False}, {"name": "main", "stopTimeout": 5}]
    definition = registry.register({"family": "f", "containerDefinitions": containers})
    assert (definition.main, definition.stop_timeout) == ("main", 5.0)


def test_awslogs_options_are_read(registry: Registry) -> None:
    options = {"awslogs-group": "g", "awslogs-region": "eu-west-1", "awslogs-stream-prefix": "p"}
    container = {"name": "a", "logConfiguration": {"logDriver": "awslogs", "options": options}}
    definition = registry.register({"family": "f", "containerDefinitions": [container]})
    assert definition.containers[0].log == LogTarget("g", "p", "eu-west-1", create_group=True)


@pytest.mark.parametrize("driver", ["splunk", "awsfirelens"])
def test_other_log_drivers_keep_nothing(registry: Registry, driver: str) -> None:
    container = {"name": "a", "logConfiguration": {"logDriver": driver, "options": {"awslogs-group": "g"}}}
    assert registry.register({"family": "f", "containerDefinitions": [container]}).containers[0].log is None


def test_definitions_are_registered_and_described_over_the_api(lab: Lab) -> None:
    containers = [{"name": "a", "image": "i"}]
    registered = lab.call("RegisterTaskDefinition", family="f", containerDefinitions=containers)[
        "taskDefinition"
    ]
    described = lab.call("DescribeTaskDefinition", taskDefinition="f:1")["taskDefinition"]
    assert registered == described
    assert (described["status"], described["revision"]) == ("ACTIVE", 1)
    assert described["containerDefinitions"] == containers
