"""Workloads that are too long for RunTask: through S3 into containers that really run, and gone afterwards."""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from ecs_async_executor.config import delivery
from ecs_async_executor.config.profiles import make_profiles
from ecs_async_executor.config.settings import Settings
from ecs_async_executor.executor.order_factory import OrderFactory
from ecs_async_executor.executor.runs import Run
from ecs_async_executor.launch_id import LaunchId
from ecs_async_executor.local import Control, Options, serve_in_thread
from ecs_async_executor.messages import (
    Cancelled,
    Launched,
    LaunchFailed,
    Payload,
    Recovery,
    Request,
    Running,
    Stopped,
    Waiting,
    Watch,
)
from tests.support.live_engine import LiveEngine, body, connect_to, containers
from tests.support.s3 import Bucket, bucket
from tests.support.workloads import callback_workload, token_generator

pytestmark = pytest.mark.usefixtures("unblocked", "impatient")

PREFIX = "s3://payloads/airflow/"
ROOM = "0" * 20_000
Start = Callable[..., LiveEngine]


@pytest.fixture(scope="module")
def served_bucket() -> Iterator[Bucket]:
    with bucket() as served:
        yield served


@pytest.fixture
def payloads(served_bucket: Bucket) -> Bucket:
    """A bucket, empty."""
    served_bucket.empty()
    return served_bucket


@pytest.fixture
def processes() -> Iterator[Control]:
    """A local ECS that runs each container's command."""
    with serve_in_thread(Options()) as control:
        yield control


@pytest.fixture
def engine_at(payloads: Bucket) -> Iterator[Start]:
    """Start engines on a local ECS and the bucket; all are closed after the test."""
    with ExitStack() as stack:

        def start_one(ecs: Control, s3_url: str = payloads.endpoint_url) -> LiveEngine:
            connect = connect_to(ecs.endpoint_url, s3_url=s3_url)
            return stack.enter_context(LiveEngine(connect, payloads=PREFIX))

        yield start_one


def fetching(run_id: str, workload: str = ROOM, **environment: str) -> Callable[[], Request]:
    """Make the builder of a run's first launch, whose workload goes to S3."""
    command, payload = delivery.Bucket(PREFIX, "us-east-1").deliver(str(LaunchId(run_id, 1)), workload)
    request = Request(body(command=command, **environment), "airflow", payload=payload)
    return lambda: request


def environment_of(payloads: Bucket, **more: str) -> dict[str, str]:
    """Give what a container needs to reach the bucket."""
    keys = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}
    return {**keys, "AWS_ENDPOINT_URL_S3": payloads.endpoint_url, **more}


def test_a_callback_with_20_kb_of_arguments_runs_and_leaves_nothing_in_s3(
    engine_at: Start, processes: Control, payloads: Bucket, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    (tmp_path / "late.py").write_text(
        "import json\ndef tell(file, text):\n    with open(file, 'w') as f: json.dump(len(text), f)\n"
    )
    workload = callback_workload(token="queued long ago")
    event_sent = tmp_path / "told"
    workload.callback.data = {"path": "late.tell", "kwargs": {"file": str(event_sent), "text": ROOM}}
    container = environment_of(payloads, PYTHONPATH=str(tmp_path), AIRFLOW_HOME=str(tmp_path))
    settings = Settings(
        cluster="default",
        container_name="airflow",
        task_definition="airflow-task",
        subnets=("subnet-1",),
        run_task_kwargs={"environment": container},
    )
    where = delivery.Bucket(PREFIX, "us-east-1")
    orders = OrderFactory(make_profiles(settings), token_generator(), queued_timeout=600, bucket=where)
    order = orders.launch(Run("run", "key", "a callback", workload))
    caplog.set_level(logging.DEBUG)
    engine = engine_at(processes)
    engine.submit(order)

    running = engine.until_report(Running)
    (key,) = payloads.names()
    assert key == "airflow/run-001.json"
    token = json.loads(payloads.text(key))["token"]
    ended = engine.end_of("run")
    assert (ended.exit_code, ended.arn) == (0, running.arn), processes.tasks()
    assert json.loads(event_sent.read_text()) == len(ROOM)
    engine.until(lambda: not payloads.names())
    assert token not in caplog.text


def test_a_container_that_finds_nothing_has_not_run(engine_at: Start, processes: Control, payloads: Bucket):
    engine = engine_at(processes)
    wrong = environment_of(payloads, AWS_ENDPOINT_URL_S3="http://127.0.0.1:9", AWS_MAX_ATTEMPTS="1")
    run_id = engine.launch(build=fetching("run", **wrong), run_id="run")
    ended = engine.end_of(run_id)
    assert isinstance(ended, Stopped)
    assert (ended.ran, ended.permanent, ended.exit_code) == (False, False, 69)
    assert "could not fetch its workload" in ended.diagnosis.summary
    engine.until(lambda: not payloads.names())


def test_a_bucket_that_does_not_exist_fails_the_run_at_once_with_the_remedy(engine_at: Start, ecs: Control):
    engine = engine_at(ecs)
    payload = Payload("s3://no-such-bucket/run-001.json", b"{}")
    run_id = engine.launch(build=lambda: Request(body(), "airflow", payload=payload))
    failed = engine.end_of(run_id)
    assert isinstance(failed, LaunchFailed)
    assert failed.permanent
    assert "NoSuchBucket" in failed.diagnosis.detail
    assert "`payload_bucket`" in failed.diagnosis.remedy
    assert containers(ecs) == {}


def test_while_s3_is_away_its_runs_wait_and_all_others_are_launched(
    engine_at: Start, ecs: Control, payloads: Bucket
):
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # nobody listens
        engine = engine_at(ecs, f"http://127.0.0.1:{held.getsockname()[1]}")
        engine.launch(build=fetching("long"), run_id="long")
        waiting = engine.until_report(Waiting)
        assert waiting.diagnosis.summary == "S3 can't take the workload now."
        other = engine.launch()
        assert engine.end_of(other).exit_code == 0
        engine.stop("long")
        assert engine.end_of("long") == Cancelled("long")
    assert containers(ecs) == {other: 1}


def test_a_launch_that_a_dead_engine_has_sent_is_sent_again_byte_for_byte(
    engine_at: Start, ecs: Control, payloads: Bucket
):
    ecs.set_plan(duration=3600)
    first = engine_at(ecs)
    first.launch(build=fetching("run", "first token"), run_id="run")
    launched = first.until_report(Launched)
    first.thread.close(5)

    second = engine_at(ecs)
    again = fetching("run", "second token")
    second.launch(build=again, run_id="run", recovery=Recovery.REPLAY)
    assert second.until_report(Launched) == launched
    assert ecs.calls()["RunTask"] == {"ok": 1, "replayed": 1}
    assert payloads.text("airflow/run-001.json") == "second token"
    second.stop("run")
    second.end_of("run")
    second.until(lambda: not payloads.names())
    assert containers(ecs) == {"run": 1}


def test_the_next_scheduler_deletes_what_its_adopted_tasks_were_given(
    engine_at: Start, ecs: Control, payloads: Bucket
):
    ecs.set_plan(duration=3600)
    first = engine_at(ecs)
    first.launch(build=fetching("run"), run_id="run")
    first.launch(run_id="short")
    first.until(lambda: len(first.of(Launched)) == 2)
    first.thread.close(5)

    second = engine_at(ecs)
    for number, known in enumerate(first.of(Launched)):
        # Its row knows no more than the ARN.
        adopted = f"adopted-{number}"
        second.submit(Watch(adopted, adopted, known.arn, known.cluster, known.container, listed=False))
        second.stop(adopted)
    second.ends_of(["adopted-0", "adopted-1"])
    second.until(lambda: not payloads.names())


def test_a_lost_answer_of_runtask_starts_one_container_and_leaves_nothing(
    engine_at: Start, ecs: Control, payloads: Bucket
):
    ecs.add_fault("lost_response", action="RunTask", times=1)
    engine = engine_at(ecs)
    engine.launch(build=fetching("run"), run_id="run")
    assert engine.end_of("run").exit_code == 0
    assert containers(ecs) == {"run": 1}
    engine.until(lambda: not payloads.names())
