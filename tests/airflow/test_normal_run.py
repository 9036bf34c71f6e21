"""Tasks whose worker reports its end itself: the executor sends no event, it only frees the slot."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from airflow._shared.timezones import timezone
from airflow.models.taskinstance import TaskInstance
from airflow.sdk import DAG
from airflow.utils.session import create_session
from sqlalchemy import select

from ecs_async_executor.launch_id import LaunchId
from ecs_async_executor.local import Control
from tests.support.ecs import end_all, hide_ends, live
from tests.support.scheduler import Scheduler, logged_events, one_task_dag, set_row, task_instances

RunDag = Callable[[DAG], str]
ENDED_STATES = ["success", "failed", "skipped", "deferred", "up_for_reschedule"]


def test_a_task_is_launched_once_and_its_row_shows_the_arn(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag, sent: list[dict[str, Any]]
) -> None:
    run_dag(one_task_dag("launched"))
    (ti,) = scheduler.launched()
    scheduler.rest(0.3)
    (task,) = ecs.tasks()
    assert ti.external_executor_id == task["taskArn"]
    assert ti.state == "queued"
    assert scheduler.executor.running == {ti.key}
    (body,) = sent
    run_id = body["startedBy"].removeprefix("airflow/default/")
    assert body["clientToken"] == str(LaunchId(run_id, 1))


@pytest.mark.parametrize("state", ENDED_STATES)
def test_what_the_worker_has_reported_stands(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag, state: str
) -> None:
    hide_ends(ecs)
    run_dag(one_task_dag("reported", retries=1))
    (ti,) = scheduler.launched()
    set_row(ti, state="running")
    scheduler.step()
    set_row(ti, state=state)
    ecs.clear_conditions()
    end_all(ecs)
    scheduler.until_idle()
    (after,) = task_instances()
    assert (after.state, after.id, after.try_number) == (state, ti.id, 1)
    assert not logged_events("ecs task ended")
    assert not logged_events("state mismatch")


def test_the_slot_is_taken_until_the_container_has_ended(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag
) -> None:
    run_dag(one_task_dag("slot"))
    (ti,) = scheduler.launched()
    set_row(ti, state="success")
    scheduler.rest(0.3)
    assert scheduler.executor.running == {ti.key}
    assert len(live(ecs)) == 1
    end_all(ecs)
    scheduler.until_idle()


def test_a_retry_by_the_worker_is_a_run_of_its_own(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag
) -> None:
    run_dag(one_task_dag("retried", retries=1))
    (ti,) = scheduler.launched()
    set_row(ti, state="running")
    scheduler.step()
    report_retry(ti)
    end_all(ecs)
    again = scheduler.until(
        lambda: next((t for t in task_instances() if t.try_number == 2 and t.state == "queued"), None)
    )
    scheduler.until(lambda: len(live(ecs)) == 1)
    assert again.id != ti.id
    assert len(ecs.history()) == 2
    assert not logged_events("state mismatch")


def report_retry(ti: Any) -> None:
    """Do what the API server does when a worker reports up_for_retry."""
    with create_session(scoped=False) as session:
        row = session.scalars(select(TaskInstance).where(TaskInstance.id == ti.id)).one()
        row.prepare_db_for_next_try(session)
        row.state = "up_for_retry"
        row.end_date = timezone.utcnow() - timedelta(days=1)
