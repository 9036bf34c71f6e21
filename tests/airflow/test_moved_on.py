"""Airflow has moved on while a task waits, starts or runs: what should not run is stopped, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from airflow._shared.timezones import timezone
from airflow.models import Log
from airflow.models.taskinstance import TaskInstance, clear_task_instances
from airflow.sdk import DAG
from airflow.utils.session import create_session
from sqlalchemy import select

from ecs_async_executor.local import Control
from tests.support.database import nothing_written
from tests.support.ecs import end_all, hide_ends, live
from tests.support.scheduler import Scheduler, logged_events, one_task_dag, set_row, task_instances

RunDag = Callable[[DAG], str]


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at the rows often, and let nobody have minutes to clean up."""
    monkeypatch.setattr("ecs_async_executor.executor.rows.schedule.CHECK_AFTER", 0.1)
    monkeypatch.setattr("ecs_async_executor.config.heartbeats.UNWANTED_GRACE", 4.0)
    monkeypatch.setenv("AIRFLOW__CORE__TASK_SUCCESS_OVERTIME", "0")


def clear(ti: TaskInstance) -> None:
    """Clear a task as the UI does."""
    with create_session(scoped=False) as session:
        row = session.scalars(select(TaskInstance).where(TaskInstance.id == ti.id)).one()
        clear_task_instances([row], session)


def waiting(scheduler: Scheduler, ecs: Control, run_dag: RunDag, dag: DAG) -> TaskInstance:
    """Let a task wait for capacity."""
    ecs.add_fault("capacity")
    run_dag(dag)
    scheduler.until(lambda: logged_events("ecs launch waits"))
    return task_instances()[0]


def running(scheduler: Scheduler, run_dag: RunDag, dag: DAG) -> TaskInstance:
    run_dag(dag)
    (ti,) = scheduler.launched()
    set_row(ti, state="running", last_heartbeat_at=timezone.utcnow())
    return ti


# --- while it waits ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["success", "failed", "skipped"])
def test_a_task_that_is_marked_while_it_waits_is_never_launched(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag, state: str
) -> None:
    ti = waiting(scheduler, ecs, run_dag, one_task_dag("marked_waiting"))
    set_row(ti, state=state)
    scheduler.until_idle()
    ecs.clear_conditions()
    scheduler.rest(0.3)
    assert ecs.tasks() == []
    assert task_instances()[0].state == state


def test_a_task_that_is_cleared_while_it_waits_is_launched_once_for_its_new_queueing(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag
) -> None:
    ti = waiting(scheduler, ecs, run_dag, one_task_dag("cleared_waiting"))
    clear(ti)
    ecs.clear_conditions()
    (again,) = scheduler.launched(state="queued")
    assert len(live(ecs)) == 1
    assert live(ecs)[0]["taskArn"] == again.external_executor_id


def test_a_task_that_is_marked_while_aws_cant_be_reached_is_never_launched(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag
) -> None:
    ecs.add_fault("expired_credentials", action="RunTask")
    run_dag(one_task_dag("marked_in_an_outage"))
    scheduler.until(lambda: ecs.calls().get("RunTask"))
    set_row(task_instances()[0], state="failed")
    scheduler.until_idle()
    ecs.clear_conditions()
    scheduler.rest(0.3)
    assert ecs.tasks() == []


# --- while its container lives ----------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["success", "failed"])
def test_a_container_that_does_not_end_after_its_task_was_marked_is_stopped(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag, state: str
) -> None:
    ti = running(scheduler, run_dag, one_task_dag("marked_running"))
    set_row(ti, state=state)
    scheduler.rest(0.5)
    assert len(live(ecs)) == 1, "its worker has time to end by itself"
    scheduler.until(lambda: not live(ecs))
    scheduler.until_idle()
    assert task_instances()[0].state == state
    assert not logged_events("ecs task ended")


def test_a_container_that_does_not_end_after_its_task_was_cleared_is_stopped_and_the_task_runs_again(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag
) -> None:
    ti = running(scheduler, run_dag, one_task_dag("cleared_running"))
    clear(ti)
    scheduler.until(lambda: not live(ecs))
    scheduler.until(lambda: len(ecs.tasks()) == 2)
    assert task_instances()[0].try_number == 2


def test_a_task_that_is_queued_or_runs_is_left_alone(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag
) -> None:
    run_dag(one_task_dag("wanted"))
    (ti,) = scheduler.launched()
    scheduler.rest(1.5)
    set_row(ti, state="running", last_heartbeat_at=timezone.utcnow())
    scheduler.rest(1.5)
    assert len(live(ecs)) == 1
    assert scheduler.executor.running == {ti.key}


def test_a_task_whose_heartbeats_time_out_is_stopped_and_retried(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag
) -> None:
    ti = running(scheduler, run_dag, one_task_dag("silent", retries=1, retry_delay=timedelta(hours=1)))
    set_row(ti, last_heartbeat_at=timezone.utcnow() - timedelta(hours=1))
    scheduler.runner._find_and_purge_task_instances_without_heartbeats()
    assert not scheduler.executor.running
    scheduler.until_state("up_for_retry")
    scheduler.until(lambda: not live(ecs))
    scheduler.until_idle()
    (stopped,) = ecs.tasks()
    assert "heartbeats timed out" in stopped["stoppedReason"]
    assert task_instances()[0].state == "up_for_retry"


# --- events that core has dropped -------------------------------------------------------------------------------


def test_an_arn_that_could_not_be_written_is_written_later(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag
) -> None:
    run_dag(one_task_dag("arn_lost"))
    with nothing_written() as tried:
        scheduler.until(lambda: len(tried) > 2)
    assert not str(task_instances()[0].external_executor_id).startswith("arn:")
    scheduler.launched()


# --- tasks that never get to run --------------------------------------------------------------------------------


def test_a_task_that_does_not_run_within_the_launch_timeout_is_stopped_and_started_again(
    configured: Control,
    ecs: Control,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    run_dag: RunDag,
) -> None:
    monkeypatch.setenv("AIRFLOW__ECS_ASYNC_EXECUTOR__LAUNCH_TIMEOUT", "1")
    scheduler: Scheduler = request.getfixturevalue("scheduler")
    ecs.set_plan(
        {"nth": [1], "pending": 3600}, duration=3600, provisioning=0, pending=0, pull=0, stop_seconds=0
    )
    run_dag(one_task_dag("hangs_in_pending"))
    scheduler.until(lambda: [task for task in live(ecs) if task["lastStatus"] == "RUNNING"])
    first, second = ecs.tasks()
    assert (first["lastStatus"], first["stopCode"]) == ("STOPPED", "UserInitiated")
    assert second["startedBy"] == first["startedBy"]
    (event,) = logged_events("ecs task start failed")
    assert "The task did not run within 1 s, so it was stopped." in event
    assert task_instances()[0].try_number == 1


def test_when_no_start_gets_to_run_in_time_the_task_fails_with_what_to_do(
    configured: Control,
    ecs: Control,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    run_dag: RunDag,
) -> None:
    monkeypatch.setenv("AIRFLOW__ECS_ASYNC_EXECUTOR__LAUNCH_TIMEOUT", "0.2")
    scheduler: Scheduler = request.getfixturevalue("scheduler")
    ecs.set_plan(pending=3600, stop_seconds=0)
    run_dag(one_task_dag("never_runs"))
    scheduler.until_state("failed")
    assert "raise `launch_timeout`" in logged_events("ecs task not started")[0]
    assert len(ecs.tasks()) == 3


def test_the_audit_log_of_a_moved_task_names_no_failure_of_ours(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag
) -> None:
    hide_ends(ecs)
    ti = running(scheduler, run_dag, one_task_dag("quiet"))
    set_row(ti, state="success")
    end_all(ecs)
    ecs.clear_conditions()
    scheduler.until_idle()
    with create_session(scoped=False) as session:
        events = {log.event for log in session.scalars(select(Log).where(Log.dag_id == "quiet"))}
    assert {event for event in events if event.startswith("ecs")} == {"ecs task launched"}
