"""A key that is queued again: deferral, reschedule, requeue, another scheduler. The old run must not hurt the new."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from airflow.models.taskinstance import TaskInstance
from airflow.sdk import DAG

from ecs_async_executor.local import Control
from tests.support.ecs import end_all, hide_ends, live
from tests.support.scheduler import Scheduler, logged_events, one_task_dag, set_row, task_instances

RunDag = Callable[[DAG], str]
RESUMED = {"state": "scheduled", "next_method": "execute_complete"}
RESCHEDULED = {"state": "scheduled", "next_method": None}
BOTH = pytest.mark.parametrize("queued_again", [RESUMED, RESCHEDULED], ids=["deferral", "reschedule"])


def started_by(ecs: Control) -> dict[str, int]:
    """Count the containers of each run."""
    return {name: entry["tasks"] for name, entry in ecs.history().items()}


def run_and_queue_again(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag, again: dict[str, Any]
) -> tuple[TaskInstance, dict[str, Any], dict[str, Any]]:
    """Queue a task that left its container, before the end of the container is seen; gives both ECS tasks."""
    hide_ends(ecs)
    run_dag(one_task_dag("again", retries=1))
    (ti,) = scheduler.launched()
    (old,) = ecs.tasks()
    set_row(ti, state="running")
    scheduler.step()
    set_row(ti, **again)
    scheduler.until(lambda: len(ecs.tasks()) == 2)
    (new,) = [task for task in ecs.tasks() if task["taskArn"] != old["taskArn"]]
    scheduler.until(lambda: task_instances()[0].external_executor_id == new["taskArn"])
    (after,) = task_instances()
    assert (after.id, after.try_number) == (ti.id, 1)
    return after, old, new


@BOTH
@pytest.mark.parametrize("how_far", ["queued", "running", "deferred", "success"])
def test_the_late_end_of_the_old_container_changes_nothing(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag, queued_again: dict[str, Any], how_far: str
) -> None:
    ti, old, new = run_and_queue_again(scheduler, ecs, run_dag, queued_again)
    set_row(ti, state=how_far)
    ecs.interrupt(old["taskArn"])
    ecs.clear_conditions()
    scheduler.until(lambda: len(scheduler.runs) == 1)
    scheduler.rest(0.3)
    (after,) = task_instances()
    assert (after.state, after.external_executor_id) == (how_far, new["taskArn"])
    assert scheduler.executor.running == {ti.key}
    assert [task["taskArn"] for task in live(ecs)] == [new["taskArn"]]
    assert list(started_by(ecs).values()) == [1, 1]
    assert not logged_events("ecs task ended")


@BOTH
def test_the_death_of_the_new_container_is_reported_although_the_old_one_lingers(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag, queued_again: dict[str, Any]
) -> None:
    ti, old, new = run_and_queue_again(scheduler, ecs, run_dag, queued_again)
    set_row(ti, state="running")
    ecs.interrupt(new["taskArn"])
    ecs.clear_conditions()
    scheduler.until_state("up_for_retry")
    assert [task["taskArn"] for task in live(ecs)] == [old["taskArn"]]


def test_a_run_that_is_superseded_before_runtask_answers_is_stopped(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag
) -> None:
    ecs.add_fault("late_response", action="RunTask", seconds=0.5, times=1)
    run_dag(one_task_dag("superseded"))
    (ti,) = scheduler.until(lambda: [t for t in task_instances() if t.state == "queued"])
    scheduler.until(lambda: len(ecs.tasks()) == 1)
    (old,) = ecs.tasks()
    set_row(ti, **RESCHEDULED)
    (after,) = scheduler.launched()
    scheduler.until(lambda: len(live(ecs)) == 1 and len(scheduler.runs) == 1)
    (new,) = live(ecs)
    assert new["taskArn"] != old["taskArn"]
    assert after.external_executor_id == new["taskArn"]
    (old,) = [task for task in ecs.tasks() if task["taskArn"] == old["taskArn"]]
    assert old["stoppedReason"] == "superseded: Airflow has moved on"
    assert scheduler.executor.running == {ti.key}


def test_a_run_whose_row_is_gone_before_runtask_answers_is_stopped(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag
) -> None:
    ecs.add_fault("late_response", action="RunTask", seconds=0.5, times=1)
    run_dag(one_task_dag("cleared_while_queued"))
    (ti,) = scheduler.until(lambda: [t for t in task_instances() if t.state == "queued"])
    set_row(ti, try_number=2, external_executor_id=None, state="success")
    scheduler.until(lambda: ecs.tasks() and not live(ecs))
    scheduler.until_idle()


def test_a_task_that_another_scheduler_has_adopted_is_left_alone(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag
) -> None:
    ecs.add_fault("late_response", action="RunTask", seconds=0.3, times=1)
    run_dag(one_task_dag("adopted_early"))
    (ti,) = scheduler.until(lambda: [t for t in task_instances() if t.state == "queued"])
    set_row(ti, queued_by_job_id=scheduler.job_id + 1)
    scheduler.until_idle()
    assert len(live(ecs)) == 1
    assert task_instances()[0].state == "queued"


def test_the_end_of_a_task_that_another_scheduler_has_adopted_is_not_reported(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag
) -> None:
    run_dag(one_task_dag("adopted_late"))
    (ti,) = scheduler.launched()
    set_row(ti, queued_by_job_id=scheduler.job_id + 1, state="running")
    end_all(ecs)
    scheduler.until_idle()
    assert task_instances()[0].state == "running"
    assert not logged_events("ecs task ended")


def test_a_revoked_task_is_stopped_in_silence_and_frees_its_slot(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag
) -> None:
    run_dag(one_task_dag("revoked"))
    (ti,) = scheduler.launched()
    scheduler.executor.revoke_task(ti=ti)
    assert not scheduler.executor.running
    assert not scheduler.executor.event_buffer
    scheduler.until(lambda: not live(ecs))
    (stopped,) = ecs.tasks()
    assert stopped["stoppedReason"] == "revoked: Airflow found it stuck in queued"
    scheduler.rest(0.3)
    assert task_instances()[0].state == "queued"


def test_a_revoked_task_that_core_queues_again_is_launched_once_more(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag
) -> None:
    run_dag(one_task_dag("revoked_and_requeued"))
    (ti,) = scheduler.launched()
    scheduler.executor.revoke_task(ti=ti)
    set_row(ti, state="scheduled", queued_by_job_id=None, queued_dttm=None)
    scheduler.until(lambda: len(ecs.tasks()) == 2 and len(live(ecs)) == 1)
    assert list(started_by(ecs).values()) == [1, 1]


def test_a_task_that_is_revoked_while_it_waits_is_never_launched(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag
) -> None:
    ecs.add_fault("capacity")
    run_dag(one_task_dag("revoked_while_waiting"))
    scheduler.until(lambda: logged_events("ecs launch waits"))
    (ti,) = task_instances()
    scheduler.executor.revoke_task(ti=ti)
    ecs.clear_conditions()
    scheduler.rest(0.4)
    assert not ecs.tasks()
    assert not scheduler.executor.running


def test_revoking_what_is_only_queued_or_not_known_at_all_does_no_harm(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag
) -> None:
    scheduler.executor.parallelism = 0
    run_dag(one_task_dag("revoked_in_the_queue"))
    scheduler.executor.parallelism = 1
    scheduler.until(lambda: task_instances()[0].state == "queued", step=scheduler.schedule)
    (ti,) = task_instances()
    assert ti.key in scheduler.executor.queued_tasks
    scheduler.executor.revoke_task(ti=ti)
    scheduler.executor.revoke_task(ti=ti)
    assert not scheduler.executor.slots_occupied
    scheduler.heartbeat()
    assert not ecs.tasks()
