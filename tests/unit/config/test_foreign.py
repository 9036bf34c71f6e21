"""Members that people bring along from other executors, operators and the task definition."""

from __future__ import annotations

from typing import Any

import pytest

from ecs_async_executor.config.profiles import Options
from ecs_async_executor.config.request import RequestTemplate
from ecs_async_executor.config.settings import Settings
from ecs_async_executor.errors import InvalidRequestError


def refusal(executor_config: dict[str, Any]) -> str:
    settings = Settings(cluster="c", container_name="airflow", task_definition="t", subnets=("subnet-1",))
    with pytest.raises(InvalidRequestError) as caught:
        RequestTemplate(settings).request(["run"], executor_config)
    return str(caught.value).removeprefix("executor_config: ")


KUBERNETES = "It is KubernetesExecutor's: here, cpu, memory and environment apply to the Airflow container"
DEFINITION = "It belongs in the task definition: register one, or a revision, that has it"


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("pod_override", KUBERNETES),
        ("pod_template_file", KUBERNETES),
        ("KubernetesExecutor", KUBERNETES),
        ("node_selector", KUBERNETES),
        ("secrets", DEFINITION),
        ("logConfiguration", DEFINITION),
        ("log_configuration", DEFINITION),
        ("entryPoint", DEFINITION),
        ("portMappings", DEFINITION),
        ("volumes", DEFINITION),
        ("containerDefinitions", DEFINITION),
        ("runtime_platform", DEFINITION),
        ("jobQueue", "It is AwsBatchExecutor's"),
        ("awslogs_group", "It is EcsRunTaskOperator's"),
        ("queue", "It is an argument of the operator"),
        ("resources", "Write cpu and memory, and resourceRequirements for GPUs."),
        ("env_vars", "Write environment."),
    ],
)
@pytest.mark.parametrize("depth", ["at the top", "in the container's override"])
def test_a_member_from_elsewhere_is_reported_with_whose_it_is(key: str, words: str, depth: str) -> None:
    config = {key: "their-secret"}
    if depth != "at the top":
        config = {"overrides": {"containerOverrides": [{"name": "airflow", **config}]}}  # type: ignore[dict-item]  # JSON
    message = refusal(config)
    assert f"{key} is not a member of ECS's " in message
    assert words in message
    assert "It has: " not in message
    assert "Did you mean" not in message
    assert "their-secret" not in message


@pytest.mark.parametrize("option", Options.model_fields)
def test_an_option_that_only_a_profile_has_is_said_to_belong_there(option: str) -> None:
    message = refusal({option: "x"})
    assert (
        f"{option} is not a member of ECS's RunTask request. It belongs in the profile of the task's queue"
        in message
    )


def test_a_secret_in_the_environment_is_said_to_belong_to_the_task_definition() -> None:
    message = refusal({"environment": [{"name": "PASSWORD", "valueFrom": "arn:aws:ssm:their-secret"}]})
    assert message.startswith(
        "environment.valueFrom is not a member of ECS's KeyValuePair. Secrets belong in the task"
    )
    assert "their-secret" not in message


@pytest.mark.parametrize(
    ("config", "place"),
    [
        ({"overrides": {"environment": []}}, "overrides.containerOverrides[].environment"),
        ({"overrides": {"resource_requirements": []}}, "overrides.containerOverrides[].resourceRequirements"),
        ({"overrides": {"tags": []}}, "tags"),
        ({"overrides": {"containerOverrides": [{"taskRoleArn": "r"}]}}, "overrides.taskRoleArn"),
        ({"networkConfiguration": {"subnets": []}}, "networkConfiguration.awsvpcConfiguration.subnets"),
    ],
)
def test_a_member_that_task_definitions_have_as_well_is_reported_with_its_place_in_a_request(
    config: dict[str, Any], place: str
) -> None:
    message = refusal(config)
    assert f" Write it as {place}." in message
    assert DEFINITION not in message
