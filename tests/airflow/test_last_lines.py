"""The log page of a task whose container died before Airflow could write its log."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from airflow.models.taskinstance import TaskInstance
from airflow.providers.amazon.aws.log.cloudwatch_task_handler import CloudWatchRemoteLogIO
from airflow.providers.amazon.aws.log.s3_task_handler import S3RemoteLogIO
from airflow.sdk import DAG
from airflow.utils.log.file_task_handler import FileTaskHandler
from airflow.utils.session import create_session
from fastapi.testclient import TestClient

from ecs_async_executor.errors import RemoteLogError
from ecs_async_executor.executor import last_lines
from ecs_async_executor.local import Control
from ecs_async_executor.logs.attempt_file import Written, write_attempt_log
from tests.support.ecs import hide_ends
from tests.support.scheduler import Scheduler, logged_events, one_task_dag, set_row, task_instances
from tests.support.task_logs import Container, page_of, texts

RunDag = Callable[[DAG], str]
BUCKET, LOG_GROUP = "airflow-logs", "airflow-tasks"
pytestmark = [
    pytest.mark.filterwarnings("ignore:Pydantic serializer warnings"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
"""Airflow's route makes its answer without the model's checks; its log handler leaves files to the garbage collector."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The log folder of scheduler and API server."""
    monkeypatch.setattr(logging.getLogger("airflow.task"), "handlers", [])
    handler = FileTaskHandler(str(tmp_path))
    handler.name = "task"
    monkeypatch.setattr(logging.getLogger(), "handlers", [*logging.getLogger().handlers, handler])
    return tmp_path


@pytest.fixture
def keeping(
    configured: Control, cloudwatch: Any, folder: Path, monkeypatch: pytest.MonkeyPatch, request: Any
) -> Scheduler:
    """A scheduler that keeps dead containers' last lines."""
    monkeypatch.setenv("AIRFLOW__ECS_ASYNC_EXECUTOR__LAST_LOG_LINES", "100")
    monkeypatch.setattr(last_lines, "SETTLE", 0.0)
    scheduler: Scheduler = request.getfixturevalue("scheduler")
    return scheduler


@pytest.fixture
def remote(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    """Sets Airflow's remote log, in the scheduler and in the API server."""

    def use(io: Any) -> None:
        for module in ("ecs_async_executor.logs.attempt_file", "airflow.logging_config"):
            monkeypatch.setattr(f"{module}.get_remote_task_log", lambda: io)

    return use


@pytest.fixture
def bucket(moto: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", moto)
    client = boto3.client("s3", region_name="us-east-1")
    client.create_bucket(Bucket=BUCKET)
    yield client
    for each in client.list_objects_v2(Bucket=BUCKET).get("Contents", ()):
        client.delete_object(Bucket=BUCKET, Key=each["Key"])
    client.delete_bucket(Bucket=BUCKET)


def die(
    scheduler: Scheduler,
    ecs: Control,
    run_dag: RunDag,
    client: Any,
    *lines: str,
    before: Callable[[Any], object] = lambda _: None,
) -> Any:
    """Let a running task's container print these lines and be killed; give the row. `before` is called with the row once it runs."""
    hide_ends(ecs)
    ecs.set_plan(duration=0, exit_code=137)
    run_dag(one_task_dag("dies"))
    (ti,) = scheduler.launched()
    set_row(ti, state="running")
    before(ti)
    Container(client, ti).prints(*lines)
    ecs.clear_conditions()
    return scheduler.until_state("failed")


def path_of(folder: Path, ti: Any) -> Path:
    with create_session(scoped=False) as session:
        row = session.get_one(TaskInstance, ti.id)
        return folder / FileTaskHandler(str(folder))._render_filename(row, 1, session=session)


def test_its_last_lines_and_the_reason_are_on_the_log_page_and_in_the_audit_log(
    keeping: Scheduler, ecs: Control, run_dag: RunDag, cloudwatch: Any, api: TestClient
) -> None:
    ti = die(keeping, ecs, run_dag, cloudwatch, "loading 40 GB", "Killed")
    keeping.until(lambda: logged_events("ecs container log"))
    shown = texts(page_of(api, ti))
    assert "ended before Airflow could write this log" in shown[0]
    printed = shown.index("loading 40 GB")
    assert shown[printed + 1] == "Killed"
    assert "SIGKILL" in " ".join(shown[printed + 2 :])
    (text,) = logged_events("ecs container log")
    assert text.splitlines()[-1].endswith("Killed")


def test_with_s3_as_the_remote_log_they_are_in_s3_and_nowhere_else(
    keeping: Scheduler,
    ecs: Control,
    run_dag: RunDag,
    cloudwatch: Any,
    api: TestClient,
    bucket: Any,
    folder: Path,
    remote: Callable[[Any], None],
) -> None:
    remote(S3RemoteLogIO(f"s3://{BUCKET}/logs", folder, delete_local_copy=True))
    ti = die(keeping, ecs, run_dag, cloudwatch, "Killed")
    keeping.until(lambda: bucket.list_objects_v2(Bucket=BUCKET).get("Contents"))
    keeping.until(lambda: not path_of(folder, ti).exists())
    assert "Killed" in texts(page_of(api, ti))
    assert not logged_events("ecs container log")


@pytest.mark.parametrize("ending", ["", ".trigger.7.log"], ids=["the first container's", "the triggerer's"])
def test_a_resumed_trys_last_lines_are_in_the_audit_log_beside_the_log_that_is_stored_already(
    keeping: Scheduler,
    ecs: Control,
    run_dag: RunDag,
    cloudwatch: Any,
    bucket: Any,
    folder: Path,
    remote: Callable[[Any], None],
    ending: str,
) -> None:
    remote(S3RemoteLogIO(f"s3://{BUCKET}/logs", folder, delete_local_copy=True))

    def store(ti: Any) -> None:
        key = f"logs/{path_of(folder, ti).relative_to(folder)}{ending}"
        bucket.put_object(Bucket=BUCKET, Key=key, Body=b"deferring\n")

    die(keeping, ecs, run_dag, cloudwatch, "Killed", before=store)
    keeping.until(lambda: logged_events("ecs container log"))
    (text,) = logged_events("ecs container log")
    assert text.splitlines()[-1].endswith("Killed")
    (stored,) = bucket.list_objects_v2(Bucket=BUCKET)["Contents"]
    assert bucket.get_object(Bucket=BUCKET, Key=stored["Key"])["Body"].read() == b"deferring\n"


def test_a_log_that_airflow_has_stored_is_left_as_it_is(
    keeping: Scheduler,
    run_dag: RunDag,
    bucket: Any,
    folder: Path,
    remote: Callable[[Any], None],
) -> None:
    remote(S3RemoteLogIO(f"s3://{BUCKET}/logs", folder, delete_local_copy=True))
    run_dag(one_task_dag("has_a_log"))
    (ti,) = keeping.launched()
    key = f"logs/{path_of(folder, ti).relative_to(folder)}"
    bucket.put_object(Bucket=BUCKET, Key=key, Body=b"Airflow's own\n")
    assert write_attempt_log(ti.key, ["{}"]) is Written.HAS_LOG
    assert bucket.get_object(Bucket=BUCKET, Key=key)["Body"].read() == b"Airflow's own\n"
    assert not path_of(folder, ti).exists()


def test_a_store_that_takes_no_log_is_an_error(
    keeping: Scheduler,
    run_dag: RunDag,
    bucket: Any,
    folder: Path,
    remote: Callable[[Any], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    remote(S3RemoteLogIO(f"s3://{BUCKET}/logs", folder, delete_local_copy=True))
    run_dag(one_task_dag("no_store"))
    (ti,) = keeping.launched()
    monkeypatch.setattr(S3RemoteLogIO, "write", lambda *_, **__: False)
    with pytest.raises(RemoteLogError, match="has not stored the log"):
        write_attempt_log(ti.key, ["{}"])
    assert not path_of(folder, ti).exists()


def test_with_cloudwatch_as_the_remote_log_they_are_in_a_stream_of_their_own(
    keeping: Scheduler,
    ecs: Control,
    run_dag: RunDag,
    cloudwatch: Any,
    api: TestClient,
    folder: Path,
    remote: Callable[[Any], None],
) -> None:
    cloudwatch.create_log_group(logGroupName=LOG_GROUP)
    arn = f"arn:aws:logs:us-east-1:123456789012:log-group:{LOG_GROUP}"
    remote(CloudWatchRemoteLogIO(base_log_folder=folder, log_group_arn=arn))
    ti = die(keeping, ecs, run_dag, cloudwatch, "Killed")
    keeping.until(lambda: cloudwatch.describe_log_streams(logGroupName=LOG_GROUP)["logStreams"])
    keeping.until(lambda: "Killed" in texts(page_of(api, ti)))
    cloudwatch.delete_log_group(logGroupName=LOG_GROUP)


def test_a_task_that_never_started_has_a_log_that_says_why(
    keeping: Scheduler, ecs: Control, run_dag: RunDag, api: TestClient, folder: Path
) -> None:
    ecs.set_plan(start_failure="CannotPullContainerError: pull access denied, repository does not exist")
    run_dag(one_task_dag("never_starts"))
    ti = keeping.until_state("failed")
    keeping.until(path_of(folder, ti).exists)
    shown = " ".join(texts(page_of(api, ti)))
    assert "pull access denied" in shown
    assert "What to do: " in shown
    assert len(task_instances()) == 1
