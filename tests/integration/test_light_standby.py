"""The crash test's standby: the real command on stand-ins, before an S3."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from ecs_async_executor.standby.command import LEFT, NO_ACCESS, lease_url, object_url, standby_command
from tests.chaos import journal
from tests.chaos.standby import RECLAIMED
from tests.support.s3 import Bucket, bucket

ROOT = Path(__file__).parents[2]
OWN, LEASE = "0" * 32, "1" * 32
TI = {"id": "a", "task_id": "succeeds", "map_index": 0, "try_number": 1}


@pytest.fixture(scope="module")
def s3() -> Iterator[Bucket]:
    with bucket() as served:
        yield served


class Api:
    """An Execution API that refuses everything, and an ECS that only listens."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.was_asked = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"] or 0))
                outer.asked.append(f"{self.command} {self.path}")
                self.send_response(409)
                self.send_header("Content-Length", "0")
                self.end_headers()
                outer.was_asked.set()

            do_PATCH = do_POST = answer  # noqa: N815  http.server's names

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"


@pytest.fixture
def api() -> Iterator[Api]:
    served = Api()
    thread = threading.Thread(target=served.server.serve_forever, daemon=True)
    thread.start()
    yield served
    served.server.shutdown()
    thread.join()
    served.server.server_close()


@pytest.fixture
def location(s3: Bucket) -> str:
    s3.empty()
    return f"s3://{s3.name}/payloads/"


def put(s3: Bucket, url: str, body: bytes) -> None:
    s3.client.put_object(Bucket=s3.name, Key=url.split("/", 3)[3], Body=body)


def start(s3: Bucket, api: Api, location: str, tmp_path: Path, reclaimed: float = 0) -> subprocess.Popen[str]:
    own, lease = object_url(location, OWN), lease_url(location, LEASE)
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "AWS_ENDPOINT_URL_S3": s3.endpoint_url,
        "AWS_ENDPOINT_URL_ECS": api.url,
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": api.url,
        "ECS_LOCAL_TASK": "local/container",
        journal.FILE: str(tmp_path / "journal"),
        RECLAIMED: str(reclaimed),
    }
    command = [sys.executable, "-S", "-m", "tests.chaos.worker", *standby_command(None, 600, lease, own)]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


def test_it_runs_the_workload_as_the_light_worker(s3: Bucket, api: Api, location: str, tmp_path: Path):
    put(s3, lease_url(location, LEASE), b"{}")
    put(s3, object_url(location, OWN), json.dumps({"ti": TI, "token": "t"}).encode())

    with start(s3, api, location, tmp_path) as process:
        _, said = process.communicate(timeout=30)

    assert process.returncode == 1, said
    assert [line.event for line in journal.read(tmp_path / "journal")] == ["began", "refused 409"]
    assert api.asked == ["PATCH /task-instances/a/run"]


def test_it_leaves_if_it_is_told_to_or_has_no_lease(s3: Bucket, api: Api, location: str, tmp_path: Path):
    with start(s3, api, location, tmp_path) as process:
        process.communicate(timeout=30)
    assert process.returncode == NO_ACCESS

    put(s3, lease_url(location, LEASE), b"{}")
    put(s3, object_url(location, OWN), b"")
    with start(s3, api, location, tmp_path) as process:
        process.communicate(timeout=30)
    assert process.returncode == LEFT


def test_it_is_reclaimed_while_it_waits(s3: Bucket, api: Api, location: str, tmp_path: Path):
    put(s3, lease_url(location, LEASE), b"{}")

    with start(s3, api, location, tmp_path, reclaimed=1.0) as process:
        assert api.was_asked.wait(20)
        process.send_signal(signal.SIGTERM)  # as ECS does then
        process.communicate(timeout=30)

    assert api.asked == ["POST /_local/tasks/container/interrupt"]
    assert process.returncode == LEFT
