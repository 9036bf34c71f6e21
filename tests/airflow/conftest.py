"""The real scheduler code on a real database, stepped by hand; the local ECS stands in for AWS."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import boto3
import pytest
from airflow.api_fastapi.app import _AuthManagerState, create_app
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.models import Log
from airflow.models.callback import Callback
from airflow.models.dag_version import DagVersion
from airflow.models.dagcode import DagCode
from airflow.models.dagrun import DagRun
from airflow.models.serialized_dag import SerializedDagModel
from airflow.models.taskinstance import TaskInstance
from airflow.sdk import DAG
from airflow.utils.db import initdb
from airflow.utils.log.file_task_handler import FileTaskHandler
from airflow.utils.session import create_session
from fastapi.testclient import TestClient
from sqlalchemy import delete

from ecs_async_executor.config.settings import Settings
from ecs_async_executor.engine.aws.ecs import EcsClient
from ecs_async_executor.local import Control, Options, serve_in_process, serve_in_thread
from ecs_async_executor.logs import reader, task_log
from ecs_async_executor.ui import links
from tests.support.callbacks import delete_callbacks, enqueue_callbacks, store_callback
from tests.support.ecs import end_all
from tests.support.moto import serve_moto
from tests.support.scheduler import (
    Scheduler,
    create_run,
    finish_all_rows,
    next_scheduler,
    running_scheduler,
    store_dag,
)
from tests.support.task_logs import GROUP

OPTIONS = {
    "CLUSTER": "default",
    "CONTAINER_NAME": "airflow",
    "TASK_DEFINITION": "airflow-task",
    "SUBNETS": "subnet-1",
    "REGION_NAME": "us-east-1",
}


@pytest.fixture(autouse=True)
def no_executor_is_left_running() -> Iterator[None]:
    """Find a test that forgets one where it is, and not by what it does to later tests."""
    yield
    assert not {"ecs-engine", "ecs-database", "ecs-status", "ecs-observer", "ecs-stats"} & {
        thread.name for thread in threading.enumerate()
    }


@pytest.fixture(scope="session", autouse=True)
def database() -> None:
    initdb()
    DagBundlesManager().sync_bundles_to_db()


@pytest.fixture(scope="session")
def shared_ecs() -> Iterator[Control]:
    containers = [{"name": "airflow", "image": "i"}, {"name": "sidecar", "image": "i", "essential": False}]
    size = {"networkMode": "awsvpc", "cpu": "1024", "memory": "2048"}
    sidecar = {"family": "with-sidecar", **size, "containerDefinitions": containers}
    bridge = {"family": "bridge", "memory": "512", "containerDefinitions": containers}
    with serve_in_thread(Options(runtime="simulated", seed=1, task_definitions=[sidecar, bridge])) as ecs:
        yield ecs


@pytest.fixture
def ecs(shared_ecs: Control) -> Iterator[Control]:
    """A local ECS whose tasks run for an hour unless a test plans otherwise."""
    shared_ecs.reset()
    shared_ecs.set_plan(duration=3600, provisioning=0, pending=0, pull=0, activating=0, stop_seconds=0)
    yield shared_ecs
    shared_ecs.clear_conditions()


@pytest.fixture
def configured(ecs: Control, monkeypatch: pytest.MonkeyPatch) -> Control:
    """The options of a drop-in user, pointed at the local ECS by the standard AWS variable."""
    for name, value in OPTIONS.items():
        monkeypatch.setenv(f"AIRFLOW__AWS_ECS_EXECUTOR__{name}", value)
    monkeypatch.setenv("AIRFLOW__ECS_ASYNC_EXECUTOR__POLL_INTERVAL", "1")
    monkeypatch.setenv(
        "AIRFLOW__ECS_ASYNC_EXECUTOR__LAST_LOG_LINES", "0"
    )  # its thread would outlive the test
    for rate in ("RUN_TASK_RATE", "MODIFY_RATE", "READ_RATE"):
        monkeypatch.setenv(f"AIRFLOW__ECS_ASYNC_EXECUTOR__{rate}", "0")
    monkeypatch.setenv("AWS_ENDPOINT_URL_ECS", ecs.endpoint_url)
    return ecs


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Shrink every waiting time, so that no test waits for seconds."""
    if "far_ecs" not in request.fixturenames:  # who measures looks as seldom as in real life
        monkeypatch.setattr("ecs_async_executor.engine.state.ledger.next_poll", lambda *_: 0.05)
    options = Settings.engine_options.fget  # type: ignore[attr-defined]  # it is a property
    monkeypatch.setattr(
        Settings, "engine_options", property(lambda self: replace(options(self), missing_grace=1.0))
    )
    # Threads that end late on a busy machine aren't left running.
    monkeypatch.setattr("ecs_async_executor.executor.executor.STATUS_CLOSE_SECONDS", 60.0)
    monkeypatch.setattr("ecs_async_executor.executor.metrics.monitor.CLOSE_SECONDS", 60.0)
    monkeypatch.setattr("ecs_async_executor.executor.ended_runs.CONFIRM_AFTER", 0.2)
    monkeypatch.setattr("ecs_async_executor.executor.reconciler.HANDLE_AGAIN_AFTER", 0.2)
    for module in ("executor.reconciler", "executor.rows.reader"):
        monkeypatch.setattr(f"ecs_async_executor.{module}.READ_AGAIN_AFTER", 0.05)
    for module in (
        "executor.engine_supervisor",
        "executor.retry_policy",
        "engine.admission.circuit_breaker",
        "engine.state.failure_rules",
        "engine.workers.stopper",
    ):
        monkeypatch.setattr(f"ecs_async_executor.{module}.backoff", lambda *_, **__: 0.05)


@pytest.fixture
def far_ecs(configured: Control, monkeypatch: pytest.MonkeyPatch) -> Iterator[Control]:
    """A local ECS in a process of its own, with AWS's latency, for tasks by the thousand."""
    options = Options(runtime="simulated", seed=1, conditions={"latency": {"*": [0.08, 0.04]}})
    with serve_in_process(options) as ecs:
        ecs.set_plan(duration=3600)
        monkeypatch.setenv("AWS_ENDPOINT_URL_ECS", ecs.endpoint_url)
        monkeypatch.setenv("AIRFLOW__ECS_ASYNC_EXECUTOR__CONCURRENCY", "100")
        yield ecs


@pytest.fixture
def scheduler(configured: Control, clean_database: None) -> Iterator[Scheduler]:
    """A scheduler with this executor; at the end of every test no slot may be left taken."""
    with running_scheduler() as scheduler:
        yield scheduler
        leave_nothing_behind(scheduler, configured)


def leave_nothing_behind(scheduler: Scheduler, ecs: Control) -> None:
    """Let all workers succeed and all containers end, and see every slot freed."""
    if scheduler.executor._parts is None:
        return
    ecs.clear_conditions()
    finish_all_rows()

    def step() -> None:
        end_all(ecs)
        scheduler.heartbeat()

    scheduler.until_idle(step=step)


@pytest.fixture
def first(configured: Control, clean_database: None) -> Iterator[Scheduler]:
    """The scheduler that will die."""
    with running_scheduler() as scheduler:
        yield scheduler


@contextmanager
def heir(ecs: Control) -> Iterator[Scheduler]:
    """The scheduler that adopts, and in the end has no slot taken."""
    with next_scheduler() as scheduler:
        yield scheduler
        leave_nothing_behind(scheduler, ecs)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """All RunTask requests that leave the engine."""
    bodies: list[dict[str, Any]] = []
    run_task = EcsClient.run_task

    def recording(client: EcsClient, body: dict[str, Any]) -> Any:
        bodies.append(body)
        return run_task(client, body)

    monkeypatch.setattr(EcsClient, "run_task", recording)
    return bodies


@pytest.fixture
def clean_database(database: None) -> Iterator[None]:
    """Leave nothing in the database, not even Dags: the next test may use the same Dag id."""
    yield
    with create_session() as session:
        for model in (Callback, TaskInstance, DagRun, Log, SerializedDagModel, DagCode, DagVersion):
            session.execute(delete(model))


@pytest.fixture
def run_dag(clean_database: None) -> Callable[[DAG], str]:
    """Store a Dag and start a run of it; gives the run's id."""

    def start(dag: DAG) -> str:
        store_dag(dag)
        return create_run(dag.dag_id)

    return start


@pytest.fixture
def enqueue_callback(scheduler: Scheduler, run_dag: Callable[[DAG], str]) -> Iterator[Callable[[], None]]:
    """Hand a deadline callback to the executor."""

    def store_and_enqueue() -> None:
        store_callback(run_dag)
        finish_all_rows()
        enqueue_callbacks(scheduler)

    yield store_and_enqueue
    delete_callbacks()


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    with serve_moto() as url:
        yield url


@pytest.fixture
def cloudwatch(moto: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """CloudWatch Logs with the group of the local ECS's `airflow-task`, and an executor that has read nothing yet."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDWATCH_LOGS", moto)
    monkeypatch.setattr(task_log, "_readers", {})
    monkeypatch.setattr(task_log, "_options", {})
    monkeypatch.setattr(links, "_arns", links._Arns())
    monkeypatch.setattr(reader, "FRESH", 0.0)
    # A busy machine must not show "AWS has not answered yet", nor leave out a link.
    monkeypatch.setattr(task_log, "Reader", partial(reader.Reader, deadline=60.0, retry_deadline=60.0))
    monkeypatch.setattr(links, "WAIT", 60.0)
    monkeypatch.setattr("ecs_async_executor.logs.aws.READ_SECONDS", 60.0)
    monkeypatch.setattr(FileTaskHandler, "executor_instances", {})
    client = boto3.client("logs", region_name="us-east-1")
    client.create_log_group(logGroupName=GROUP)
    yield client
    client.delete_log_group(logGroupName=GROUP)


@pytest.fixture(scope="session")
def app(database: None) -> Any:
    return create_app(apps="core")


@pytest.fixture
def api(app: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """The API server, for a user who may see everything."""
    # Another test's app may have replaced it, and taken it away at its end.
    monkeypatch.setattr(_AuthManagerState, "instance", app.state.auth_manager)
    with TestClient(app, base_url="http://testserver/api/v2") as client:
        token = app.state.auth_manager.generate_jwt(SimpleAuthManagerUser(username="admin", role="admin"))
        client.headers["Authorization"] = f"Bearer {token}"
        yield client
