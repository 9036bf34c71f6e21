from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ecs_async_executor.local.rules.protocol import AwsError
from ecs_async_executor.local.state.definitions import LogTarget, Registry
from tests.unit.local.conftest import definition

if TYPE_CHECKING:
    from tests.unit.local.conftest import Lab


@pytest.fixture
def registry() -> Registry:
    return Registry("us-east-1", "123456789012")


def test_each_registration_is_a_revision_and_the_family_means_the_latest(registry: Registry) -> None:
    first = registry.register(definition("a"))
    second = registry.register(definition("b"))
    assert registry.find("f") is second
    assert registry.find("f:1") is first
    assert registry.find(first.arn) is first
    assert second.arn == "arn:aws:ecs:us-east-1:123456789012:task-definition/f:2"


@pytest.mark.parametrize("name", ["nope", "f:2", "f:0", "f:x"])
def test_an_unknown_definition_can_not_be_described(registry: Registry, name: str) -> None:
    registry.register(definition("a"))
    with pytest.raises(AwsError, match="Unable to describe task definition"):
        registry.find(name)


MAIN_AND_LOG: list[dict[str, Any]] = [
    {"name": "log"},
    {"name": "main", "stopTimeout": 5},
    {"name": "side", "essential": False},
]


@pytest.mark.parametrize(
    ("commanded", "main"), [((), "log"), (("main",), "main"), (("side",), "log"), (("side", "main"), "main")]
)
def test_a_launch_is_about_the_essential_container_that_it_gives_a_command(
    registry: Registry, commanded: tuple[str, ...], main: str
) -> None:
    registered = registry.register(definition(*MAIN_AND_LOG))
    overrides = [{"name": "log", "cpu": 1}, *({"name": name, "command": ["x"]} for name in commanded)]
    assert registered.main_of({"containerOverrides": overrides}) == main
    assert registered.stop_timeout_of("main") == 5.0


@pytest.mark.parametrize(
    ("fields", "allowed"),
    [
        ({}, {"EC2", "EXTERNAL"}),
        ({"networkMode": "bridge"}, {"EC2", "EXTERNAL"}),
        ({"networkMode": "host"}, {"EC2", "EXTERNAL", "MANAGED_INSTANCES"}),
        ({"networkMode": "none"}, {"EC2", "EXTERNAL", "MANAGED_INSTANCES"}),
        ({"networkMode": "awsvpc"}, {"EC2", "MANAGED_INSTANCES"}),
        ({"networkMode": "awsvpc", "cpu": "256"}, {"EC2", "MANAGED_INSTANCES", "FARGATE"}),
        ({"networkMode": "awsvpc", "cpu": "256", "requiresCompatibilities": ["EC2"]}, {"EC2"}),
        ({"networkMode": "awsvpc", "cpu": "256", "requiresCompatibilities": ["FARGATE"]}, {"FARGATE", "EC2"}),
    ],
)
def test_a_definition_is_for_the_launch_types_that_it_validates_for_and_requires(
    registry: Registry, fields: dict[str, Any], allowed: set[str]
) -> None:
    assert registry.register(definition("a", **fields)).launch_types == allowed


def test_sizes_with_units_are_kept_as_cpu_units_and_mebibytes(registry: Registry) -> None:
    document = registry.register(definition("a", cpu=".25 vCPU", memory="1 GB")).document
    assert (document["cpu"], document["memory"]) == ("256", "1024")


def test_awslogs_options_are_read(registry: Registry) -> None:
    options = {"awslogs-group": "g", "awslogs-region": "eu-west-1", "awslogs-stream-prefix": "p"}
    container = {"name": "a", "logConfiguration": {"logDriver": "awslogs", "options": options}}
    assert registry.register(definition(container)).containers[0].log == LogTarget(
        "g", "p", "eu-west-1", create_group=False
    )


@pytest.mark.parametrize(("text", "create"), [("true", True), ("false", False), ("True", False)])
def test_a_log_group_is_made_only_if_the_definition_says_so(
    registry: Registry, text: str, create: bool
) -> None:
    options = {"awslogs-group": "g", "awslogs-region": "us-east-1", "awslogs-create-group": text}
    container = {"name": "a", "logConfiguration": {"logDriver": "awslogs", "options": options}}
    log = registry.register(definition(container)).containers[0].log
    assert log is not None
    assert log.create_group is create


@pytest.mark.parametrize("driver", ["splunk", "awsfirelens"])
def test_other_log_drivers_keep_nothing(registry: Registry, driver: str) -> None:
    container = {"name": "a", "logConfiguration": {"logDriver": driver, "options": {"awslogs-group": "g"}}}
    assert registry.register(definition(container)).containers[0].log is None


def test_definitions_are_registered_and_described_over_the_api(lab: Lab) -> None:
    containers = [{"name": "a", "image": "i"}]
    registered = lab.call("RegisterTaskDefinition", **definition(*containers))["taskDefinition"]
    described = lab.call("DescribeTaskDefinition", taskDefinition="f:1")["taskDefinition"]
    assert registered == described
    assert (described["status"], described["revision"]) == ("ACTIVE", 1)
    assert described["containerDefinitions"] == containers
