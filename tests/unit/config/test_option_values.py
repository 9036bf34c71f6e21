"""What is left in the values of options, and values that ECS refuses."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from airflow.configuration import conf

from ecs_async_executor.config.configuration import read_configuration
from ecs_async_executor.config.settings import DROP_IN_SECTION, Settings
from ecs_async_executor.errors import ConfigurationError

Set = Callable[..., None]
REQUIRED = {"cluster": "c", "container_name": "airflow", "task_definition": "t", "subnets": "subnet-1"}


@pytest.fixture
def options(monkeypatch: pytest.MonkeyPatch) -> Set:
    """Set options beside those that are required, or instead of them."""

    def set_options(**values: str) -> None:
        for name, value in {**REQUIRED, **values}.items():
            monkeypatch.setenv(f"AIRFLOW__{DROP_IN_SECTION.upper()}__{name.upper()}", value)

    return set_options


def load() -> Settings:
    return read_configuration(conf).settings


def problems() -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load()
    return str(caught.value).splitlines()[1:]


QUOTES = "the value is in quotes, and Airflow takes them as part of it: remove the quotes. Meaning: "
COMMENT = (
    "a comment follows the value, and Airflow takes it as part of the value: remove the comment. Meaning: "
)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("cluster", '"my-cluster"', QUOTES),
        ("cluster", "'my-cluster'", QUOTES),
        ("cluster", "prod  # shared", COMMENT),
        ("cluster", "prod ; shared", COMMENT),
        ("cluster", "# prod", COMMENT),
        ("subnets", '"subnet-1", "subnet-2"', QUOTES),
        ("subnets", "subnet-1, subnet-2  # private", COMMENT),
        ("subnets", '["subnet-1"]  # private', COMMENT),
        ("max_run_task_attempts", "3  # three", COMMENT),
        ("assign_public_ip", '"true"', QUOTES),
        ("capacity_provider_strategy", '"FARGATE:1"', QUOTES),
        ("run_task_kwargs", """'{"tags": {"team": "data"}}'""", QUOTES),
        ("run_task_kwargs", '{"tags": {"team": "data"}}  # for all', COMMENT),
        ("region_name", '"eu-central-1"', QUOTES),
    ],
)
def test_quotes_and_comments_that_were_left_in_an_option_are_reported(
    options: Set, name: str, text: str, said: str
) -> None:
    options(**{name: text})
    (line,) = problems()
    assert f"[{DROP_IN_SECTION}] {name} (AIRFLOW__AWS_ECS_EXECUTOR__{name.upper()}): {said}" in line


@pytest.mark.parametrize("text", ['{"group": "a # b"}', '{"group": "a} # b", "tags": {"a": "b"}}'])
def test_a_number_sign_inside_of_json_is_no_comment(options: Set, text: str) -> None:
    options(run_task_kwargs=text)
    assert load().run_task_kwargs["group"].endswith("# b")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        (
            "cluster",
            "my cluster",
            "it is neither a cluster's name (letters, numbers, - and _) nor its ARN.",
        ),
        ("cluster", "arn:aws:ecs:eu-central-1:1:service/x", "it is neither a cluster's name"),
        (
            "task_definition",
            "airflow/task",
            "it is not a family, family:revision or ARN of a task definition;",
        ),
        (
            "container_name",
            "the airflow",
            "it is not a container's name (letters, numbers, - and _).",
        ),
        ("launch_type", "LAMBDA", "it is none of EC2, FARGATE, EXTERNAL, MANAGED_INSTANCES."),
        (
            "launch_type",
            "fargate_spot",
            "it is FARGATE_SPOT, which is a capacity provider: write the capacity provider",
        ),
        ("platform_version", "newest", "it is neither LATEST nor a version such as 1.4.0."),
        ("subnets", "subnet-1,subnet 2", "item 2 is not the ID of a subnet, such as subnet-0123abcd."),
        ("subnets", ",".join(["s"] * 17), "it has 17 items; ECS takes at most 16."),
        ("security_groups", ",".join(["s"] * 6), "it has 6 items; ECS takes at most 5."),
        ("capacity_provider_strategy", "FARGATE:1,my-asg:1", "it mixes FARGATE or FARGATE_SPOT with other"),
        ("capacity_provider_strategy", "a:1001", "weight of item 1 is 1001; ECS takes at most 1000."),
        ("capacity_provider_strategy", "a:0,b:0", "it has only weights of 0, so ECS can't choose any."),
    ],
)
def test_an_option_that_ecs_refuses_is_reported_with_its_name_and_meaning(
    options: Set, name: str, text: str, said: str
) -> None:
    options(**{name: text})
    (line,) = problems()
    assert f"[{DROP_IN_SECTION}] {name} (AIRFLOW__AWS_ECS_EXECUTOR__{name.upper()}): {said}" in line
    assert "Meaning: " in line


@pytest.mark.parametrize(
    ("name", "text", "read_as"),
    [
        ("launch_type", "fargate", "FARGATE"),
        ("launch_type", "managed_instances", "MANAGED_INSTANCES"),
        ("cluster", "arn:aws:ecs:us-east-1:123456789012:cluster/my-cluster", None),
        ("task_definition", "arn:aws-cn:ecs:cn-north-1:123456789012:task-definition/airflow_task:3", None),
        ("task_definition", "airflow-task:3", None),
        ("platform_version", "LATEST", None),
        ("platform_version", "latest", None),
    ],
)
def test_all_forms_of_names_are_taken(options: Set, name: str, text: str, read_as: str | None) -> None:
    options(**{name: text})
    assert getattr(load(), name) == (read_as or text)


def test_what_becomes_of_unknown_queues_is_one_of_two_things(
    monkeypatch: pytest.MonkeyPatch, options: Set
) -> None:
    options()
    monkeypatch.setenv("AIRFLOW__ECS_ASYNC_EXECUTOR__UNKNOWN_QUEUE", "fail")
    (line,) = problems()
    assert (
        "unknown_queue (AIRFLOW__ECS_ASYNC_EXECUTOR__UNKNOWN_QUEUE): it is not 'default' or 'refuse'." in line
    )
