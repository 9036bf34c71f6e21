"""`ecs-async conformance` against the local ECS, which must hold, and against moto, whose differences it must notice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

import boto3
import pytest

from ecs_async_executor.cli import main
from ecs_async_executor.local import Control, Options, serve_in_thread
from tests.support.conformance import TAG, plan_without_start_delays
from tests.support.moto import serve_moto

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_DEFAULT_REGION": "us-east-1",
}
DOCUMENT: dict[str, Any] = {
    "networkMode": "awsvpc",
    "requiresCompatibilities": ["FARGATE"],
    "cpu": "256",
    "memory": "512",
    "containerDefinitions": [{"name": "airflow", "image": "airflow"}],
}
DEFINITIONS = [
    {**DOCUMENT, "family": "whole", "tags": [TAG]},
    {**DOCUMENT, "family": "broken"},
]
SIMULATED = {"stop-signal"}
"""Simulated containers can't answer SIGTERM."""
NEEDS_LUCK = {"token-failures", "vcpu-limit", "quotas"}
"""A server with room shows nothing that tells about these, and it has no Service Quotas."""


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def simulated() -> Iterator[Control]:
    options = Options(runtime="simulated", task_definitions=DEFINITIONS, plan=plan_without_start_delays())
    with serve_in_thread(options) as control:
        yield control


@pytest.fixture
def real() -> Iterator[Control]:
    """The local ECS that runs containers' commands, where every image exists."""
    with serve_in_thread(Options(runtime="process", task_definitions=DEFINITIONS)) as control:
        control.set_conditions(throttling={})
        yield control


def arguments(url: str, *more: str) -> list[str]:
    return [
        "conformance", "--cluster", "default", "--task-definition", "whole", "--subnets", "subnet-1",
        "--endpoint-url", url, *more,
    ]  # fmt: skip


def report(
    capsys: pytest.CaptureFixture[str], line: Sequence[str]
) -> tuple[int, dict[str, str], dict[str, Any]]:
    """Run the command; return its exit code, the verdicts and the whole report."""
    code = main([*line, "--json"])
    document = json.loads(capsys.readouterr().out)
    return code, {row["name"]: row["verdict"] for row in document["assumptions"]}, document


def alive(control: Control) -> list[str]:
    return [task["taskArn"] for task in control.tasks() if task["desiredStatus"] == "RUNNING"]


def test_every_assumption_holds_on_the_simulated_local_ecs(
    simulated: Control, capsys: pytest.CaptureFixture[str]
) -> None:
    simulated.set_conditions(throttling={"cluster_resource_read": [150, 10]})
    _, verdicts, _ = report(
        capsys, arguments(simulated.endpoint_url, "--broken-task-definition", "broken", "--burst")
    )
    assert {name for name, verdict in verdicts.items() if verdict == "differs"} == SIMULATED
    assert {name for name, verdict in verdicts.items() if verdict == "could not tell"} == NEEDS_LUCK
    assert alive(simulated) == []


def test_every_assumption_holds_where_commands_really_run(
    real: Control, capsys: pytest.CaptureFixture[str]
) -> None:
    code, verdicts, document = report(capsys, arguments(real.endpoint_url))
    differing = [row for row in document["assumptions"] if row["verdict"] == "differs"]
    assert differing == []
    assert code == 0
    untold = {name for name, verdict in verdicts.items() if verdict == "could not tell"}
    assert untold == NEEDS_LUCK | {"cannot-pull", "throttle"}
    assert alive(real) == []


def test_a_lagging_server_holds_too(simulated: Control, capsys: pytest.CaptureFixture[str]) -> None:
    simulated.set_conditions(consistency_lag=0.3)
    _, verdicts, _ = report(capsys, arguments(simulated.endpoint_url))
    assert {name for name, verdict in verdicts.items() if verdict == "differs"} == SIMULATED
    assert alive(simulated) == []


@pytest.fixture(scope="module")
def moto() -> Iterator[tuple[str, list[str]]]:
    """Yield moto's URL, and the options that its Fargate needs."""
    with serve_moto() as url:
        given = {
            "region_name": "us-east-1",
            "aws_access_key_id": "local",
            "aws_secret_access_key": "local",
            "endpoint_url": url,
        }
        ec2, ecs = boto3.client("ec2", **given), boto3.client("ecs", **given)
        ecs.create_cluster(clusterName="default")
        container = {"name": "airflow", "image": "airflow", "memory": 512, "cpu": 256}
        ecs.register_task_definition(**{**DOCUMENT, "family": "whole", "containerDefinitions": [container]})
        subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
        group = ec2.describe_security_groups()["SecurityGroups"][0]["GroupId"]
        yield url, ["--subnets", subnet, "--security-groups", group]


def test_the_differences_of_moto_are_noticed(
    moto: tuple[str, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    url, network = moto
    code, verdicts, document = report(capsys, [*arguments(url), *network])
    assert code == 1
    differing = {name for name, verdict in verdicts.items() if verdict == "differs"}
    # moto ignores clientTokens and limits, reports no unknown task, and ends every task with 0.
    expected = {
        "token-replay",
        "token-conflict",
        "token-length",
        "missing",
        "describe-101",
        "exit-1",
        "times",
    }
    assert differing >= expected, document


def test_ctrl_c_stops_what_was_started_and_still_prints_the_report(real: Control) -> None:
    line = [sys.executable, "-m", "ecs_async_executor", *arguments(real.endpoint_url)]
    with subprocess.Popen(
        line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **CREDENTIALS}
    ) as process:
        deadline = time.monotonic() + 60
        while not alive(real) and time.monotonic() < deadline:
            time.sleep(0.005)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert "Ended early: the run was interrupted" in out
    assert alive(real) == []


# --- before it starts -----------------------------------------------------------------------------------


def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the local ECS pass for one that is not on this machine."""
    monkeypatch.setattr("ecs_async_executor.cli.conformance._is_loopback", lambda _: False)


def test_nothing_is_started_in_an_account_without_the_option(
    simulated: Control, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    elsewhere(monkeypatch)
    assert main(arguments(simulated.endpoint_url)) == 1
    out, err = capsys.readouterr()
    assert "add --i-know-this-costs-cents" in err
    assert "5 ECS tasks of whole" in err
    assert out == ""
    assert simulated.tasks() == []
    assert set(simulated.calls()) == {"DescribeTaskDefinition"}


def test_nothing_is_started_that_may_cost_more_than_allowed(
    simulated: Control, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    elsewhere(monkeypatch)
    line = arguments(simulated.endpoint_url, "--i-know-this-costs-cents", "--max-cents", "1")
    assert main(line) == 1
    assert "more than --max-cents 1" in capsys.readouterr().err
    assert simulated.tasks() == []


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (
            ["--task-definition", "nothing"],
            "--task-definition: DescribeTaskDefinition failed: ClientException",
        ),
        (["--container", "nothing"], "--container: the task definition has airflow"),
    ],
)
def test_a_wrong_option_is_named(
    simulated: Control, capsys: pytest.CaptureFixture[str], more: list[str], words: str
) -> None:
    assert main([*arguments(simulated.endpoint_url), *more]) == 1
    assert words in capsys.readouterr().err


def test_a_server_that_refuses_every_launch_is_no_success(
    simulated: Control, capsys: pytest.CaptureFixture[str]
) -> None:
    simulated.add_fault("capacity")
    assert main(arguments(simulated.endpoint_url)) == 1
    out, err = capsys.readouterr()
    assert "No task was started" in err
    assert "| token-replay | could not tell |" in out
