"""From `__init__` to `end()`: what the scheduler, API servers and the command line do with an executor."""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import re
import threading
from collections.abc import Callable, Iterable

import pytest
from airflow.executors.workloads import ExecuteTask
from airflow.models import Log
from airflow.models.connection import Connection
from airflow.models.taskinstance import TaskInstance
from airflow.sdk import DAG
from airflow.utils.session import create_session
from sqlalchemy import delete

from ecs_async_executor import AsyncEcsExecutor
from ecs_async_executor.errors import ConfigurationError
from ecs_async_executor.executor.decisions import Row
from ecs_async_executor.executor.rows.statements import Read, read_rows
from ecs_async_executor.local import Control
from tests.support.bulk import queue_many
from tests.support.ecs import end_all, live
from tests.support.scheduler import (
    Scheduler,
    logged_events,
    one_task_dag,
    parts_of,
    running_scheduler,
    task_instances,
)

RunDag = Callable[[DAG], str]


def engine_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "ecs-engine"]


# --- __init__ and start ---------------------------------------------------------------------------------------


def test_making_an_executor_does_nothing_and_needs_no_option(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object, **__: object) -> None:
        raise AssertionError("__init__ must be inert")

    monkeypatch.setattr("ecs_async_executor.executor.executor.resolve_connection", forbidden)
    monkeypatch.setattr("ecs_async_executor.executor.executor.read_configuration", forbidden)
    monkeypatch.setattr("airflow.models.connection.Connection.get_connection_from_secrets", forbidden)
    before = threading.active_count()
    executors = [AsyncEcsExecutor(), AsyncEcsExecutor(parallelism=4), AsyncEcsExecutor(team_name="blue")]
    assert threading.active_count() == before
    for executor in executors:
        executor.sync()
        executor.heartbeat()
        executor.debug_dump()
        executor.end()
        executor.terminate()


def test_a_teams_executor_waits_for_heartbeats_as_long_as_the_scheduler_does(
    configured: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in [*os.environ.items()]:
        for section in ("AWS_ECS_EXECUTOR", "ECS_ASYNC_EXECUTOR"):
            if name.startswith(f"AIRFLOW__{section}__"):
                monkeypatch.setenv(name.replace("AIRFLOW__", "AIRFLOW__BLUE___", 1), value)
    monkeypatch.setenv("AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT", "900")
    executor = AsyncEcsExecutor(team_name="blue")
    executor.start()
    try:
        assert parts_of(executor).configuration.heartbeats.timeout == 900
    finally:
        executor.end()


def test_two_executors_share_nothing(configured: Control) -> None:
    one, two = AsyncEcsExecutor(), AsyncEcsExecutor()
    one.start()
    try:
        assert two._parts is None
        assert one.queued_tasks is not two.queued_tasks
        two.start()
        assert len(engine_threads()) == 2
    finally:
        one.end()
        two.end()
    assert not engine_threads()


def test_queues_whose_tasks_only_their_own_config_can_save_are_named_at_the_start(
    configured: Control, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AIRFLOW__AWS_ECS_EXECUTOR__LAUNCH_TYPE", "FARGATE")
    monkeypatch.delenv("AIRFLOW__AWS_ECS_EXECUTOR__SUBNETS")
    queues = {"big": {"launchType": "EC2", "environment": {"A": "x" * 7400}}, "ec2": {"launchType": "EC2"}}
    monkeypatch.setenv("AIRFLOW__ECS_ASYNC_EXECUTOR__QUEUES", json.dumps(queues))
    executor = AsyncEcsExecutor()
    executor.start()
    executor.end()
    text = "can't be launched unless their executor_config changes that."
    logged = capsys.readouterr().out
    assert f"Tasks {text} Fargate tasks need at least one subnet." in logged
    assert f"Tasks of the queue big {text} The overrides have " in logged
    assert "the queue ec2" not in logged


def test_missing_options_are_all_in_the_one_error_of_start(clean_database: None) -> None:
    executor = AsyncEcsExecutor()
    with pytest.raises(ConfigurationError) as caught:
        executor.start()
    for name in ("cluster", "container_name", "task_definition"):
        assert f"[aws_ecs_executor] {name}: " in str(caught.value)
    assert not engine_threads()
    executor.end()


def test_a_request_that_no_task_could_use_is_found_at_the_start(
    configured: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__AWS_ECS_EXECUTOR__RUN_TASK_KWARGS", '{"clusterr": "x"}')
    with pytest.raises(ConfigurationError, match="Did you mean cluster"):
        AsyncEcsExecutor().start()


def test_an_unknown_connection_is_found_at_the_start(
    configured: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__AWS_ECS_EXECUTOR__CONN_ID", "no_such_connection")
    with pytest.raises(ConfigurationError, match="no_such_connection"):
        AsyncEcsExecutor().start()


def test_a_connection_in_the_metadata_database_is_found(
    configured: Control, monkeypatch: pytest.MonkeyPatch, run_dag: RunDag
) -> None:
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "server")
    monkeypatch.delenv("AWS_ENDPOINT_URL_ECS")
    monkeypatch.setenv("AIRFLOW__AWS_ECS_EXECUTOR__CONN_ID", "in_the_database")
    extra = {"endpoint_url": configured.endpoint_url}
    with create_session() as session:
        session.add(Connection("in_the_database", "aws", login="key", password="secret", extra=extra))
    try:
        with running_scheduler() as scheduler:
            run_dag(one_task_dag("by_connection"))
            scheduler.launched()
    finally:
        with create_session() as session:
            session.execute(delete(Connection))
    assert len(live(configured)) == 1


def test_a_cluster_that_is_not_there_is_said_at_the_start_and_stops_nobody(
    configured: Control, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AIRFLOW__AWS_ECS_EXECUTOR__CLUSTER", "elsewhere")
    with running_scheduler() as scheduler:
        scheduler.until(
            lambda: "Health check: tasks can't run. ECS knows no such cluster." in capsys.readouterr().out,
            step=scheduler.heartbeat,
        )


# --- end ------------------------------------------------------------------------------------------------------


def test_end_is_prompt_with_a_thousand_tasks_and_leaves_all_containers(
    far_ecs: Control, clean_database: None, caplog: pytest.LogCaptureFixture
) -> None:
    with running_scheduler() as scheduler:
        executor = scheduler.executor
        workloads = many(scheduler, 1000)
        executor._process_workloads(workloads[:900])
        scheduler.until(lambda: all(run.launched for run in scheduler.runs), step=executor.sync)
        far_ecs.set_conditions(latency={"RunTask": 1})
        executor._process_workloads(workloads[900:])
        scheduler.until(lambda: far_ecs.calls()["RunTask"]["ok"] == 900, step=executor.sync)
        executor.end()
        assert "did not end within" not in caplog.text
        assert not engine_threads()
        assert len(live(far_ecs)) >= 900
        executor.end()
        executor.sync()
        executor.terminate()
    assert all(entry["tasks"] == 1 for entry in far_ecs.history().values())


def many(scheduler: Scheduler, count: int) -> list[ExecuteTask]:
    return queue_many(scheduler.job_id, scheduler.executor.jwt_generator, count, one_task_dag("many"))


def test_end_after_the_engines_death_returns(configured: Control, clean_database: None) -> None:
    with running_scheduler() as scheduler:
        supervisor = parts_of(scheduler.executor).engine
        supervisor.submit([object()])  # type: ignore[list-item]  # poison
        supervisor._engine._thread.join(60)
        scheduler.executor.end()
    assert not engine_threads()


# --- beside the scheduler -------------------------------------------------------------------------------------


def test_debug_dump_shows_the_states_of_both_halves_but_no_token(
    scheduler: Scheduler, run_dag: RunDag, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    run_dag(one_task_dag("dumped"))
    scheduler.launched()
    scheduler.executor.debug_dump()
    scheduler.until(lambda: "<Engine <Ledger: 1 watching>>" in caplog.text)
    assert "<EngineSupervisor <EngineThread alive>, 0 deaths>" in caplog.text
    assert re.search(r"<Runs: 1 (launched|live); 1 current>", caplog.text)
    assert "eyJ" not in caplog.text


def test_nothing_that_is_logged_shows_a_token(
    scheduler: Scheduler,
    ecs: Control,
    run_dag: RunDag,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    ecs.add_fault("server_error", action="RunTask", times=1)
    ecs.add_fault("lost_response", action="RunTask", times=1)
    run_dag(one_task_dag("logged"))
    scheduler.launched()
    ecs.add_fault("blocked", action="RunTask", times=1)
    run_dag(one_task_dag("refused"))
    scheduler.until_state("failed", dag_id="refused")
    assert "--json-string" not in caplog.text + capsys.readouterr().out
    assert "eyJ" not in caplog.text


def test_sync_leaves_the_schedulers_own_session_alone(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag
) -> None:
    run_dag(one_task_dag("sessions"))
    scheduler.until(lambda: live(ecs))

    def shows_its_arn() -> bool:
        return (task_instances()[0].external_executor_id or "").startswith("arn:")

    with create_session() as session:
        session.add(Log(event="not committed"))
        scheduler.until(shows_its_arn, step=scheduler.executor.sync)
        assert session.new, "sync() has flushed or committed the scheduler's session"
        session.rollback()
    assert not logged_events("not committed")


def test_a_database_error_in_sync_loses_nothing(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors = iter([RuntimeError("the database went away")] * 3)

    def failing(reads: Iterable[Read]) -> dict[str, Row]:
        for error in errors:
            raise error
        return read_rows(reads)

    monkeypatch.setattr("ecs_async_executor.executor.rows.thread.read_rows", failing)
    run_dag(one_task_dag("database_errors"))
    (ti,) = scheduler.launched()
    errors = iter([RuntimeError("the database went away")] * 3)
    with create_session(scoped=False) as session:
        session.get_one(TaskInstance, ti.id).state = "running"
    end_all(ecs)
    scheduler.until_state("failed")
    assert next(errors, None) is None
    assert task_instances()[0].try_number == 1


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded, use of fork:DeprecationWarning")
def test_a_child_that_another_executor_forks_ends_at_once(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag
) -> None:
    run_dag(one_task_dag("forked"))
    scheduler.launched()
    child = multiprocessing.get_context("fork").Process(target=os.getpid)
    child.start()
    child.join(60)
    assert child.exitcode == 0
    scheduler.rest(0.2)
    assert len(live(ecs)) == 1
