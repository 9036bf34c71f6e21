"""Shutdown and adoption: no fault of AwsEcsExecutor, F50 to F58, is one of this executor."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from airflow._shared.timezones import timezone
from airflow.models.taskinstance import TaskInstance
from airflow.sdk import DAG, BaseOperator
from sqlalchemy import Engine, event

from ecs_async_executor import AsyncEcsExecutor
from ecs_async_executor.local import Control
from tests.airflow.faults.conftest import Held
from tests.support.bulk import queue_many
from tests.support.ecs import end_all, hide_ends, live
from tests.support.scheduler import (
    Scheduler,
    crash,
    end_job,
    logged_events,
    next_scheduler,
    one_task_dag,
    parts_of,
    running_scheduler,
    set_row,
    task_instances,
)
from tests.support.sent import worker_claims

RunDag = Callable[[DAG], str]
Sent = list[dict[str, Any]]
AfterCrash = Callable[[], Scheduler]
Hold = Callable[[str], Held]
NEVER_RAN = "CannotPullContainerError: pull image manifest has been retried 5 time(s): dial tcp: i/o timeout"


def tasks(dag_id: str, count: int) -> DAG:
    with DAG(dag_id, schedule=None) as dag:
        for number in range(count):
            BaseOperator(task_id=f"task_{number}")
    return dag


def queue_and_hand_over(scheduler: Scheduler, count: int) -> None:
    workloads = queue_many(scheduler.job_id, scheduler.executor.jwt_generator, count, one_task_dag("many"))
    scheduler.executor._process_workloads(workloads)


# --- F50: end() blocks until all ECS tasks have ended -------------------------------------------------------------


@pytest.mark.parametrize("weather", ["fine", "nothing_answers"])
def test_f50_the_end_waits_for_no_container_and_stops_none(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag, weather: str
) -> None:
    run_dag(tasks("outlive_the_scheduler", 3))
    arns = {ti.external_executor_id for ti in scheduler.launched(3)}
    if weather == "nothing_answers":
        ecs.add_fault("server_error")
    scheduler.executor.end()
    assert {task["taskArn"] for task in live(ecs)} == arns
    assert "StopTask" not in ecs.calls()
    assert {str(ti.state) for ti in task_instances()} == {"queued"}


# --- F51: end() launches new work ---------------------------------------------------------------------------------


def test_f51_the_end_lets_runtask_calls_in_flight_finish_and_starts_no_more(
    configured: Control, clean_database: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__ECS_ASYNC_EXECUTOR__CONCURRENCY", "4")
    configured.set_conditions(latency={"RunTask": 4})
    with running_scheduler() as scheduler:
        queue_and_hand_over(scheduler, 20)
        scheduler.until(lambda: in_flight(scheduler.executor) == 4, step=scheduler.executor.sync)
        scheduler.executor.end()
    arns = {task["taskArn"] for task in live(configured)}
    assert len(arns) == 4
    # Events of end() are never processed: the ARNs are written at once.
    assert {ti.external_executor_id for ti in task_instances()} & arns == arns


def in_flight(executor: AsyncEcsExecutor) -> int:
    _, engine = parts_of(executor).engine._engine._ready.result()
    return engine.ledger.sending


# --- F52: terminate() stops tasks one by one, then waits ----------------------------------------------------------


def test_f52_terminate_stops_no_task_waits_for_none_and_the_next_scheduler_goes_on_with_all(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag, hold: Hold
) -> None:
    run_dag(tasks("terminated", 3))
    before = {ti.external_executor_id for ti in scheduler.launched(3)}
    held = hold("stop_task")
    scheduler.executor.terminate()
    assert not held.waiting
    end_job(scheduler)
    with next_scheduler() as successor:
        assert successor.executor.slots_occupied == 3
        assert {ti.external_executor_id for ti in task_instances()} == before
        assert {task["taskArn"] for task in live(ecs)} == before


# --- F53: an adopted task has an empty token ----------------------------------------------------------------------


def test_f53_an_adopted_task_that_is_launched_again_carries_a_token_of_its_own(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag, after_crash: AfterCrash, sent: Sent
) -> None:
    hide_ends(ecs)
    run_dag(one_task_dag("adopted_token"))
    (ti,) = scheduler.launched()
    end_all(ecs)
    successor = after_crash()
    successor.until(lambda: len(live(ecs)) == 1)
    first, again = map(worker_claims, sent)
    assert (again["sub"], again["scope"]) == (str(ti.id), "workload")
    assert again["jti"] != first["jti"]
    assert again["exp"] > (timezone.utcnow() + timedelta(minutes=30)).timestamp()


# --- F54: an adopted task starts with its attempts used up --------------------------------------------------------


def test_f54_an_adopted_task_on_a_late_try_has_all_of_its_start_attempts(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag, after_crash: AfterCrash, sent: Sent
) -> None:
    hide_ends(ecs)
    ecs.set_plan(start_failure=NEVER_RAN)
    run_dag(one_task_dag("late_try", retries=9))
    (ti,) = scheduler.launched()
    set_row(ti, try_number=5)
    successor = after_crash()
    successor.until(lambda: len(sent) == 3)
    first, second = logged_events("ecs task start failed")
    assert first.startswith("Start 1 of 3 failed")
    assert second.startswith("Start 2 of 3 failed")
    assert task_instances()[0].try_number == 5


# --- F55: adopted tasks take no slot ------------------------------------------------------------------------------


def test_f55_adopted_tasks_take_their_slots(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag, after_crash: AfterCrash
) -> None:
    run_dag(tasks("orphans", 2))
    orphans = scheduler.launched(2)
    successor = after_crash()
    assert successor.executor.running == {ti.key for ti in orphans}
    assert all(successor.executor.has_task(ti) for ti in orphans)
    successor.executor.parallelism = 2
    run_dag(one_task_dag("waits_for_a_slot"))
    successor.rest(0.5)
    assert len(ecs.tasks()) == 2
    set_row(orphans[0], state="success")
    ecs.interrupt(orphans[0].external_executor_id or "")
    successor.launched(1, dag_id="waits_for_a_slot")


# --- F56: an API error during adoption crashes the scheduler ------------------------------------------------------


ERRORS = {
    "throttle": "ThrottlingException",
    "server_error": "ServerException",
    "expired_credentials": "ExpiredTokenException",
    "access_denied": "AccessDeniedException",
}


def test_f56_an_api_that_fails_during_the_adoption_costs_no_task(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ecs_async_executor.engine.admission.adaptive_bucket.TRICKLE", 20.0)
    run_dag(tasks("adopted_blindly", 3))
    before = {ti.id: ti.external_executor_id for ti in scheduler.launched(3)}
    crash(scheduler)
    for kind in ERRORS:
        ecs.add_fault(kind, action="DescribeTasks", times=2)
        ecs.add_fault(kind, action="ListTasks")
    ecs.add_fault("throttle", action="DescribeTasks")
    with next_scheduler() as successor:
        successor.until(lambda: set(ERRORS.values()) <= set(ecs.calls().get("DescribeTasks", ())))
        assert {ti.id: ti.external_executor_id for ti in task_instances()} == before
        assert len(successor.executor.running) == 3
        ecs.clear_conditions()
        for ti in task_instances():
            set_row(ti, state="running")
        end_all(ecs)
        successor.until(lambda: {str(ti.state) for ti in task_instances()} == {"failed"})
        successor.until_idle()
        assert len(ecs.tasks()) == 3


# --- F57: adoption is slow while rows are locked ------------------------------------------------------------------


@contextmanager
def statements_in_this_thread() -> Iterator[list[str]]:
    thread, statements = threading.get_ident(), list[str]()

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if threading.get_ident() == thread:
            statements.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def test_f57_an_adoption_waits_for_no_call_and_costs_the_database_no_query_for_each_task(
    scheduler: Scheduler, ecs: Control, hold: Hold, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue_and_hand_over(scheduler, 60)
    scheduler.launched(60)
    crash(scheduler)
    held = [hold(name) for name in ("describe_tasks", "list_tasks_started_by", "run_task")]
    adoptions: list[tuple[int, int]] = []
    with running_scheduler() as successor:
        try_adopt = successor.executor.try_adopt_task_instances

        def counted(tis: Sequence[TaskInstance]) -> Sequence[TaskInstance]:
            with statements_in_this_thread() as statements:
                rest = try_adopt(tis)
            adoptions.append((len(tis), len(statements)))
            return rest

        monkeypatch.setattr(successor.executor, "try_adopt_task_instances", counted)
        successor.adopt()
        ((tasks_adopted, queries),) = adoptions
        assert tasks_adopted == len(successor.runs) == 60
        assert queries <= 3
        for calls in held:
            calls.let_go()


# --- F58: one id that is no ARN spoils the whole adoption ---------------------------------------------------------


def test_f58_an_id_that_is_no_arn_concerns_its_own_task_only(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag, after_crash: AfterCrash
) -> None:
    run_dag(tasks("ids_of_all_kinds", 3))
    by_arn, by_run_id, of_celery = scheduler.launched(3)
    started_by = {task["taskArn"]: task["startedBy"] for task in ecs.tasks()}
    run_id = started_by[by_run_id.external_executor_id or ""].rpartition("/")[2]
    set_row(by_run_id, external_executor_id=run_id)
    set_row(of_celery, external_executor_id="celery-task-id")
    successor = after_crash()
    assert successor.executor.running == {by_arn.key, by_run_id.key}
    after = {ti.task_id: ti for ti in task_instances()}
    assert after[of_celery.task_id].state is None, "Airflow resets it"
    successor.until(lambda: len(ecs.tasks()) == 4)
    successor.launched(3)
    assert len(ecs.tasks()) == 4
