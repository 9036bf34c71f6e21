"""``ecs-async local`` as a person at a terminal sees it."""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from ecs_async_executor.cli import local
from ecs_async_executor.local import Control, Options, serve_in_thread

if TYPE_CHECKING:
    from pathlib import Path

TASK: dict[str, Any] = {
    "taskDefinition": "airflow-task",
    "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"]}},
}
PROGRAM = (
    "import argparse, sys; from ecs_async_executor.cli import local;"
    "parser = argparse.ArgumentParser(); local.add_parser(parser.add_subparsers(required=True));"
    "args = parser.parse_args(['local', *sys.argv[1:]]); sys.exit(args.run(args))"
)


def parse(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    local.add_parser(parser.add_subparsers(required=True))
    return parser.parse_args(["local", *arguments])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_tells_what_to_export_and_ends_cleanly(number: int) -> None:
    command = [sys.executable, "-W", "error", "-c", PROGRAM, "--port", "0", "--no-logs", "--cluster", "mine"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        exports: dict[str, str] = {}
        while "AWS_DEFAULT_REGION" not in exports:
            line = process.stdout.readline()
            assert line, process.stderr.read()
            if line.startswith("export "):
                name, _, value = line.removeprefix("export ").strip().partition("=")
                exports[name] = value
        ecs: Any = boto3.client(
            "ecs",
            endpoint_url=exports["AWS_ENDPOINT_URL_ECS"],
            region_name=exports["AWS_DEFAULT_REGION"],
            aws_access_key_id=exports["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=exports["AWS_SECRET_ACCESS_KEY"],
        )
        assert ecs.run_task(cluster="mine", **TASK)["tasks"]
        process.send_signal(number)
        output, errors = process.communicate()
    assert process.returncode == 0
    assert "every container is gone" in output
    assert not errors


def test_a_busy_port_is_one_clear_line(capsys: pytest.CaptureFixture[str]) -> None:
    with serve_in_thread(Options(runtime="simulated")) as control:
        port = control.endpoint_url.rpartition(":")[2]
        assert local.run(parse("--port", port, "--runtime", "simulated")) == 1
    output = capsys.readouterr()
    assert output.err == (
        f"ecs-async local: port {port} of 127.0.0.1 is in use. Choose another --port, or 0 for a free one.\n"
    )
    assert not output.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--fault", '{"kind": "nope"}'], "unknown kind 'nope'"),
        (["--plan", '{"defaults": {"duratoin": 1}}'], "duratoin"),
        (["--task-definition", "/no/such/file"], "/no/such/file"),
        (["--latency", "Run=-1"], "not negative"),
    ],
)
def test_a_mistake_is_one_clear_line(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert local.run(parse("--port", "0", "--runtime", "simulated", *arguments)) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert words in error


@pytest.mark.parametrize("arguments", [["--fault", "{"], ["--plan", "[]"], ["--latency", "fast"]])
def test_what_can_not_be_read_is_a_usage_error(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        parse(*arguments)
    assert caught.value.code == 2
    assert arguments[0] in capsys.readouterr().err


def test_a_task_definition_file_that_is_no_json_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "definition.json"
    path.write_text("{", encoding="utf-8")
    assert local.run(parse("--task-definition", str(path))) == 1
    assert str(path) in capsys.readouterr().err


def test_a_task_definition_that_ecs_would_refuse_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "definition.json"
    path.write_text('{"family": "mine", "containerDefinitions": []}', encoding="utf-8")
    assert local.run(parse("--port", "0", "--no-logs", "--task-definition", str(path))) == 1
    assert "task definition mine" in capsys.readouterr().err


def test_arguments_become_options(tmp_path: Path) -> None:
    path = tmp_path / "definition.json"
    definition = {"family": "mine", "containerDefinitions": [{"name": "a"}]}
    path.write_text(json.dumps(definition), encoding="utf-8")
    arguments = parse(
        *("--runtime", "simulated", "--cluster", "c", "--task-definition", str(path), "--seed", "3"),
        *("--latency", "0.5", "--latency", "RunTask=1+0.5", "--throttling", "--consistency-lag", "2"),
        *("--fault", '{"kind": "throttle"}', "--pass-env", "AIRFLOW_HOME"),
    )
    assert local._options(arguments) == Options(
        port=8787,
        runtime="simulated",
        clusters=["c"],
        task_definitions=[definition],
        conditions={
            "faults": [{"kind": "throttle"}],
            "latency": {"*": (0.5, 0.0), "RunTask": (1.0, 0.5)},
            "throttling": True,
            "consistency_lag": 2.0,
        },
        pass_environment=["AIRFLOW_HOME"],
        seed=3,
    )


def test_logs_are_kept_unless_told_otherwise() -> None:
    assert local._options(parse()).logs is True
    assert local._options(parse("--no-logs")).logs is False


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("192.0.2.1", False), ("box", False)],
)
def test_other_addresses_than_loopback_are_recognised(host: str, loopback: bool) -> None:
    assert local._is_loopback(host) is loopback


def test_the_greeting_names_the_log_endpoint_when_there_is_one() -> None:
    greeting = local._greeting(Options(clusters=["c"]), Control("http://e", "http://l"))
    assert "export AWS_ENDPOINT_URL_CLOUDWATCH_LOGS=http://l\n" in greeting
    assert "default, c" in greeting
    assert "LOGS" not in local._greeting(Options(), Control("http://e"))


def test_the_variables_of_the_greeting_lead_the_clients_here(monkeypatch: pytest.MonkeyPatch) -> None:
    greeting = local._greeting(Options(), Control("http://127.0.0.1:1", "http://127.0.0.1:2"))
    for line in greeting.splitlines():
        if line.startswith("export "):
            monkeypatch.setenv(*line.removeprefix("export ").split("=", 1))
    session: Any = boto3.session.Session()
    assert session.client("ecs").meta.endpoint_url == "http://127.0.0.1:1"
    assert session.client("logs").meta.endpoint_url == "http://127.0.0.1:2"


@pytest.mark.parametrize("port", ["99999", "-1", "http"])
def test_a_port_that_can_not_be_is_refused_in_a_line(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse("--port", port)
    assert "it is a number from 0 to 65535" in capsys.readouterr().err
