"""Containers that die while their row is RUNNING or RESTARTING, without a word to Airflow."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from airflow.models.taskinstance import TaskInstance, clear_task_instances
from airflow.sdk import DAG
from airflow.utils.session import create_session
from sqlalchemy import select

from ecs_async_executor.local import Control
from tests.support.ecs import end_all, hide_ends, live
from tests.support.scheduler import Scheduler, logged_events, one_task_dag, set_row, task_instances

RunDag = Callable[[DAG], str]


def start_running(scheduler: Scheduler, ecs: Control, run_dag: RunDag, dag: DAG) -> TaskInstance:
    """Launch the Dag's task and let its worker say that it runs; no end is seen before the conditions are cleared."""
    hide_ends(ecs)
    run_dag(dag)
    (ti,) = scheduler.launched()
    set_row(ti, state="running")
    scheduler.step()
    return ti


DEATHS: dict[str, tuple[dict[str, Any], str]] = {
    "exit_code_0": ({"duration": 0, "exit_code": 0}, "The container ended (exit code 0)."),
    "exit_code_1": ({"duration": 0, "exit_code": 1}, "The container ended with exit code 1."),
    "killed": ({"duration": 0, "exit_code": 137}, "The container was killed (SIGKILL, exit code 137)."),
    "out_of_memory": (
        {"duration": 0, "exit_code": 137, "reason": "OutOfMemoryError: Container killed due to memory usage"},
        "it used more memory than it has",
    ),
    "spot": ({"interruption": {"after": 0}}, "AWS reclaimed the Spot capacity."),
    "host_lost": (
        {"interruption": {"after": 0, "host_lost": True}},
        "i-0123456789abcdef0 was stopped or terminated.",
    ),
}


@pytest.mark.parametrize(("plan", "words"), DEATHS.values(), ids=DEATHS)
def test_a_running_task_fails_at_once_whatever_the_exit_code(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag, plan: dict[str, Any], words: str
) -> None:
    ecs.set_plan(**plan)
    start_running(scheduler, ecs, run_dag, one_task_dag("dies"))
    ecs.clear_conditions()
    ti = scheduler.until_state("failed")
    assert ti.try_number == 1
    (ended,) = logged_events("ecs task ended")
    assert words in ended
    assert ended in logged_events("state mismatch")[0]
    assert len(ecs.history()) == 1


def test_a_running_task_with_retries_left_is_retried(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag
) -> None:
    before = start_running(
        scheduler, ecs, run_dag, one_task_dag("dies_and_retries", retries=1, retry_delay=timedelta(hours=1))
    )
    end_all(ecs)
    ecs.clear_conditions()
    after = scheduler.until_state("up_for_retry")
    assert after.id != before.id
    scheduler.until_idle()
    scheduler.rest(0.3)
    assert task_instances()[0].state == "up_for_retry"
    assert len(logged_events("state mismatch")) == 1


def test_a_task_cleared_while_running_runs_again_as_soon_as_its_container_has_ended(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag
) -> None:
    ti = start_running(scheduler, ecs, run_dag, one_task_dag("cleared"))
    clear(ti)
    (row,) = task_instances()
    assert row.state == "restarting"
    assert row.id != ti.id
    ecs.clear_conditions()
    scheduler.rest(0.3)
    assert len(live(ecs)) == 1, "the worker ends by itself, at its next heartbeat"
    end_all(ecs)
    (again,) = scheduler.until(lambda: [t for t in task_instances() if t.state == "queued"])
    assert again.try_number == 2
    scheduler.until(lambda: len(live(ecs)) == 1)


def test_a_task_cleared_before_runtask_has_answered_runs_again_as_well(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag
) -> None:
    hide_ends(ecs)
    ecs.add_fault("late_response", action="RunTask", seconds=0.5, times=1)
    run_dag(one_task_dag("cleared_early"))
    (ti,) = scheduler.until(lambda: [t for t in task_instances() if t.state == "queued"])
    set_row(ti, state="running")
    clear(ti)
    scheduler.until(lambda: any(run.launched for run in scheduler.runs))
    end_all(ecs)
    ecs.clear_conditions()
    (again,) = scheduler.until(lambda: [t for t in task_instances() if t.state == "queued"])
    assert again.try_number == 2


def clear(ti: TaskInstance) -> None:
    """Clear a task as the UI does."""
    with create_session(scoped=False) as session:
        row = session.scalars(select(TaskInstance).where(TaskInstance.id == ti.id)).one()
        clear_task_instances([row], session)


def sidecar_dag(dag_id: str) -> DAG:
    return one_task_dag(dag_id, executor_config={"taskDefinition": "with-sidecar"})


def test_the_named_container_decides_and_the_others_are_only_reported(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag
) -> None:
    ecs.set_plan(duration=0, exit_code=0)
    ecs.add_fault("sidecar_exit", exit_code=137, times=1)
    start_running(scheduler, ecs, run_dag, sidecar_dag("sidecar_reported"))
    ecs.clear_conditions()
    scheduler.until_state("failed")
    (ended,) = logged_events("ecs task ended")
    assert ended.startswith("The container ended (exit code 0).")
    assert "container sidecar: exit code 137" in ended


def test_an_end_that_airflow_did_not_process_is_reported_again(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag
) -> None:
    ti = start_running(scheduler, ecs, run_dag, one_task_dag("told_again"))
    end_all(ecs)
    ecs.clear_conditions()
    for _ in range(2):
        scheduler.until(
            lambda: scheduler.executor.event_buffer.get(ti.key), step=scheduler.executor.heartbeat
        )
        lost = scheduler.executor.get_event_buffer()
        assert lost[ti.key][0] == "failed"
    assert task_instances()[0].state == "running"
    scheduler.until_state("failed")
    scheduler.until_idle()
    assert len(logged_events("ecs task ended")) == 1
    assert len(logged_events("state mismatch")) == 1
