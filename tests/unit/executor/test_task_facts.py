"""Tags name what a workload tells about its task, and the owners of its Dag as far as they were seen."""

from __future__ import annotations

import pytest
from airflow.models.dag import DagModel
from sqlalchemy import create_engine, event
from sqlalchemy.orm import Session

from ecs_async_executor.config.profiles import make_profiles
from ecs_async_executor.config.settings import Settings
from ecs_async_executor.config.task_tags import NAMES, TaskFacts
from ecs_async_executor.executor.order_factory import OrderFactory
from ecs_async_executor.executor.run_factory import make_run
from ecs_async_executor.executor.task_facts import DagOwners, facts_of
from tests.support.workloads import callback_workload, task_workload, token_generator


def test_a_tasks_facts_are_those_of_its_workload() -> None:
    owners = DagOwners()
    owners.note("etl", "bob, ada")
    workload = task_workload(dag_id="etl", task_id="load", run_id="backfill__2026", queue="gpu")
    assert facts_of(workload, "data", owners) == TaskFacts(
        bundle="dags-folder",
        dag_id="etl",
        owner="ada+bob",
        queue="gpu",
        run_id="backfill__2026",
        run_type="backfill",
        task_id="load",
        team="data",
    )


@pytest.mark.parametrize(
    ("run_id", "run_type"),
    [
        ("scheduled__2026-11-27T00:00:00+00:00", "scheduled"),
        ("manual__2026-11-27T00:00:00+00:00", "manual"),
        ("asset_triggered__2026", "asset_triggered"),
        ("backfill__2026", "backfill"),
        ("of my own", "manual"),
    ],
)
def test_the_run_type_is_what_airflow_reads_in_a_runs_id(run_id: str, run_type: str) -> None:
    assert facts_of(task_workload(run_id=run_id), None, DagOwners()).run_type == run_type


@pytest.mark.parametrize(
    ("path", "dag_id", "run_id"),
    [
        ("executor_callbacks/etl/manual__1/1111", "etl", "manual__1"),
        ("executor_callbacks/etl/a/b/1111", "etl", "a/b"),
        ("executor_callbacks/etl", "", ""),
        ("dag_id=etl/run_id=1", "", ""),
        (None, "", ""),
    ],
)
def test_a_callbacks_dag_is_in_its_log_path(path: str | None, dag_id: str, run_id: str) -> None:
    workload = callback_workload().model_copy(update={"log_path": path})
    found = facts_of(workload, None, DagOwners())
    assert (found.dag_id, found.run_id, found.task_id, found.queue) == (dag_id, run_id, "", "")
    assert found.run_type == ("manual" if run_id else "")


@pytest.mark.parametrize(
    ("owners", "told"), [("bob,ada", "ada+bob"), ("ada, ada ,", "ada"), ("", ""), (None, "")]
)
def test_owners_have_one_order_however_airflow_stores_them(owners: str | None, told: str) -> None:
    noted = DagOwners()
    noted.note("etl", owners)
    assert noted.of("etl") == told
    assert noted.of("other") == ""


def test_owners_are_taken_from_a_loaded_row_without_a_query() -> None:
    engine = create_engine("sqlite://")
    DagModel.__table__.create(engine)
    owners, statements = DagOwners(), []
    with Session(engine, expire_on_commit=False) as session:
        session.add(DagModel(dag_id="etl", owners="ada", bundle_name="b"))
        session.commit()
        session.expunge_all()
        dag = session.get_one(DagModel, "etl")
        event.listen(engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
        owners.note_workload(task_workload(dag_id="etl"), session)
        assert owners.of("etl") == "ada"
        session.expire(dag)
        owners.note_workload(task_workload(dag_id="etl"), session)
        owners.note_workload(task_workload(dag_id="not loaded"), session)
        owners.note_workload(callback_workload(), session)
    assert owners.of("etl") == "ada"
    assert statements == []


def test_a_launch_has_the_tags_of_its_task() -> None:
    settings = Settings(
        cluster="c",
        container_name="airflow",
        task_definition="t",
        launch_type="EC2",
        task_tags={name: f"{{{name}}}" for name in NAMES},
    )
    owners = DagOwners()
    owners.note("etl", "ada")
    factory = OrderFactory(
        make_profiles(settings), token_generator(), queued_timeout=600, team="data", owners=owners
    )
    task = make_run(None, task_workload(dag_id="etl", queue="q"))  # type: ignore[arg-type]  # only 3.4 uses the executor
    body = factory.launch(task).build().body
    assert {tag["key"]: tag["value"] for tag in body["tags"]} == {
        "bundle": "dags-folder",
        "dag_id": "etl",
        "owner": "ada",
        "queue": "q",
        "run_id": "run",
        "run_type": "manual",
        "task_id": "task",
        "team": "data",
    }
    callback = make_run(None, callback_workload())  # type: ignore[arg-type]  # as above
    body = factory.launch(callback).build().body
    assert {tag["key"] for tag in body["tags"]} == {"bundle", "team"}
