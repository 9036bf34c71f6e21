"""A workload that is too long for RunTask, from the executor's orders through the local ECS's S3 into a container."""

from __future__ import annotations

import json
import sys
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
from ecs_async_executor.messages import Request, Stopped, Waiting
from tests.support.live_engine import LiveEngine, body, connect_to, containers
from tests.support.s3 import Bucket, ecs_with_s3
from tests.support.workloads import callback_workload, token_generator

pytestmark = pytest.mark.usefixtures("unblocked", "impatient")

PREFIX = "s3://airflow/payloads/"
ROOM = "0" * 20_000
Order = Callable[..., LiveEngine]


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Control, Bucket]]:
    with ecs_with_s3() as both:
        yield both


@pytest.fixture
def ecs(served: tuple[Control, Bucket]) -> Control:
    """A local ECS that runs each container's command, without faults."""
    served[0].reset()
    return served[0]


@pytest.fixture
def bucket(served: tuple[Control, Bucket]) -> Bucket:
    """The bucket, empty, seen without the faults."""
    served[1].empty()
    return served[1]


@pytest.fixture
def simulated(bucket: Bucket) -> Iterator[Control]:
    """A local ECS whose tasks exist on paper only, before the same S3."""
    with serve_in_thread(Options(runtime="simulated", s3=bucket.endpoint_url)) as control:
        control.set_plan(duration=0.05)
        yield control


def engine_on(ecs: Control) -> LiveEngine:
    """Make an engine on a local ECS and its S3."""
    return LiveEngine(connect_to(ecs.endpoint_url, s3_url=ecs.s3_endpoint_url), payloads=PREFIX)


def fetching(run_id: str) -> Callable[[], Request]:
    """Make the builder of a run's first launch, whose workload goes to S3."""
    command, payload = delivery.Bucket(PREFIX, "us-east-1").deliver(str(LaunchId(run_id, 1)), ROOM)
    request = Request(body(command=command), "airflow", payload=payload)
    return lambda: request


@pytest.fixture
def told(tmp_path: Path) -> Path:
    """The file that the callback writes."""
    (tmp_path / "late.py").write_text(
        "import json\ndef tell(file, text):\n    with open(file, 'w') as f: json.dump(len(text), f)\n"
    )
    return tmp_path / "told"


@pytest.fixture
def engine_with_a_callback(ecs: Control, told: Path) -> Iterator[Order]:
    """Start an engine and order a callback with long arguments; its definition says nothing about S3."""
    with ExitStack() as stack:

        def order(**environment: str) -> LiveEngine:
            folder = str(told.parent)
            workload = callback_workload(token="queued long ago")
            workload.callback.data = {"path": "late.tell", "kwargs": {"file": str(told), "text": ROOM}}
            more = {"PYTHONPATH": folder, "AIRFLOW_HOME": folder, **environment}
            settings = Settings(
                cluster="default",
                container_name="airflow",
                task_definition="airflow-task",
                subnets=("subnet-1",),
                run_task_kwargs={"environment": more},
            )
            where = delivery.Bucket(PREFIX, "us-east-1")
            orders = OrderFactory(
                make_profiles(settings), token_generator(), queued_timeout=600, bucket=where
            )
            engine = stack.enter_context(engine_on(ecs))
            engine.submit(orders.launch(Run("run", "key", "a callback", workload)))
            return engine

        yield order


def test_it_runs_and_leaves_nothing_in_s3(
    engine_with_a_callback: Order, ecs: Control, bucket: Bucket, told: Path
) -> None:
    engine = engine_with_a_callback()
    assert engine.end_of("run").exit_code == 0, ecs.tasks()
    assert json.loads(told.read_text()) == len(ROOM)
    engine.until(lambda: not bucket.names())
    calls = ecs.calls()
    assert calls["s3:PutObject"] == calls["s3:GetObject"] == calls["s3:DeleteObject"] == {"ok": 1}


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        ("throttle", "SlowDown"),
        ("server_error", "InternalError"),
        ("lost_request", "lost_request"),
        ("lost_response", "lost_response"),
    ],
)
def test_a_put_that_fails_at_first_costs_time_and_nothing_else(
    simulated: Control, bucket: Bucket, kind: str, outcome: str
) -> None:
    simulated.add_fault(kind, action="s3:PutObject", times=2)
    with engine_on(simulated) as engine:
        engine.launch(build=fetching("run"), run_id="run")
        assert engine.end_of("run").exit_code == 0
        engine.until(lambda: not bucket.names())
    assert simulated.calls()["s3:PutObject"] == {outcome: 2, "ok": 1}
    assert containers(simulated) == {"run": 1}


def test_while_s3_fails_the_run_waits_and_starts_once_it_is_back(simulated: Control, bucket: Bucket) -> None:
    simulated.add_fault("server_error", action="s3:*")
    with engine_on(simulated) as engine:
        engine.launch(build=fetching("run"), run_id="run")
        assert engine.until_report(Waiting).diagnosis.summary == "S3 can't take the workload now."
        assert containers(simulated) == {}
        simulated.clear_conditions()
        assert engine.end_of("run").exit_code == 0
    assert containers(simulated) == {"run": 1}


def test_an_object_whose_deletion_fails_at_first_is_deleted_later(simulated: Control, bucket: Bucket) -> None:
    simulated.add_fault("throttle", action="s3:DeleteObject", times=2)
    with engine_on(simulated) as engine:
        engine.launch(build=fetching("run"), run_id="run")
        assert engine.end_of("run").exit_code == 0
        engine.until(lambda: not bucket.names())
    assert simulated.calls()["s3:DeleteObject"] == {"SlowDown": 2, "ok": 1}


def test_a_container_that_may_not_read_has_not_run(
    engine_with_a_callback: Order, ecs: Control, bucket: Bucket, told: Path
) -> None:
    ecs.add_fault("access_denied", action="s3:GetObject")
    ended = engine_with_a_callback().end_of("run")
    assert isinstance(ended, Stopped)
    assert (ended.ran, ended.exit_code) == (False, 69)
    assert not told.exists()


def test_what_the_definition_says_about_s3_stays_in_force(
    engine_with_a_callback: Order, ecs: Control, bucket: Bucket, told: Path
) -> None:
    engine = engine_with_a_callback(AWS_ENDPOINT_URL="http://127.0.0.1:9", AWS_MAX_ATTEMPTS="1")
    assert engine.end_of("run").exit_code == 69
    assert "s3:GetObject" not in ecs.calls()
    assert not told.exists()


def test_a_container_knows_the_region_and_the_keys_too(ecs: Control, bucket: Bucket, tmp_path: Path) -> None:
    note = tmp_path / "note"
    program = (
        "import json, os, sys;"
        "json.dump({k: v for k, v in os.environ.items() if k.startswith('AWS_')}, open(sys.argv[1], 'w'))"
    )
    command = [sys.executable, "-c", program, str(note)]
    with engine_on(ecs) as engine:
        engine.launch(body(command=command), run_id="run")
        assert engine.end_of("run").exit_code == 0
    assert json.loads(note.read_text()) == {
        "AWS_ENDPOINT_URL_S3": ecs.s3_endpoint_url,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
