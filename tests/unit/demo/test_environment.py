from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from ecs_async_executor.demo.environment import (
    Stage,
    component_environment,
    local_ecs_environment,
    shell_lines,
    task_definition,
    whereabouts,
    worker_environment,
)
from ecs_async_executor.local.options import BUCKET

Build = Callable[[Mapping[str, str], Stage], dict[str, str]]

OF_THE_USER = {
    "PATH": "/usr/bin",
    "HOME": "/home/someone",
    "LANG": "C.UTF-8",
    "AWS_SECRET_ACCESS_KEY": "a-real-key",
    "AWS_PROFILE": "production",
    "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "postgresql://a-real-password@db/airflow",
    "GITHUB_TOKEN": "a-real-token",
    "PYTHONDONTWRITEBYTECODE": "1",
}


def test_a_container_gets_no_secret_of_the_demo(stage: Stage) -> None:
    environment = worker_environment(OF_THE_USER, stage)
    text = repr(environment)
    for secret in ("the-password", "the-jwt-secret", "the-api-secret-key", "the-fernet-key"):
        assert secret not in text
    keys = [name for name in environment if "SECRET" in name or "PASSWORD" in name or "KEY" in name]
    assert {environment[name] for name in keys} == {"demo"}, "dummies for the local S3"


def test_a_container_does_not_learn_where_the_database_is(stage: Stage) -> None:
    environment = worker_environment(OF_THE_USER, stage)
    assert str(stage.home.database) not in environment.values()
    assert environment["AIRFLOW_HOME"] != str(stage.home.root)


def test_a_container_knows_where_the_dags_the_logs_and_the_execution_api_are(stage: Stage) -> None:
    environment = worker_environment(OF_THE_USER, stage)
    assert environment["AIRFLOW__CORE__DAGS_FOLDER"] == str(stage.home.dags)
    assert environment["AIRFLOW__LOGGING__BASE_LOG_FOLDER"] == str(stage.home.worker_logs)
    assert environment["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://127.0.0.1:8080/execution/"


@pytest.mark.parametrize("build", [component_environment, local_ecs_environment, worker_environment])
def test_nothing_of_the_users_own_airflow_and_aws_enters_the_demo(build: Build, stage: Stage) -> None:
    text = repr(build(OF_THE_USER, stage))
    for foreign in ("a-real", "production", "CeleryExecutor", "postgresql", "PYTHONDONTWRITEBYTECODE"):
        assert foreign not in text


@pytest.mark.parametrize("build", [component_environment, local_ecs_environment, worker_environment])
def test_every_process_finds_this_python_first(build: Build, stage: Stage) -> None:
    environment = build(OF_THE_USER, stage)
    assert environment["PATH"].split(":")[0] == str(Path(sys.executable).parent)
    assert environment["HOME"] == "/home/someone"


@pytest.mark.parametrize("build", [component_environment, local_ecs_environment, worker_environment])
def test_every_process_can_be_found_by_its_airflow_home(build: Build, stage: Stage) -> None:
    assert Path(build(OF_THE_USER, stage)["AIRFLOW_HOME"]).is_relative_to(stage.home.root)


def test_the_components_talk_to_no_ecs_but_the_local_one(stage: Stage) -> None:
    environment = component_environment(OF_THE_USER, stage)
    assert environment["AWS_ENDPOINT_URL_ECS"] == "http://127.0.0.1:9001"
    assert environment["AWS_EC2_METADATA_DISABLED"] == "true"
    assert environment["AWS_SHARED_CREDENTIALS_FILE"] == "/dev/null"


def test_executor_and_containers_share_the_s3_in_which_the_bucket_of_payloads_exists(stage: Stage) -> None:
    environment = component_environment(OF_THE_USER, stage)
    for each in (environment, worker_environment(OF_THE_USER, stage)):
        assert each["AWS_ENDPOINT_URL_S3"] == "http://127.0.0.1:9003"
    bucket = environment["AIRFLOW__ECS_ASYNC_EXECUTOR__PAYLOAD_BUCKET"].removeprefix("s3://").split("/")[0]
    assert bucket == BUCKET


def test_the_executor_launches_the_task_definition_that_is_registered(stage: Stage) -> None:
    environment = component_environment(OF_THE_USER, stage)
    definition = task_definition({"NAME": "value"})
    [container] = definition["containerDefinitions"]
    assert definition["family"] == environment["AIRFLOW__AWS_ECS_EXECUTOR__TASK_DEFINITION"]
    assert container["name"] == environment["AIRFLOW__AWS_ECS_EXECUTOR__CONTAINER_NAME"]
    assert container["environment"] == [{"name": "NAME", "value": "value"}]


def test_secrets_are_not_in_a_repr(stage: Stage) -> None:
    assert "the-" not in repr(stage)


def test_who_goes_on_with_the_demo_is_told_where_everything_is(stage: Stage) -> None:
    run_ids = {"counting": "manual__2026-11-27T08:00:00+00:00", "killed": "run of killed"}
    text = whereabouts(stage, run_ids, keeps_home=False)
    assert f"  . {stage.home.shell}\n  ecs-async status" in text
    for place in (stage.home.dags, stage.home.component_logs):
        assert f" {place}" in text
    for rest in (
        "http://127.0.0.1:8080/plugin/",
        "http://127.0.0.1:8080/dags/counting/runs/manual__2026-11-27T08%3A00%3A00%2B00%3A00/tasks/count",
        "http://127.0.0.1:8080/dags/killed/runs/run%20of%20killed/tasks/killed_once?try_number=1",
        "http://127.0.0.1:9002 (log group /ecs/airflow-demo)",
        "http://127.0.0.1:9003 (s3://airflow/payloads for long workloads, s3://airflow-demo-logs for tasks' logs)",
        "http://127.0.0.1:8080 (user admin, password the-password)",
        "http://127.0.0.1:9001 (cluster demo",
    ):
        assert rest in text
    assert "removes the folder" in text
    assert "removes the folder" not in whereabouts(stage, run_ids, keeps_home=True)


def test_a_shell_that_reads_the_lines_has_the_components_variables_and_its_own_home(stage: Stage) -> None:
    lines = shell_lines(component_environment({"HOME": "/home/a", "PATH": "/x"}, stage))
    told = subprocess.run(
        ["/bin/sh", "-c", f"{lines}env"],
        check=True,
        capture_output=True,
        text=True,
        env={"HOME": "/home/b", "PATH": "/usr/bin:/bin"},
    )
    seen = dict(line.split("=", 1) for line in told.stdout.splitlines())
    assert seen["AIRFLOW_HOME"] == str(stage.home.root)
    assert seen["AIRFLOW__API_AUTH__JWT_SECRET"] == stage.secrets.jwt_secret
    assert seen["HOME"] == "/home/b"
    assert seen["PATH"] == f"{Path(sys.executable).parent}:/usr/bin:/bin"
    assert seen["ECS_ASYNC_DEMO_SHELL"] == "1"


def test_dags_are_read_again_only_if_somebody_goes_on_with_the_demo(stage: Stage) -> None:
    names = ("REFRESH_INTERVAL", "MIN_FILE_PROCESS_INTERVAL")
    for keep, seconds in ((True, "10"), (False, "3600")):
        environment = component_environment({}, replace(stage, keep=keep))
        assert {environment[f"AIRFLOW__DAG_PROCESSOR__{name}"] for name in names} == {seconds}
