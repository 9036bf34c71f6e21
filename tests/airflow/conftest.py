"""The real scheduler code on a real database, stepped by hand; the local ECS stands in for AWS."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.models import Log
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.sdk import DAG
from airflow.utils.db import initdb
from airflow.utils.session import create_session
from sqlalchemy import delete

from ecs_async_executor.local import Control, Options, serve_in_thread
from tests.support.scheduler import Scheduler, create_run, running_scheduler, store_dag

OPTIONS = {
    "CLUSTER": "default",
    "CONTAINER_NAME": "airflow",
    "TASK_DEFINITION": "airflow-task",
    "SUBNETS": "subnet-1",
    "REGION_NAME": "us-east-1",
}


@pytest.fixture(scope="session", autouse=True)
def database() -> None:
    initdb()
    DagBundlesManager().sync_bundles_to_db()


@pytest.fixture(scope="session")
def shared_ecs() -> Iterator[Control]:
    with serve_in_thread(Options(runtime="simulated", seed=1)) as ecs:
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
    for rate in ("RUN_TASK_RATE", "MODIFY_RATE", "READ_RATE"):
        monkeypatch.setenv(f"AIRFLOW__ECS_ASYNC_EXECUTOR__{rate}", "0")
    monkeypatch.setenv("AWS_ENDPOINT_URL_ECS", ecs.endpoint_url)
    return ecs


@pytest.fixture
def scheduler(configured: Control, clean_database: None) -> Iterator[Scheduler]:
    with running_scheduler() as scheduler:
        yield scheduler


@pytest.fixture
def clean_database(database: None) -> Iterator[None]:
    yield
    with create_session() as session:
        for model in (TaskInstance, DagRun, Log):
            session.execute(delete(model))


@pytest.fixture
def run_dag(clean_database: None) -> Callable[[DAG], str]:
    """Store a Dag and start a run of it; gives the run's id."""

    def start(dag: DAG) -> str:
        store_dag(dag)
        return create_run(dag.dag_id)

    return start
