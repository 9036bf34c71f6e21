"""What a task container is told of the scheduler's `[core] executor`, tried on Airflow's own check of a Dag's executors."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

import pytest
from airflow.dag_processing.dagbag import _validate_executor_fields
from airflow.exceptions import UnknownExecutorException
from airflow.executors import executor_loader
from airflow.executors.base_executor import ExecutorConf

from ecs_async_executor.config.configuration import read_configuration
from ecs_async_executor.config.executor_names import executor_names
from ecs_async_executor.config.layers import Layer
from ecs_async_executor.config.request import RequestTemplate
from ecs_async_executor.config.settings import Settings
from tests.support.scheduler import one_task_dag

OFFICIAL = "airflow.providers.amazon.aws.executors.ecs.ecs_executor.AwsEcsExecutor"
OURS = "ecs_async_executor.AsyncEcsExecutor"
LOCAL_BUNDLE = "airflow.dag_processing.bundles.local.LocalDagBundle"
NOT_INSTALLED = "not_in_this_image.AsyncEcsExecutor"
REQUIRED = {"CLUSTER": "c", "CONTAINER_NAME": "airflow", "TASK_DEFINITION": "t", "SUBNETS": "subnet-1"}


class Options(dict[str, str]):
    """Options of `[core]`, as Airflow's `conf` gives them."""

    def get(self, section: str, key: str, *, fallback: Any = None) -> Any:  # type: ignore[override]  # conf's signature
        assert section == "core"
        return super().get(key, fallback)


def accepted(names: list[str], environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Give the executors with which a Dag passes Airflow's check, in a container with this environment."""
    monkeypatch.delenv("AIRFLOW__CORE__EXECUTOR")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    for cache in ("alias_to_executors_per_team", "module_to_executors_per_team", "classname_to_executors_per_team", "team_name_to_executors"):  # fmt: skip
        monkeypatch.setattr(executor_loader, f"_{cache}", defaultdict(getattr(executor_loader, f"_{cache}").default_factory))  # fmt: skip
    monkeypatch.setattr(executor_loader, "_executor_names", [])

    def is_accepted(name: str) -> bool:
        try:
            _validate_executor_fields(one_task_dag("dag", executor=name), "dags-folder")
        except UnknownExecutorException:
            return False
        return True

    return [name for name in names if is_accepted(name)]


@pytest.mark.parametrize(
    ("executors", "names"),
    [
        (f"LocalExecutor,ecs:{NOT_INSTALLED}", ["ecs", NOT_INSTALLED, "AsyncEcsExecutor", "LocalExecutor"]),
        (OURS, [OURS, "AsyncEcsExecutor"]),
        (f"{OFFICIAL}:{NOT_INSTALLED}", [OFFICIAL, NOT_INSTALLED]),
        (f" {OFFICIAL} , ecs:{OURS}", [OFFICIAL, "ecs", OURS]),
    ],
)
def test_a_container_that_has_no_executor_accepts_every_name_that_the_scheduler_does(
    executors: str, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = executor_names(Options(executor=executors))

    assert accepted(names, told, monkeypatch) == names


def test_a_container_accepts_the_executors_of_its_dags_team(monkeypatch: pytest.MonkeyPatch) -> None:
    teams = f"LocalExecutor;a=ecs:{NOT_INSTALLED};b=other:{NOT_INSTALLED}"
    told = executor_names(Options(executor=teams, multi_team="True"))
    bundle = {"name": "dags-folder", "classpath": LOCAL_BUNDLE, "kwargs": {}, "team_name": "a"}
    bundles = {"AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps([bundle])}

    names = ["ecs", NOT_INSTALLED, "LocalExecutor", "other"]

    assert accepted(names, {**told, **bundles}, monkeypatch) == names[:3]


@pytest.mark.parametrize(
    ("core", "told"),
    [
        ({}, {}),
        ({"executor": OURS, "multi_team": "True"}, {"AIRFLOW__CORE__EXECUTOR": OURS}),
        (
            {"executor": f"{OURS};a={OURS}", "multi_team": "True"},
            {"AIRFLOW__CORE__EXECUTOR": f"{OURS};a={OURS}", "AIRFLOW__CORE__MULTI_TEAM": "True"},
        ),
    ],
)
def test_a_container_learns_of_teams_only_where_an_executor_is_a_teams(
    core: dict[str, str], told: dict[str, str]
) -> None:
    assert executor_names(Options(core)) == told


@pytest.mark.parametrize("team", [None, "a"])
def test_each_request_carries_airflows_executors_whoevers_options_are_read(
    team: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", f"LocalExecutor,ecs:{OURS}")
    for name, value in REQUIRED.items():
        prefix = f"AIRFLOW__{'A___' if team else ''}AWS_ECS_EXECUTOR__"
        monkeypatch.setenv(f"{prefix}{name}", value)

    template = read_configuration(ExecutorConf(team)).profiles.default.template
    (container,) = template.request(["python"], None).body["overrides"]["containerOverrides"]

    assert {"name": "AIRFLOW__CORE__EXECUTOR", "value": f"LocalExecutor,ecs:{OURS}"} in container[
        "environment"
    ]


@pytest.mark.parametrize(
    ("kwargs", "profile", "executor_config", "value"),
    [
        ({}, {}, None, OURS),
        ({"environment": {"AIRFLOW__CORE__EXECUTOR": "mine"}}, {}, None, "mine"),
        ({}, {"environment": {"AIRFLOW__CORE__EXECUTOR": "mine"}}, None, "mine"),
        ({}, {}, {"environment": {"AIRFLOW__CORE__EXECUTOR": "mine"}}, "mine"),
        ({}, {}, {"environment": {"AIRFLOW__CORE__EXECUTOR": None}}, None),
        ({}, {"environment": {"A": "1"}}, {"overrides": {"containerOverrides": [{"name": "sidecar", "cpu": 1}]}},
         OURS),
    ],
)  # fmt: skip
def test_a_variable_of_the_users_own_wins_over_what_airflows_options_say(
    kwargs: dict[str, Any], profile: dict[str, Any], executor_config: object, value: str | None
) -> None:
    settings = Settings(
        cluster="c", container_name="main", task_definition="t", subnets=("s",), run_task_kwargs=kwargs
    )
    told = executor_names(Options(executor=OURS))
    template = RequestTemplate(settings, Layer("queue q", profile), environment=told)

    containers = template.request(["python"], executor_config).body["overrides"]["containerOverrides"]
    (main,) = (container for container in containers if container["name"] == "main")

    found = {variable["name"]: variable["value"] for variable in main["environment"]}
    assert found.get("AIRFLOW__CORE__EXECUTOR") == value
    assert found["AIRFLOW_IS_EXECUTOR_CONTAINER"] == "true"
