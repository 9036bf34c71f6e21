"""Tasks that ECS does not show, while Airflow hears their workers: absence is no death."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from airflow._shared.timezones import timezone
from airflow.models.taskinstance import TaskInstance
from airflow.sdk import DAG

from ecs_async_executor.config.settings import Settings
from ecs_async_executor.local import Control
from tests.airflow.conftest import heir
from tests.support.ecs import end_all, hide_ends
from tests.support.scheduler import (
    Scheduler,
    crash,
    logged_events,
    one_task_dag,
    parts_of,
    set_row,
    task_instances,
)

RunDag = Callable[[DAG], str]
Sent = list[dict[str, Any]]


@pytest.fixture(autouse=True)
def impatient(quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """What ListTasks can't be asked for is given up after a second, and not after an hour."""
    options = Settings.engine_options.fget  # type: ignore[attr-defined]  # it is a property
    monkeypatch.setattr(
        Settings, "engine_options", property(lambda self: replace(options(self), list_timeout=1.0))
    )


ELSEWHERE = {
    "another account": "arn:aws:ecs:us-east-1:210987654321:task/default/",
    "another Region": "arn:aws:ecs:eu-west-1:123456789012:task/default/",
    "another account, in an old ARN": "arn:aws:ecs:us-east-1:210987654321:task/",
}
"""Where tasks may run that ECS, asked as the options say, refuses to describe."""
TASK_ID = "0cbb5d540a3a4b3c8a512a4f4c1b6d0e"


@contextmanager
def blind_heir(ecs: Control) -> Iterator[Scheduler]:
    """The scheduler that adopts what ECS has forgotten."""
    ecs.reset()
    ecs.set_plan(duration=3600)
    with heir(ecs) as scheduler:
        yield scheduler


def beat(ti: TaskInstance, seconds_ago: float = 0.0) -> None:
    """Let a worker's heartbeat come, in a row that is RUNNING."""
    at = timezone.utcnow() - timedelta(seconds=seconds_ago)
    set_row(ti, state="running", last_heartbeat_at=at)


FOUND_BY = {
    "a UUID of another executor": "0cbb5d54-0a3a-4b3c-8a51-2a4f4c1b6d0e",
    "its run id and launch number": "0cbb5d540a3a4b3c8a512a4f4c1b6d0e-003",
    "its ARN": None,
    **{f"an ARN of {place}": f"{prefix}{TASK_ID}" for place, prefix in ELSEWHERE.items()},
}


@pytest.mark.parametrize("external_id", FOUND_BY.values(), ids=FOUND_BY)
def test_a_running_task_that_ecs_does_not_show_is_left_to_airflow_while_its_worker_sends_heartbeats(
    first: Scheduler, ecs: Control, run_dag: RunDag, sent: Sent, external_id: str | None
) -> None:
    is_elsewhere = (external_id or "").startswith(tuple(ELSEWHERE.values()))
    run_dag(one_task_dag("seen_by_airflow_only"))
    (ti,) = first.launched()
    set_row(ti, external_executor_id=external_id or ti.external_executor_id)
    beat(ti)
    crash(first)
    with blind_heir(ecs) as scheduler:
        (text,) = scheduler.until(lambda: logged_events("ecs task left to airflow"))
        assert "does not show the task" in text or "shows no running task" in text
        assert ("DescribeTasks was refused: InvalidParameterException" in text) is is_elsewhere
        assert "It was neither stopped nor failed: a worker of this task sent a heartbeat" in text
        assert "if its heartbeats stop for 300 s, Airflow fails the task" in text
        assert (len(scheduler.runs), scheduler.executor.slots_occupied) == (0, 0)
        beat(ti)
        scheduler.adopt()
        scheduler.rest(0.5)
        (row,) = task_instances()
        assert (row.state, row.id, row.try_number) == ("running", ti.id, 1)
        assert row.queued_by_job_id == scheduler.job_id, "so that its heartbeats are watched"
        assert len(logged_events("ecs task left to airflow")) == 1
        assert not logged_events("ecs task ended")
        assert len(sent) == 1


@pytest.mark.parametrize("prefix", ELSEWHERE.values(), ids=ELSEWHERE)
def test_a_task_of_another_account_hides_the_ends_of_no_others(
    first: Scheduler, ecs: Control, run_dag: RunDag, prefix: str
) -> None:
    run_dag(one_task_dag("ours"))
    run_dag(one_task_dag("moved"))
    first.launched(2)
    (ours,), (moved,) = task_instances(dag_id="ours"), task_instances(dag_id="moved")
    set_row(moved, external_executor_id=f"{prefix}{TASK_ID}")
    beat(ours)
    beat(moved)
    crash(first)
    with heir(ecs) as scheduler:
        end_all(ecs)
        scheduler.until_state("failed", dag_id="ours")
        (text,) = logged_events("ecs task ended")
        assert "ECS does not show the task" not in text
        scheduler.until(lambda: logged_events("ecs task left to airflow"))
        (row,) = task_instances(dag_id="moved")
        assert (row.state, row.id, row.try_number) == ("running", moved.id, 1)


def test_a_task_that_was_left_to_airflow_fails_when_its_heartbeats_stop(
    first: Scheduler, ecs: Control, run_dag: RunDag
) -> None:
    run_dag(one_task_dag("left_and_dead"))
    (ti,) = first.launched()
    beat(ti)
    crash(first)
    with blind_heir(ecs) as scheduler:
        scheduler.until(lambda: logged_events("ecs task left to airflow"))
        beat(ti, seconds_ago=301)
        scheduler.runner._find_and_purge_task_instances_without_heartbeats()
        scheduler.until_state("failed")
        assert logged_events("heartbeat timeout")


def test_a_running_task_that_ecs_does_not_show_fails_at_once_if_its_heartbeats_have_stopped(
    first: Scheduler, ecs: Control, run_dag: RunDag, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT", "60")
    run_dag(one_task_dag("dead_for_a_minute"))
    (ti,) = first.launched()
    beat(ti, seconds_ago=61)
    crash(first)
    with blind_heir(ecs) as scheduler:
        scheduler.until_state("failed")
        (text,) = logged_events("ecs task ended")
        assert "ECS does not show the task." in text


def refused(scheduler: Scheduler, ecs: Control, run_dag: RunDag) -> TaskInstance:
    """Let another worker start a task's code, so that the API server refuses its container, which ends with exit code 1."""
    hide_ends(ecs)
    ecs.set_plan(duration=0, exit_code=1)
    run_dag(one_task_dag("started_twice"))
    (ti,) = scheduler.launched()
    beat(ti)
    ecs.clear_conditions()
    return ti


def test_a_task_that_another_executors_worker_starts_first_is_left_to_it_though_our_container_is_refused(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag
) -> None:
    ti = refused(scheduler, ecs, run_dag)

    def step() -> None:
        scheduler.step()
        beat(ti)

    (text,) = scheduler.until(lambda: logged_events("ecs task left to airflow"), step=step)
    assert text.startswith("The container ended with exit code 1.")
    scheduler.rest(0.3)
    (row,) = task_instances()
    assert (row.state, row.id, row.try_number) == ("running", ti.id, 1)
    assert len(ecs.history()) == 1
    assert scheduler.executor.slots_occupied == 0


def test_a_task_whose_container_ends_with_exit_code_1_fails_if_no_other_worker_sends_a_heartbeat(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag
) -> None:
    reconciler = parts_of(scheduler.executor).reconciler
    reconciler._heartbeats = replace(reconciler._heartbeats, interval=0.1)
    refused(scheduler, ecs, run_dag)
    scheduler.until_state("failed")
    assert logged_events("ecs task ended")
    assert not logged_events("ecs task left to airflow")
