from __future__ import annotations

from typing import Any

import pytest

from ecs_async_executor.config.explain import explain, masked, origin_of
from ecs_async_executor.config.layers import Layer
from ecs_async_executor.config.request import RequestTemplate
from ecs_async_executor.config.settings import Settings
from ecs_async_executor.config.sources import Found

KWARGS = {"environment": {"A": "1", "B": "1"}, "tags": {"team": "data"}}
PROFILE = Layer("queue gpu", {"cluster": "gpus", "launch_type": "EC2", "environment": {"B": "2"}})
TASK = Layer("executor_config", {"environment": {"C": "3"}, "tags": {"team": None}})


def origins(*layers: Layer, **options: Any) -> dict[str, str]:
    required = {"cluster": "c", "container_name": "airflow", "task_definition": "t", "subnets": ("s",)}
    settings = Settings.model_validate({**required, "run_task_kwargs": KWARGS, **options})
    template = RequestTemplate(settings, *layers[:1])
    request = template.request(["run"], layers[1].value if layers[1:] else None)
    lines = explain(request.body, (*template.layers, *layers[1:]), "airflow", "the executor")
    return {line.path: line.layer for line in lines}


def test_each_value_has_the_uppermost_layer_that_sets_it() -> None:
    container = "overrides.containerOverrides[airflow]"
    assert origins(PROFILE, TASK) == {
        f"{container}.command": "the executor",
        f"{container}.environment[AIRFLOW_IS_EXECUTOR_CONTAINER]": "the executor",
        "taskDefinition": "task_definition",
        "networkConfiguration.awsvpcConfiguration.subnets": "subnets",
        f"{container}.environment[A]": "run_task_kwargs",
        "cluster": "queue gpu",
        "launchType": "queue gpu",
        f"{container}.environment[B]": "queue gpu",
        f"{container}.environment[C]": "executor_config",
    }


def test_the_lines_stand_in_the_order_of_the_layers() -> None:
    layers = list(dict.fromkeys(origins(PROFILE, TASK).values()))
    assert layers == [
        "the executor",
        "task_definition",
        "subnets",
        "run_task_kwargs",
        "queue gpu",
        "executor_config",
    ]


SECRETS = [
    "DB_PASSWORD",
    "api_key",
    "AIRFLOW_CONN_AWS",
    "AWS_SECRET_ACCESS_KEY",
    "GITHUB_TOKEN",
    "SENTRY_DSN",
]


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        *((name, "their-secret", "***") for name in SECRETS),
        ("BROKER_URL", "redis://user:their-secret@host/0", "***"),
        ("BROKER_URL", "redis://host/0", "redis://host/0"),
        ("LEVEL", "debug", "debug"),
    ],
)
def test_what_looks_secret_is_masked(name: str, value: str, shown: str) -> None:
    layer = Layer("executor_config", {"environment": {name: value}, "tags": {name: value}})
    template = RequestTemplate(
        Settings(cluster="c", container_name="airflow", task_definition="t", launch_type="EC2")
    )
    body = dict(template.request(["run"], layer.value).body)
    lines = {line.path: line.value for line in explain(body, [layer], "airflow", "rest")}
    assert lines[f"overrides.containerOverrides[airflow].environment[{name}]"] == shown
    assert lines[f"tags[{name}]"] == shown
    copy = masked(body)
    assert copy["tags"] == [{"key": name, "value": shown}]
    assert copy["overrides"]["containerOverrides"][0]["environment"][0] == {"name": name, "value": shown}
    assert copy["overrides"]["containerOverrides"][0]["command"] == ["run"]


FOUND = {"subnets": Found("s", "aws_ecs_executor", "airflow.cfg")}
SUBNETS = "networkConfiguration.awsvpcConfiguration.subnets"


@pytest.mark.parametrize(
    ("member", "origin"),
    [
        ("cluster", "the profile of the queue gpu"),
        (SUBNETS, "[aws_ecs_executor] subnets (airflow.cfg)"),
        ("overrides.containerOverrides[airflow].environment[C]", "this task's executor_config"),
        ("taskDefinition", "[aws_ecs_executor] task_definition"),
        (
            "overrides",
            "[aws_ecs_executor] run_task_kwargs and the profile of the queue gpu and this task's executor_config",
        ),
        ("platformVersion", None),
        ("clust", None),
    ],
)
def test_a_member_is_set_where_the_uppermost_layer_is_written_that_sets_it(
    member: str, origin: str | None
) -> None:
    required = {"cluster": "c", "container_name": "airflow", "task_definition": "t", "subnets": ("s",)}
    settings = Settings.model_validate({**required, "run_task_kwargs": KWARGS})
    layers = (*RequestTemplate(settings, PROFILE).layers, TASK)
    assert origin_of(member, layers, "airflow", FOUND) == origin


def test_what_the_executor_passes_on_of_airflow_is_not_set_by_anybody() -> None:
    settings = Settings(cluster="c", container_name="airflow", task_definition="t")
    layers = RequestTemplate(settings, environment={"AIRFLOW__CORE__EXECUTOR": "ecs"}).layers
    assert layers[0].value
    assert origin_of("overrides", layers, "airflow", FOUND) is None
    assert origin_of("overrides", (*layers, TASK), "airflow", FOUND) == "this task's executor_config"
