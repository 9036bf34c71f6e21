from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from ecs_async_executor.cli import main
from tests.support.refused import REFUSED, Row

OPTIONS = {
    "CLUSTER": "my-cluster",
    "CONTAINER_NAME": "airflow",
    "TASK_DEFINITION": "t",
    "SUBNETS": "subnet-1",
}
CONFIG = '{"cpu": 512, "launch_type": "EC2"}'
KWARGS = '{"environment": {"PASSWORD": "their-secret", "A": "1"}}'


@pytest.fixture(autouse=True)
def options(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in OPTIONS.items():
        monkeypatch.setenv(f"AIRFLOW__AWS_ECS_EXECUTOR__{name}", value)
    monkeypatch.setenv("AIRFLOW__ECS_ASYNC_EXECUTOR__RUN_TASK_KWARGS", KWARGS)


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["config", *arguments]) == 0
    return capsys.readouterr().out


def test_the_values_stand_under_where_they_come_from(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, "--executor-config", CONFIG).split("\n\n")[1:] == [
        (
            "the executor\n    overrides.containerOverrides[airflow].command = "
            '["python", "-m", "airflow.sdk.execution_time.execute_workload", "--json-string", "..."]'
            '\n    overrides.containerOverrides[airflow].environment[AIRFLOW_IS_EXECUTOR_CONTAINER] = "true"'
        ),
        (
            "the scheduler's [core] options\n    overrides.containerOverrides[airflow]."
            'environment[AIRFLOW__CORE__EXECUTOR] = "ecs_async_executor.AsyncEcsExecutor"'
        ),
        '[aws_ecs_executor] cluster (AIRFLOW__AWS_ECS_EXECUTOR__CLUSTER)\n    cluster = "my-cluster"',
        (
            "[aws_ecs_executor] task_definition (AIRFLOW__AWS_ECS_EXECUTOR__TASK_DEFINITION)\n"
            '    taskDefinition = "t"'
        ),
        (
            "[aws_ecs_executor] subnets (AIRFLOW__AWS_ECS_EXECUTOR__SUBNETS)\n"
            '    networkConfiguration.awsvpcConfiguration.subnets = ["subnet-1"]'
        ),
        (
            "[ecs_async_executor] run_task_kwargs (AIRFLOW__ECS_ASYNC_EXECUTOR__RUN_TASK_KWARGS)\n"
            '    overrides.containerOverrides[airflow].environment[A] = "1"\n'
            '    overrides.containerOverrides[airflow].environment[PASSWORD] = "***"'
        ),
        'executor_config\n    launchType = "EC2"\n    overrides.containerOverrides[airflow].cpu = 512',
        (
            "Other settings of this task:\n"
            "    profile = null  (queues)\n"
            "    region_name = null  (set nowhere, unless the connection aws_default says otherwise)\n"
            '    conn_id = "aws_default"  (default)\n'
            "    payload_bucket = null  (default)\n"
            '    container_name = "airflow"  ([aws_ecs_executor] container_name '
            "(AIRFLOW__AWS_ECS_EXECUTOR__CONTAINER_NAME))\n"
            "    max_run_task_attempts = 3  (default)\n"
            "    launch_timeout = 1800.0  (default)\n"
            "    capacity_timeout = 3600.0  (default)\n"
        ),
    ]


def test_an_image_is_shown_with_where_it_is_set(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__ECS_ASYNC_EXECUTOR__QUEUES", '{"ml": {"image": "airflow:2"}}')
    assert 'queue ml\n    image = "airflow:2"' in shown(capsys, "--queue", "ml")
    own = shown(capsys, "--queue", "ml", "--executor-config", '{"image": "airflow:3"}')
    assert 'executor_config\n    image = "airflow:3"' in own
    assert "airflow:2" not in own
    assert json.loads(shown(capsys, "--queue", "ml", "--json"))["request"]["image"] == "airflow:2"


def test_json_has_the_request_as_it_is_sent(capsys: pytest.CaptureFixture[str]) -> None:
    document: dict[str, Any] = json.loads(shown(capsys, "--json", "--executor-config", CONFIG))
    assert document["container"] == "airflow"
    assert document["request"]["launchType"] == "EC2"
    assert {"path": "launchType", "value": "EC2", "origin": "executor_config"} in document["values"]
    assert "their-secret" not in json.dumps(document)


def test_without_a_launch_type_the_cluster_decides(capsys: pytest.CaptureFixture[str]) -> None:
    assert '    launchType = "the cluster\'s default capacity providers, else FARGATE"\n' in shown(capsys)


@pytest.fixture
def teams(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__MULTI_TEAM", "True")
    executor = "ecs_async_executor.AsyncEcsExecutor"
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", f"{executor};blue={executor};green={executor}")


@pytest.mark.usefixtures("teams")
def test_a_team_has_its_own(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**OPTIONS, "CLUSTER": "the-teams"}.items():
        monkeypatch.setenv(f"AIRFLOW__BLUE___AWS_ECS_EXECUTOR__{name}", value)
    out = shown(capsys, "--team", "blue")
    assert '(AIRFLOW__BLUE___AWS_ECS_EXECUTOR__CLUSTER)\n    cluster = "the-teams"' in out


@pytest.mark.usefixtures("teams")
@pytest.mark.parametrize(
    ("team", "words"),
    [
        ("bleu", "There is no team 'bleu' in [core] executor. Did you mean blue?"),
        ("nosuch", "There is no team 'nosuch' in [core] executor. There are: blue, green."),
    ],
)
def test_an_unknown_team_is_reported(capsys: pytest.CaptureFixture[str], team: str, words: str) -> None:
    assert main(["config", "--team", team]) == 1
    assert capsys.readouterr().err.strip() == words


def test_where_no_team_has_an_executor_that_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "--team", "blue"]) == 1
    assert "[core] executor names no teams, or [core] multi_team is off." in capsys.readouterr().err


@pytest.mark.usefixtures("teams")
def test_options_of_a_team_that_has_no_executor_are_reported(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__BLUE___AWS_ECS_EXECUTOR__CLUSTER", "c")
    monkeypatch.setenv("AIRFLOW__GREN___ECS_ASYNC_EXECUTOR__CLUSTER", "c")
    assert main(["config"]) == 0
    said = [line for line in capsys.readouterr().err.splitlines() if "nothing reads it" in line]
    (only,) = said
    assert only == (
        "AIRFLOW__GREN___ECS_ASYNC_EXECUTOR__CLUSTER: nothing reads it. "
        "There is no team 'gren' in [core] executor. Did you mean green?"
    )


def test_the_region_is_the_one_that_calls_go_to_and_shown_with_its_source(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_REGION", "not-read-by-botocore")
    said = "set nowhere, unless the connection aws_default says otherwise; botocore does not read AWS_REGION"
    assert f"region_name = null  ({said}" in shown(capsys)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    said = "AWS_DEFAULT_REGION, unless the connection aws_default says otherwise"
    assert f'region_name = "eu-west-1"  ({said})' in shown(capsys)
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", "aws://?region_name=us-east-2")
    said = "the connection aws_default (AIRFLOW_CONN_AWS_DEFAULT)"
    assert f'region_name = "us-east-2"  ({said})' in shown(capsys)
    monkeypatch.setenv("AIRFLOW__AWS_ECS_EXECUTOR__REGION_NAME", "eu-central-1")
    said = "[aws_ecs_executor] region_name (AIRFLOW__AWS_ECS_EXECUTOR__REGION_NAME)"
    assert f'region_name = "eu-central-1"  ({said})' in shown(capsys)


def test_an_unknown_queue_is_reported(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__ECS_ASYNC_EXECUTOR__QUEUES", '{"gpu": {}}')
    assert main(["config", "--queue", "gqu"]) == 0
    assert "The queue 'gqu' has no profile in the option queues. Did you mean gpu?" in capsys.readouterr().err
    monkeypatch.setenv("AIRFLOW__ECS_ASYNC_EXECUTOR__UNKNOWN_QUEUE", "refuse")
    assert main(["config", "--queue", "gqu"]) == 1
    assert "the option unknown_queue is `refuse`." in capsys.readouterr().err


@pytest.mark.parametrize("row", REFUSED.values(), ids=REFUSED)
def test_what_ecs_refuses_is_refused_here_as_well(capsys: pytest.CaptureFixture[str], row: Row) -> None:
    assert main(["config", "--executor-config", json.dumps(row.members)]) == 1
    assert row.says in capsys.readouterr().err


def test_what_concerns_a_queue_beside_its_request_is_shown_with_where_it_is_set(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    queues = {
        "gpu-*": {"launchTimeout": 60, "rate_share": 0.5, "fallback": "plain", "cluster": "c2"},
        "plain": {"cluster": "c2"},
    }
    monkeypatch.setenv("AIRFLOW__ECS_ASYNC_EXECUTOR__QUEUES", json.dumps(queues))
    monkeypatch.setenv("AIRFLOW__AWS_ECS_EXECUTOR__REGION", "eu-central-1")
    besides = shown(capsys, "--queue", "gpu-1").split("Other settings of this task:\n")[1].splitlines()
    assert [line.strip() for line in besides if "gpu-*" in line] == [
        'profile = "gpu-*"  (queues)',
        "launch_timeout = 60.0  (queue gpu-*)",
        "rate_share = 0.5  (queue gpu-*)",
        'fallback = "plain"  (queue gpu-*)',
    ]
    assert (
        '    region_name = "eu-central-1"  ([aws_ecs_executor] region_name (AIRFLOW__AWS_ECS_EXECUTOR__REGION))'
        in besides
    )


def test_what_the_scheduler_warns_of_at_its_start_is_reported_here_as_well(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    queues = {"big": {"environment": {"A": "x" * 7400}}, "spot": {"capacity_timeout": 9000}}
    monkeypatch.setenv("AIRFLOW__ECS_ASYNC_EXECUTOR__QUEUES", json.dumps(queues))
    assert main(["config"]) == 0
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith(
        "Tasks of the queue big can't be launched unless their executor_config changes that."
    )
    assert "A task of the queue spot may be queued for 10800 s" in second


def test_what_is_probably_misspelt_is_warned_of_beside_the_output(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__AWS_ECS_EXECUTOR__SUBNET", "subnet-1")
    monkeypatch.setenv("AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT", "5400")
    assert main(["config", "--json"]) == 0
    captured = capsys.readouterr()
    assert "warnings" not in json.loads(captured.out)
    assert captured.err == (
        "[aws_ecs_executor] subnet (AIRFLOW__AWS_ECS_EXECUTOR__SUBNET): "
        "AsyncEcsExecutor has no such option. Did you mean subnets?\n"
    )


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ('{"lauchType": "EC2"}', "Did you mean launchType?"),
        ("[]", "not a dict"),
        ("{", "--executor-config: it is not JSON"),
    ],
)
def test_a_wrong_executor_config_is_explained(
    capsys: pytest.CaptureFixture[str], config: str, words: str
) -> None:
    assert main(["config", "--executor-config", config]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert words in captured.err


def test_wrong_options_are_listed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__ECS_ASYNC_EXECUTOR__CLUSTR", "x")
    assert main(["config"]) == 1
    assert "Did you mean cluster?" in capsys.readouterr().err


def test_airflow_has_the_same_command() -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "airflow", "ecs-async", "config", *arguments]
        return subprocess.run(
            command, check=False, capture_output=True, text=True, env=os.environ, timeout=50
        )

    right, wrong = run("--json"), run("--executor-config", "{")
    assert json.loads(right.stdout)["request"]["cluster"] == "my-cluster"
    assert right.returncode == 0
    assert wrong.returncode == 1
    assert "--executor-config: it is not JSON" in wrong.stderr


def test_standbys_are_shown_with_where_they_are_set_and_are_no_layer(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__ECS_ASYNC_EXECUTOR__PAYLOAD_BUCKET", "s3://my-bucket")
    monkeypatch.setenv("AIRFLOW__ECS_ASYNC_EXECUTOR__QUEUES", '{"ml": {"standby": 2}, "plain": {}}')
    monkeypatch.setenv("AIRFLOW__ECS_ASYNC_EXECUTOR__STANDBY_MAX_AGE", "600")
    of_profile, of_none = (shown(capsys, "--queue", queue) for queue in ("ml", "plain"))
    assert "    standby = 2  (queue ml)\n" in of_profile
    origin = "[ecs_async_executor] standby_max_age (AIRFLOW__ECS_ASYNC_EXECUTOR__STANDBY_MAX_AGE)"
    assert f"    standby_max_age = 600.0  ({origin})\n" in of_profile
    assert "standby" not in of_none


def test_standbys_that_cannot_work_are_reported_here_as_well(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__ECS_ASYNC_EXECUTOR__QUEUES", '{"ml": {"standby": 2}}')
    assert main(["config"]) == 1
    assert "ml: standby: standbys get their tasks through S3. Set payload_bucket" in capsys.readouterr().err
