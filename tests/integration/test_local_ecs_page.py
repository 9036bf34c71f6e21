"""The commands of docs/local-ecs.md, sent to a local ECS by the programs that a reader uses: the AWS CLI and curl."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from ecs_async_executor.local import Options, serve_in_thread
from tests.support.blocks import ROOT, run_by
from tests.support.moto import serve_moto
from tests.support.shell import Shell, shell

KEYS = {"region_name": "us-east-1", "aws_access_key_id": "local", "aws_secret_access_key": "local"}
AWS_CLI, S3, CURL = run_by(__file__, ROOT / "docs" / "local-ecs.md")


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Shell]:
    """A shell with the variables that `ecs-async local` prints."""
    with serve_moto() as logs, serve_in_thread(Options(logs=logs, s3=logs)) as ecs:
        # moto's first answer may take longer than the local ECS waits for it.
        boto3.client("logs", endpoint_url=logs, **KEYS).create_log_group(logGroupName="/ecs/airflow-task")
        environment = {
            "AWS_ENDPOINT_URL_ECS": ecs.endpoint_url,
            "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS": logs,
            "AWS_ENDPOINT_URL_S3": str(ecs.s3_endpoint_url),
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_PAGER": "",
            "HOME": str(tmp_path),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }
        with shell(tmp_path, environment) as started:
            yield started


def task_id(run_task: str) -> str:
    """Return the id of the task that RunTask's answer shows."""
    return str(json.loads(run_task)["tasks"][0]["taskArn"]).rpartition("/")[2]


@pytest.mark.timeout(120)
def test_the_aws_cli_runs_a_task_shows_it_and_reads_what_it_prints(reader: Shell) -> None:
    run, describe, read = AWS_CLI.commands
    made = task_id(reader.run(run))

    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        (task,) = json.loads(reader.run(describe.replace("TASK_ID", made)))["tasks"]
        if task["lastStatus"] == "STOPPED":
            break
    assert task["containers"][0]["exitCode"] == 0
    (event,) = json.loads(reader.run(read.replace("TASK_ID", made)))["events"]
    assert str(time.gmtime().tm_year) in event["message"]


@pytest.mark.timeout(120)
def test_the_aws_cli_stores_an_object_and_lists_it(reader: Shell) -> None:
    for command in S3.commands:
        shown = reader.run(command)
    assert shown.endswith("today.txt\n")


@pytest.mark.timeout(120)
def test_curl_makes_it_misbehave_and_shows_what_it_did(reader: Shell) -> None:
    fill, add, calls, history, add_to_s3, remove, interrupt = (
        f"{each.partition('  #')[0]} -sS --fail" for each in CURL.commands
    )
    run, describe, _ = AWS_CLI.commands
    made = task_id(reader.run(run.replace('["date"]', '["sleep", "60"]')))

    reader.run(fill)
    assert json.loads(reader.run(run))["failures"][0]["reason"] == "RESOURCE:MEMORY"
    reader.run(add)
    assert "RunTask" in reader.run(calls)
    assert json.loads(reader.run(history))
    assert json.loads(reader.run(add_to_s3))["faults"][-1]["action"] == "s3:PutObject"
    reader.run(remove)
    task_id(reader.run(run))
    reader.run(interrupt.replace("TASK_ID", made))
    (task,) = json.loads(reader.run(describe.replace("TASK_ID", made)))["tasks"]
    assert task.get("stopCode") == "SpotInterruption" or task["desiredStatus"] == "STOPPED"
