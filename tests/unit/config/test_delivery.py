"""The command that fetches a workload, run as a container would, with stand-ins for boto3 and Airflow."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ecs_async_executor.config.delivery import FETCH, FETCH_SIZE, Bucket, Delivery, in_command
from ecs_async_executor.engine.payloads import NOT_FETCHED
from ecs_async_executor.messages import Payload

TOKEN = "a-token-that-nobody-may-read"
WORKLOAD = json.dumps({"token": TOKEN, "kwargs": {"text": "ä" * 20_000}})
BOTO3 = """
import os
class S3:
    def get_object(self, Bucket, Key):
        assert (Bucket, Key) == ("bucket", "airflow/run-001.json"), (Bucket, Key)
        if os.environ.get("FAILS"):
            raise RuntimeError("AccessDenied")
        return {"Body": open(os.environ["OBJECT"], "rb")}
def client(service, region_name=None):
    assert (service, region_name) == ("s3", os.environ.get("REGION") or None)
    return S3()
"""
AIRFLOW = """
import sys, os
option, path = sys.argv[1:]
print(option, open(path).read(), open("/proc/self/cmdline").read())
sys.exit(int(os.environ.get("CODE", 0)))
"""


def test_a_payload_is_named_after_its_launch():
    command, payload = Bucket("s3://bucket/airflow/", "eu-west-1").deliver("run-001", "{}")
    assert command == ["python", "-c", FETCH, "eu-west-1", "s3://bucket/airflow/run-001.json"]
    assert payload == Payload("s3://bucket/airflow/run-001.json", b"{}")


def test_the_command_is_short_enough_for_what_is_said_of_it():
    command, _ = Bucket(f"s3://{'b' * 63}/{'p' * 40}/", "ap-southeast-1").deliver(f"{'0' * 36}-12", "{}")
    assert len(json.dumps(command)) <= FETCH_SIZE


def test_a_workload_on_its_way_through_a_bucket_shows_no_token() -> None:
    delivery = Delivery(Bucket("s3://bucket/airflow/"), "run-001", '{"token": "a-token"}')
    assert "a-token" not in repr(delivery)
    assert delivery()[1].data == b'{"token": "a-token"}'


def test_a_workload_in_the_command_needs_nothing_else():
    assert in_command("{}")[-2:] == ["--json-string", "{}"]


def run(folder: Path, *, region: str | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command that fetches WORKLOAD."""
    module = folder / "airflow" / "sdk" / "execution_time"
    module.mkdir(parents=True)
    for package in (folder / "airflow", folder / "airflow" / "sdk", module):
        (package / "__init__.py").touch()
    (module / "execute_workload.py").write_text(AIRFLOW)
    (folder / "object").write_text(WORKLOAD, "utf-8")
    command, _ = Bucket("s3://bucket/airflow/", region).deliver("run-001", WORKLOAD)
    found = {"PYTHONPATH": str(folder), "OBJECT": str(folder / "object"), "PYTHONUTF8": "1", **environment}
    return subprocess.run(
        [sys.executable, *command[1:]],
        env={"PATH": os.environ["PATH"], **found},
        capture_output=True,
        text=True,
        check=False,
        timeout=150,
    )


@pytest.mark.parametrize("region", [None, "eu-west-1"])
def test_the_container_becomes_airflows_process_with_the_workload_and_no_token_in_its_command_line(
    tmp_path: Path, region: str | None
):
    (tmp_path / "boto3.py").write_text(BOTO3)
    done = run(tmp_path, region=region, REGION=region or "", CODE="7")
    option, rest = done.stdout.split(" ", 1)
    workload, command_line = rest.rsplit(" ", 1)
    assert (option, workload, done.returncode) == ("--json-path", WORKLOAD, 7)
    assert "execute_workload" in command_line
    assert TOKEN not in command_line
    assert done.stderr == ""


def test_a_container_that_can_not_fetch_says_why_and_exits_as_the_engine_knows(tmp_path: Path):
    (tmp_path / "boto3.py").write_text(BOTO3)
    done = run(tmp_path, FAILS="1")
    assert done.returncode == NOT_FETCHED
    assert done.stderr == (
        "Can't fetch s3://bucket/airflow/run-001.json: RuntimeError('AccessDenied')."
        " The task role needs s3:GetObject.\n"
    )
    assert done.stdout == ""


def test_an_image_without_boto3_is_told_from_anything_else(tmp_path: Path):
    (tmp_path / "boto3.py").write_text("raise ImportError('No module named boto3')")
    done = run(tmp_path)
    assert done.returncode == NOT_FETCHED
    assert "No module named boto3" in done.stderr
