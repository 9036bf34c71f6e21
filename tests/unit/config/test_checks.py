"""Each rule of ECS, in each place where members of RunTask are written, with what is said."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.model import StringShape

from ecs_async_executor import ecs_rules
from ecs_async_executor.config.checks import problems
from ecs_async_executor.config.layers import Layer
from ecs_async_executor.config.request import RequestTemplate
from ecs_async_executor.config.settings import Settings
from ecs_async_executor.config.spelling import run_task_shape
from ecs_async_executor.errors import InvalidRequestError
from tests.support.refused import REFUSED, TAKEN, Row

REQUIRED = {"cluster": "c", "container_name": "airflow", "task_definition": "t", "subnets": ("subnet-1",)}
OPEN = {"launchType": "EC2"}


def body(place: str, members: dict[str, Any]) -> dict[str, Any]:
    """Make a request with these members in run_task_kwargs, in a queue's profile, or in executor_config."""
    kwargs = members if place == "run_task_kwargs" else {}
    settings = Settings.model_validate({**REQUIRED, "run_task_kwargs": kwargs})
    template = RequestTemplate(settings, Layer("queue gpu", members if place == "queue gpu" else {}))
    return dict(template.request(["run"], members if place == "executor_config" else OPEN).body)


@pytest.mark.parametrize("place", ["run_task_kwargs", "queue gpu", "executor_config"])
@pytest.mark.parametrize("row", REFUSED.values(), ids=REFUSED)
def test_what_ecs_refuses_is_refused_wherever_it_is_written(place: str, row: Row) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        body(place, row.members)
    assert str(caught.value).startswith(f"{place}: ")
    assert row.says in str(caught.value)


@pytest.mark.parametrize("members", TAKEN.values(), ids=TAKEN)
def test_what_ecs_takes_is_taken(members: dict[str, Any]) -> None:
    assert body(
        "executor_config", {**OPEN, **members} if "capacityProviderStrategy" not in members else members
    )


CASES = [
    ({"launchType": "external"}, ("launchType",), "EXTERNAL"),
    ({"propagateTags": "task_definition"}, ("propagateTags",), "TASK_DEFINITION"),
    ({"placementStrategy": [{"type": "BinPack"}]}, ("placementStrategy", 0, "type"), "binpack"),
    ({"placementConstraints": [{"type": "MEMBEROF"}]}, ("placementConstraints", 0, "type"), "memberOf"),
    (
        {
            "launchType": "FARGATE",
            "networkConfiguration": {"awsvpcConfiguration": {"assignPublicIp": "enabled"}},
        },
        ("networkConfiguration", "awsvpcConfiguration", "assignPublicIp"),
        "ENABLED",
    ),
    (
        {"resourceRequirements": [{"type": "gpu", "value": 1}]},
        ("overrides", "containerOverrides", 0, "resourceRequirements", 0, "type"),
        "GPU",
    ),
    (
        {"capacityProviderStrategy": [{"capacityProvider": "fargate_spot", "weight": 1}]},
        ("capacityProviderStrategy", 0, "capacityProvider"),
        "FARGATE_SPOT",
    ),
    ({"launchType": "FARGATE", "platformVersion": "latest"}, ("platformVersion",), "LATEST"),
    (
        {"capacityProviderStrategy": "fargate:1"},
        ("capacityProviderStrategy", 0, "capacityProvider"),
        "FARGATE",
    ),
]


@pytest.mark.parametrize("place", ["run_task_kwargs", "queue gpu", "executor_config"])
@pytest.mark.parametrize(("members", "path", "sent"), CASES)
def test_a_value_of_an_enum_is_taken_in_any_case_and_sent_in_awss(
    place: str, members: dict[str, Any], path: tuple[Any, ...], sent: str
) -> None:
    settings = Settings.model_validate(
        {**REQUIRED, "run_task_kwargs": members if place == "run_task_kwargs" else {}}
    )
    template = RequestTemplate(settings, Layer("queue gpu", members if place == "queue gpu" else {}))
    found: Any = template.request(["run"], members if place == "executor_config" else None).body
    for step in path:
        found = found[step]
    assert found == sent


def test_fargate_in_small_letters_counts_as_fargate() -> None:
    kwargs = {"launch_type": "fargate"}
    on_fargate = Settings.model_validate(
        {**REQUIRED, "run_task_kwargs": kwargs, "launch_type": "EC2"}
    ).on_fargate
    assert on_fargate is True


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"cpu": "half a vCPU"}, "executor_config: cpu is text; ECS takes a whole number."),
        ({"environment": {"A=B": "1"}}, "executor_config: environment[A].name has a = in"),
        ({"environment": "A=1"}, "executor_config: environment is text; ECS takes a list."),
        (
            {"overrides": {"containerOverrides": [{"cpu": "half a vCPU"}]}},
            "executor_config: overrides.containerOverrides[airflow].cpu is text; ECS takes a whole number.",
        ),
        (
            {"overrides": {"containerOverrides": [{"name": "side", "memory": "x"}]}},
            "executor_config: overrides.containerOverrides[side].memory is text; ECS takes a whole number.",
        ),
    ],
)
def test_a_wrong_value_is_named_by_the_path_that_its_author_wrote(members: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        body("executor_config", members)
    assert str(caught.value).startswith(said)


def test_no_value_is_shown() -> None:
    said = problems({"taskDefinition": "t", "tags": [{"key": "k", "value": "their-secret" * 50}]})
    assert said == ["tags[k] has 600 characters; ECS takes at most 256."]
    override = {"name": "a", "environment": [{"name": "PASSWORD=their-secret"}]}
    (said_of_name,) = problems({"taskDefinition": "t", "overrides": {"containerOverrides": [override]}})
    assert "environment[PASSWORD].name has a =" in said_of_name
    assert "their-secret" not in said_of_name


def every_shape(shape: Any) -> list[Any]:
    if shape.type_name == "structure":
        return [shape, *(each for member in shape.members.values() for each in every_shape(member))]
    return [shape, *every_shape(shape.member)] if shape.type_name == "list" else [shape]


def test_python_reads_every_pattern_of_the_request() -> None:
    patterns = {
        shape.metadata["pattern"] for shape in every_shape(run_task_shape()) if "pattern" in shape.metadata
    }
    assert patterns
    for pattern in patterns:
        assert ecs_rules._compiled(pattern) is not None


def test_a_pattern_of_a_newer_botocore_that_python_does_not_read_refuses_nothing() -> None:
    shape = StringShape("New", {"type": "string", "pattern": r"[\p{M}a-z]*+"})
    assert [*ecs_rules.violations("ANY", shape)] == []


def test_every_rule_is_about_a_part_of_the_request() -> None:
    def paths(shape: Any, path: str = "") -> list[str]:
        if shape.type_name == "structure":
            named = [(member, f"{path}.{name}" if path else name) for name, member in shape.members.items()]
            return [path, *(each for member, at in named for each in paths(member, at))]
        return [path, *(paths(shape.member, f"{path}[]") if shape.type_name == "list" else [])]

    known = {*paths(run_task_shape()), *(shape.name for shape in every_shape(run_task_shape()))}
    assert {*ecs_rules.RULES, *ecs_rules.LIMITS} <= known
