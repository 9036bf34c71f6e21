"""`payload_bucket`: what is too long for RunTask goes through S3, and is gone when its task has ended."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from airflow.sdk import DAG, BaseOperator

from ecs_async_executor.local import Control
from tests.airflow.conftest import leave_nothing_behind
from tests.support.ecs import end_all
from tests.support.s3 import Bucket, bucket
from tests.support.scheduler import (
    Scheduler,
    crash,
    logged_events,
    next_scheduler,
    running_scheduler,
    task_instances,
)

RunDag = Callable[[DAG], str]
ROOM = {"environment": {"A": "x" * 7000}}
"""It fits only if the workload is elsewhere."""


@pytest.fixture(scope="module")
def served_bucket() -> Iterator[Bucket]:
    with bucket() as served:
        yield served


@pytest.fixture
def payloads(served_bucket: Bucket, configured: Control, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """The bucket that the scheduler has, empty."""
    served_bucket.empty()
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", served_bucket.endpoint_url)
    monkeypatch.setenv("AIRFLOW__ECS_ASYNC_EXECUTOR__PAYLOAD_BUCKET", f"{served_bucket.name}/airflow")
    return served_bucket


def start_run(run_dag: RunDag) -> None:
    with DAG("payloads", schedule=None) as dag:
        BaseOperator(task_id="long", executor_config=ROOM)
        BaseOperator(task_id="short")
    run_dag(dag)


def command_of(body: dict[str, Any]) -> list[str]:
    command: list[str] = body["overrides"]["containerOverrides"][0]["command"]
    return command


def test_only_what_is_too_long_goes_to_s3_and_is_gone_when_its_task_has_ended(
    payloads: Bucket, scheduler: Scheduler, ecs: Control, run_dag: RunDag, sent: list[dict[str, Any]]
) -> None:
    start_run(run_dag)
    scheduler.launched(2)
    (key,) = payloads.names()
    (long,) = (body for body in sent if command_of(body)[1] == "-c")
    assert key == f"airflow/{long['clientToken']}.json"
    assert command_of(long)[-1] == f"s3://payloads/{key}"
    assert '"task_id":"long"' in payloads.text(key)
    (short,) = (body for body in sent if body is not long)
    assert command_of(short)[-2] == "--json-string"
    end_all(ecs)
    scheduler.until(lambda: not payloads.names(), step=scheduler.heartbeat)


def test_the_next_scheduler_deletes_what_the_dead_one_has_put(
    payloads: Bucket, ecs: Control, run_dag: RunDag
) -> None:
    with running_scheduler() as first:
        start_run(run_dag)
        first.launched(2)
        crash(first)
    assert len(payloads.names()) == 1
    with next_scheduler() as second:
        end_all(ecs)
        second.until(lambda: not payloads.names(), step=second.heartbeat)
        leave_nothing_behind(second, ecs)


def test_each_start_attempt_puts_and_deletes_its_own(
    payloads: Bucket, scheduler: Scheduler, ecs: Control, run_dag: RunDag
) -> None:
    ecs.add_fault("start_failure", times=1)
    with DAG("one_long", schedule=None) as dag:
        BaseOperator(task_id="long", executor_config=ROOM)
    run_dag(dag)
    scheduler.until(lambda: any(key.endswith("-002.json") for key in payloads.names()))
    scheduler.until(lambda: len(payloads.names()) == 1)
    assert len(ecs.tasks()) == 2


@pytest.fixture
def fallback(monkeypatch: pytest.MonkeyPatch) -> None:
    """A queue whose tasks go on elsewhere as soon as there is no capacity."""
    queues = {
        "spot": {"tags": {"on": "spot"}, "fallback": "on-demand", "capacity_timeout": 0},
        "on-demand": {"tags": {"on": "demand"}},
    }
    monkeypatch.setenv("AIRFLOW__ECS_ASYNC_EXECUTOR__QUEUES", json.dumps(queues))


@pytest.mark.usefixtures("fallback")
def test_a_fallback_puts_its_own_and_what_it_falls_back_from_is_deleted(
    payloads: Bucket, scheduler: Scheduler, ecs: Control, run_dag: RunDag, sent: list[dict[str, Any]]
) -> None:
    ecs.add_fault("capacity", times=1)
    with DAG("falls_back", schedule=None) as dag:
        BaseOperator(task_id="long", executor_config=ROOM, queue="spot")
    run_dag(dag)
    scheduler.until(lambda: len(sent) == 2)
    scheduler.until(lambda: len(payloads.names()) == 1)
    assert [body["tags"] for body in sent] == [
        [{"key": "on", "value": "spot"}],
        [{"key": "on", "value": "demand"}],
    ]
    assert payloads.names() == [f"airflow/{sent[1]['clientToken']}.json"]
    assert sent[1]["clientToken"].endswith("-002")


def test_a_bucket_that_is_not_there_fails_only_what_needs_it(
    payloads: Bucket, scheduler_without_bucket: Scheduler, run_dag: RunDag
) -> None:
    scheduler = scheduler_without_bucket
    start_run(run_dag)
    scheduler.launched(1, task_id="short")
    scheduler.until(lambda: {ti.task_id: ti.state for ti in task_instances()}["long"] == "failed")
    (reason,) = logged_events("state mismatch")
    assert "NoSuchBucket" in reason
    assert "`payload_bucket`" in reason


@pytest.fixture
def scheduler_without_bucket(
    payloads: Bucket, ecs: Control, clean_database: None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Scheduler]:
    monkeypatch.setenv("AIRFLOW__ECS_ASYNC_EXECUTOR__PAYLOAD_BUCKET", "no-such-bucket")
    with running_scheduler() as scheduler:
        yield scheduler
        leave_nothing_behind(scheduler, ecs)
