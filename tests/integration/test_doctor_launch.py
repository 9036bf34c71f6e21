"""`doctor --launch` on the local ECS: what only a container can see, and nothing that stays behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from ecs_async_executor.local import Control, Options, serve_in_thread

SECRET = "a secret of at least sixty-four bytes, as HS512 wants, for these tests only"
PASSED = (
    "AIRFLOW_HOME",
    "PYTHONPATH",
    "AIRFLOW__CORE__EXECUTION_API_SERVER_URL",
    "AIRFLOW__CORE__DAGS_FOLDER",
)


class ExecutionApi(BaseHTTPRequestHandler):
    """Answers as Airflow's execution API answers to a token for a task instance that doesn't exist."""

    accepts = True

    def do_GET(self) -> None:
        self.reply(200, {"status": "healthy"})

    def do_PATCH(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        if self.accepts and self.headers["Authorization"].startswith("Bearer eyJ"):
            self.reply(404, {"detail": {"reason": "not_found", "message": "Task Instance not found"}})
        else:
            self.reply(403, {"detail": "Invalid auth token"})

    def reply(self, status: int, document: Any) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base class's name
        """Keep quiet."""


@pytest.fixture(scope="module")
def api() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), ExecutionApi)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/execution/"
    server.shutdown()
    server.server_close()


class Launch:
    """A set-up whose containers get what `container` says, and the command run on it."""

    def __init__(self, home: Path, api: str) -> None:
        self.home = home
        self.container = {
            "AIRFLOW_HOME": str(home / "container"),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": api,
            "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        }
        (home / "dags").mkdir()
        (home / "dags" / "one.py").touch()
        self.ecs: Control | None = None

    def environment(self, ecs: Control) -> dict[str, str]:
        inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        return inherited | {
            "AIRFLOW_HOME": str(self.home / "scheduler"),
            "AWS_ENDPOINT_URL_ECS": ecs.endpoint_url,
            "AWS_ENDPOINT_URL": str(ecs.logs_endpoint_url),
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AIRFLOW_CONN_AWS_DEFAULT": "aws://",
            "AIRFLOW__CORE__EXECUTOR": "ecs_async_executor.AsyncEcsExecutor",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__API_AUTH__JWT_SECRET": SECRET,
            "AIRFLOW__AWS_ECS_EXECUTOR__CLUSTER": "default",
            "AIRFLOW__AWS_ECS_EXECUTOR__TASK_DEFINITION": "airflow-task",
            "AIRFLOW__AWS_ECS_EXECUTOR__CONTAINER_NAME": "airflow",
            "AIRFLOW__AWS_ECS_EXECUTOR__SUBNETS": "subnet-1",
            "AIRFLOW__ECS_ASYNC_EXECUTOR__QUEUES": '{"own": {"environment": {"OF_THE_QUEUE": "yes"}}}',
        }

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "ecs_async_executor", "doctor", "--launch", "--json", *arguments]

    def run(self, *arguments: str) -> dict[str, Any]:
        """Run it, and return its JSON, with the ECS tasks that are there afterwards."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.container.items():
                patch.setenv(name, value)
            options = Options(logs=True, pass_environment=PASSED)
            with serve_in_thread(options) as ecs:
                done = subprocess.run(
                    self.command(*arguments),
                    env=self.environment(ecs),
                    capture_output=True,
                    text=True,
                    check=False,
                    timeout=120,
                )
                assert done.stdout, done.stderr
                assert SECRET not in done.stdout + done.stderr
                assert "eyJ" not in done.stdout + done.stderr
                document: dict[str, Any] = json.loads(done.stdout)
                return {**document, "tasks": ecs.tasks()}


@pytest.fixture
def launch(tmp_path: Path, api: str) -> Launch:
    return Launch(tmp_path, api)


def said(document: dict[str, Any]) -> list[str]:
    """Give what the launch has found wrong."""
    bad = {"error", "warning"}
    return [
        f"{each['what']} {each['todo']}"
        for each in document["findings"]
        if each["check"] == "launch" and each["severity"] in bad
    ]


def test_a_good_container_is_fine_and_nothing_of_it_stays(launch: Launch) -> None:
    document = launch.run("--queue", "own")
    assert said(document) == []
    fine = [each["what"] for each in document["findings"] if each["check"] == "launch"]
    assert any(each.startswith("Airflow ") for each in fine)
    assert any(each.startswith("1 Dag files in ") for each in fine)
    assert any(each.startswith("the execution API at ") for each in fine)
    assert {"provisioning", "pulling the image", "starting", "running"} <= document["launch"][
        "seconds"
    ].keys()
    (task,) = document["tasks"]
    assert task["lastStatus"] == "STOPPED"
    assert task["startedBy"].startswith("ecs-async-doctor/")
    assert task["clientToken"].startswith("doctor-")
    assert {"name": "OF_THE_QUEUE"} in task["overrides"]["containerOverrides"][0]["environment"]


def test_a_container_that_cannot_reach_the_api_is_named(launch: Launch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    launch.container["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] = f"http://127.0.0.1:{port}/execution/"
    (problem,) = said(launch.run())
    assert f"can't reach the execution API at http://127.0.0.1:{port}/execution" in problem
    assert "security groups" in problem


def test_a_rejected_token_is_named(launch: Launch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ExecutionApi, "accepts", False)
    (problem,) = said(launch.run())
    assert "rejects the token (403)" in problem
    assert "AIRFLOW__API_AUTH__JWT_SECRET" in problem


def test_another_airflow_is_named(launch: Launch) -> None:
    fake = launch.home / "packages" / "airflow"
    fake.mkdir(parents=True)
    (fake / "__init__.py").write_text("__version__ = '3.0.1'\n")
    launch.container["PYTHONPATH"] = str(fake.parent)
    assert any("has Airflow 3.0.1, and the scheduler has" in each for each in said(launch.run()))


def test_a_container_without_dags_is_named(launch: Launch) -> None:
    (launch.home / "dags" / "one.py").unlink()
    (problem,) = said(launch.run())
    assert "has no Dags" in problem
    assert "dag_bundle_config_list" in problem


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_launch_stops_its_task_and_prints_what_was_found_before(
    launch: Launch, number: signal.Signals
) -> None:
    with serve_in_thread(Options(runtime="simulated", plan={"defaults": {"duration": 600}})) as ecs:
        environment = launch.environment(ecs) | {"AWS_ENDPOINT_URL": ecs.endpoint_url}
        with subprocess.Popen(
            launch.command(), env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            until = time.monotonic() + 60
            while not ecs.tasks() and time.monotonic() < until:
                time.sleep(0.05)
            time.sleep(0.2)
            process.send_signal(number)
            printed, _ = process.communicate(timeout=60)
            assert process.returncode == 130
        findings = json.loads(printed)["findings"]
        assert any("remote_logging is off" in each["what"] for each in findings)
        assert [each["what"] for each in findings if "interrupted" in each["what"]] == [
            "The launch was interrupted, so what a container sees is not known."
        ]
        (task,) = ecs.tasks()
        assert task["desiredStatus"] == "STOPPED"


def test_a_task_that_takes_too_long_is_stopped_and_named(launch: Launch) -> None:
    with serve_in_thread(Options(runtime="simulated", plan={"defaults": {"provisioning": 600}})) as ecs:
        environment = launch.environment(ecs) | {"AWS_ENDPOINT_URL": ecs.endpoint_url}
        done = subprocess.run(
            launch.command("--timeout", "2"), env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 1
        assert any("the task was PROVISIONING" in each for each in said(json.loads(done.stdout)))
        (task,) = ecs.tasks()
        assert task["desiredStatus"] == "STOPPED"


def test_a_lost_answer_of_run_task_leaves_no_task_behind(launch: Launch) -> None:
    with serve_in_thread(Options(runtime="simulated", plan={"defaults": {"duration": 600}})) as ecs:
        ecs.add_fault("lost_response", action="RunTask", times=2)
        environment = launch.environment(ecs) | {"AWS_ENDPOINT_URL": ecs.endpoint_url}
        done = subprocess.run(launch.command(), env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        (task,) = ecs.tasks()
        assert task["desiredStatus"] == "STOPPED"
