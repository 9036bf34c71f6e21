"""``ecs-async local`` as a person at a terminal sees it."""

from __future__ import annotations

import argparse
import json
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from ecs_async_executor.cli import local
from ecs_async_executor.cli.definitions import load
from ecs_async_executor.local import Control, Options, serve_in_thread

if TYPE_CHECKING:
    from collections.abc import Callable
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
    command = [
        sys.executable,
        "-W",
        "error",
        "-c",
        PROGRAM,
        "--port",
        "0",
        "--no-logs",
        "--no-s3",
        "--cluster",
        "mine",
    ]
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


def test_it_ends_quietly_when_nobody_reads_its_output() -> None:
    command = [sys.executable, "-W", "error", "-c", PROGRAM, "--port", "0", "--no-logs", "--no-s3"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        errors = process.stderr.read()
    assert (process.returncode, errors) == (0, "")


def test_a_busy_port_is_one_clear_line(capsys: pytest.CaptureFixture[str]) -> None:
    with serve_in_thread(Options(runtime="simulated")) as control:
        port = control.endpoint_url.rpartition(":")[2]
        assert local.run(parse("--port", port, "--runtime", "simulated")) == 1
    output = capsys.readouterr()
    assert output.err == (
        f"ecs-async local: port {port} on 127.0.0.1 is in use. Choose another with --port, or 0 for a free one.\n"
    )
    assert not output.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--fault", '{"kind": "nope"}'], "unknown kind 'nope'"),
        (["--plan", '{"defaults": {"duratoin": 1}}'], "duratoin"),
        (["--task-definition", "/no/such/file"], "/no/such/file"),
        (["--latency", "Run=-1"], "at least 0"),
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


DEFINITION: dict[str, Any] = {
    "family": "mine",
    "memory": "512",
    "containerDefinitions": [{"name": "a", "image": "repository/a:1"}, {"name": "b", "image": "b"}],
}


@pytest.fixture
def write(tmp_path: Path) -> Callable[[Any], str]:
    """Write a document to a file; its path."""

    def to_file(document: Any) -> str:
        path = tmp_path / "definition.json"
        path.write_bytes(document if isinstance(document, bytes) else json.dumps(document).encode())
        return str(path)

    return to_file


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (b"{", "line 1, column 2: it is not JSON"),
        (b"\xff\xfe{", "the file is not UTF-8"),
        (
            {**DEFINITION, "containerDefinitions": []},
            "task definition mine: ECS rejects it: containerDefinitions can not be blank",
        ),
        (
            {**DEFINITION, "memory": 512},
            "memory: it must be a text, in quotes.",
        ),
        ({**DEFINITION, "family": "m e"}, "task definition m e: ECS rejects it: Family contains invalid"),
        ({**DEFINITION, "family": ""}, "ECS rejects it: family can not be blank"),
    ],
)
def test_a_wrong_task_definition_file_is_one_line_that_names_file_and_fault(
    document: Any, words: str, write: Callable[[Any], str], capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(document)
    assert local.run(parse("--port", "0", "--no-logs", "--no-s3", "--task-definition", path)) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"ecs-async local: --task-definition {path}: {words}")
    assert error.count("\n") == 1


@pytest.mark.parametrize(("name", "words"), [("missing.json", "No such file"), ("", "Is a directory")])
def test_a_task_definition_file_that_can_not_be_read_names_the_option_and_what_to_do(
    name: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert local.run(parse("--task-definition", str(tmp_path / name))) == 1
    error = capsys.readouterr().err
    assert f"--task-definition {tmp_path / name}: {words}" in error
    assert "Name a JSON file with a task definition" in error
    assert "Errno" not in error


def test_the_greeting_lists_what_was_added_and_what_was_left_out(write: Callable[[Any], str]) -> None:
    secret = {"name": "S", "valueFrom": "arn"}
    log = {"logDriver": "awslogs", "options": {"awslogs-group": "/ecs/mine", "awslogs-region": "eu-west-1"}}
    containers = [{"name": "a", "image": "repository/a:1", "secrets": [secret], "logConfiguration": log}]
    shown = {**DEFINITION, "executionRoleArn": "arn", "revision": 7, "containerDefinitions": containers}
    path = write([{"taskDefinition": shown}, DEFINITION])
    definitions = load([path], "us-east-1", "123456789012")
    greeting = local._greeting(Options(), Control("http://e", "http://l"), definitions)
    assert f"  mine:1, from {path}: container a (repository/a:1)\n" in greeting
    assert "      ignored, because only AWS sets them: revision\n" in greeting
    assert "      no effect on this machine: secrets\n" in greeting
    assert "no log group /ecs/mine. Add --log-group /ecs/mine" in greeting
    assert f"  mine:2, from {path}: containers a (repository/a:1), b (b)\n" in greeting
    with_group = Options(log_groups=["/ecs/mine"])
    assert "add --log-group" not in local._greeting(with_group, Control("http://e", "http://l"), definitions)
    assert "add --log-group" not in local._greeting(Options(), Control("http://e"), definitions)


def test_arguments_become_options(write: Callable[[Any], str]) -> None:
    path = write(DEFINITION)
    arguments = parse(
        *("--runtime", "simulated", "--cluster", "c", "--task-definition", path, "--seed", "3"),
        *("--latency", "0.5", "--latency", "RunTask=1+0.5", "--throttling", "--consistency-lag", "2"),
        *("--fault", '{"kind": "throttle"}', "--pass-env", "AIRFLOW_HOME", "--log-group", "/ecs/mine"),
        *("--bucket", "my-logs"),
    )
    definitions = load(arguments.task_definition, "us-east-1", "123456789012")
    assert local._options(arguments, definitions) == Options(
        port=8787,
        runtime="simulated",
        clusters=["c"],
        task_definitions=[DEFINITION],
        conditions={
            "faults": [{"kind": "throttle"}],
            "latency": {"*": (0.5, 0.0), "RunTask": (1.0, 0.5)},
            "throttling": True,
            "consistency_lag": 2.0,
        },
        logs_port=8788,
        log_groups=["/ecs/mine"],
        s3=True,
        s3_port=8789,
        buckets=["my-logs"],
        pass_environment=["AIRFLOW_HOME"],
        seed=3,
    )


def test_logs_are_kept_unless_told_otherwise() -> None:
    assert local._options(parse(), []).logs is True
    assert local._options(parse("--no-logs"), []).logs is False


@pytest.mark.parametrize(
    ("arguments", "offered"),
    [
        ([], True),
        (["--no-s3"], False),
        (["--no-logs"], True),
        (["--runtime", "simulated"], False),
        (["--runtime", "simulated", "--bucket", "mine"], True),
    ],
)
def test_s3_is_offered_where_containers_or_a_bucket_need_it(arguments: list[str], offered: bool) -> None:
    assert local._options(parse(*arguments), []).s3 is offered


@pytest.mark.parametrize(
    ("arguments", "ports"),
    [
        ([], (8788, 8789)),
        (["--port", "9000"], (9001, 9002)),
        (["--port", "0"], (0, 0)),
        (["--port", "65534"], (65535, 0)),
        (["--port", "65535"], (0, 0)),
        (["--logs-port", "9500"], (9500, 8789)),
        (["--logs-port", "0", "--s3-port", "0"], (0, 0)),
        (["--port", "0", "--logs-port", "9500", "--s3-port", "9600"], (9500, 9600)),
    ],
)
def test_the_ports_of_logs_and_s3_stay_the_same_from_start_to_start(
    arguments: list[str], ports: tuple[int, int]
) -> None:
    options = local._options(parse(*arguments), [])
    assert (options.logs_port, options.s3_port) == ports


def test_a_second_one_names_the_port_of_ecs(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as ecs, socket.create_server(("127.0.0.1", 0)) as logs:
        port, logs_port = (str(each.getsockname()[1]) for each in (ecs, logs))
        assert local.run(parse("--port", port, "--logs-port", logs_port)) == 1
    assert capsys.readouterr().err == (
        f"ecs-async local: port {port} on 127.0.0.1 is in use. Choose another with --port, or 0 for a free one.\n"
    )


def test_a_busy_port_of_the_logs_is_one_clear_line(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert local.run(parse("--port", "0", "--logs-port", port)) == 1
    assert capsys.readouterr().err == (
        f"ecs-async local: port {port} on 127.0.0.1, for CloudWatch Logs, is in use. Choose another with --logs-port, "
        "or 0 for a free one; or turn logs off with --no-logs.\n"
    )


def test_a_busy_port_of_s3_is_one_clear_line(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert local.run(parse("--port", "0", "--no-logs", "--s3-port", port)) == 1
    assert capsys.readouterr().err == (
        f"ecs-async local: port {port} on 127.0.0.1, for S3, is in use. Choose another with --s3-port, or 0 for a free one; "
        "or turn S3 off with --no-s3.\n"
    )


def test_a_bucket_without_s3_is_one_clear_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert local.run(parse("--port", "0", "--no-s3", "--bucket", "mine")) == 1
    assert capsys.readouterr().err == (
        "ecs-async local: bucket 'mine': S3 is off. Turn it on, or name no bucket.\n"
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--host", "192.0.2.1"], "--host 192.0.2.1 is not an address of this machine"),
        (
            ["--host", "no.such.host.invalid"],
            "--host no.such.host.invalid is not an address of this machine",
        ),
        (["--latency", "Run=1"], "unknown action Run"),
    ],
)
def test_an_error_of_the_system_names_the_option_and_what_to_do(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert local.run(parse("--port", "0", "--no-logs", "--no-s3", *arguments)) == 1
    error = capsys.readouterr().err
    assert words in error
    assert "Errno" not in error


@pytest.mark.parametrize(
    "arguments",
    [
        ["--cluster", "my cluster"],
        ["--cluster", "arn:aws:ecs:us-east-1:123456789012:cluster/mine"],
        ["--pass-env", "A=b"],
        ["--bucket", "My_Bucket"],
        ["--bucket", "s3://mine"],
        ["--consistency-lag", "-1"],
        ["--consistency-lag", "nan"],
    ],
)
def test_a_value_that_can_not_be_meant_is_a_usage_error(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        parse(*arguments)
    assert caught.value.code == 2
    assert f"argument {arguments[0]}" in capsys.readouterr().err


def test_a_variable_that_is_not_set_is_warned_about(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    arguments = parse("--pass-env", "NO_SUCH_VARIABLE", "--task-definition", str(tmp_path))
    assert local.run(arguments) == 1
    assert "--pass-env NO_SUCH_VARIABLE: the variable isn't set" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("192.0.2.1", False), ("box", False)],
)
def test_other_addresses_than_loopback_are_recognised(host: str, loopback: bool) -> None:
    assert local._is_loopback(host) is loopback


def test_the_greeting_names_the_log_endpoint_when_there_is_one() -> None:
    greeting = local._greeting(Options(clusters=["c"]), Control("http://e", "http://l"), [])
    assert "export AWS_ENDPOINT_URL_CLOUDWATCH_LOGS=http://l\n" in greeting
    assert "default, c" in greeting
    assert "S3" not in greeting
    assert "LOGS" not in local._greeting(Options(), Control("http://e"), [])


def test_the_greeting_names_s3_its_buckets_and_the_executors_option_when_there_is_one() -> None:
    greeting = local._greeting(
        Options(s3=True, buckets=["mine"]), Control("http://e", s3_endpoint_url="http://s"), []
    )
    assert "export AWS_ENDPOINT_URL_S3=http://s\n" in greeting
    assert "S3's buckets: airflow, mine.\n" in greeting
    assert "export AIRFLOW__ECS_ASYNC_EXECUTOR__PAYLOAD_BUCKET=s3://airflow/payloads\n" in greeting


def test_the_variables_of_the_greeting_lead_the_clients_here(monkeypatch: pytest.MonkeyPatch) -> None:
    control = Control("http://127.0.0.1:1", "http://127.0.0.1:2", "http://127.0.0.1:3")
    greeting = local._greeting(Options(), control, [])
    for line in greeting.splitlines():
        if line.startswith("export "):
            monkeypatch.setenv(*line.removeprefix("export ").split("=", 1))
    session: Any = boto3.session.Session()
    assert session.client("ecs").meta.endpoint_url == "http://127.0.0.1:1"
    assert session.client("logs").meta.endpoint_url == "http://127.0.0.1:2"
    assert session.client("s3").meta.endpoint_url == "http://127.0.0.1:3"


@pytest.mark.timeout(120)
def test_the_variables_of_a_greeting_are_enough_for_the_bucket_that_it_names() -> None:
    command = [sys.executable, "-W", "error", "-c", PROGRAM, "--port", "0", "--no-logs", "--s3-port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        exports: dict[str, str] = {}
        for line in process.stdout:
            if line.startswith("export "):
                name, _, exports[name] = line.removeprefix("export ").strip().partition("=")
            if "PAYLOAD_BUCKET" in line:
                break
        s3: Any = boto3.client(
            "s3",
            endpoint_url=exports["AWS_ENDPOINT_URL_S3"],
            region_name=exports["AWS_DEFAULT_REGION"],
            aws_access_key_id=exports["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=exports["AWS_SECRET_ACCESS_KEY"],
        )
        bucket, _, prefix = (
            exports["AIRFLOW__ECS_ASYNC_EXECUTOR__PAYLOAD_BUCKET"].removeprefix("s3://").partition("/")
        )
        s3.put_object(Bucket=bucket, Key=f"{prefix}/run-1.json", Body=b"{}", IfNoneMatch="*")
        process.terminate()
        _, errors = process.communicate()
    assert (process.returncode, errors) == (0, "")


@pytest.mark.parametrize("port", ["99999", "-1", "http"])
def test_a_port_that_can_not_be_is_refused_in_a_line(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse("--port", port)
    assert "write a number from 0 to 65535" in capsys.readouterr().err
