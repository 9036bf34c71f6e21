"""The engine's thread dies under work: a new one takes everything over, and starts nothing twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from airflow.sdk import DAG, BaseOperator

from ecs_async_executor.local import Control
from ecs_async_executor.messages import Watch
from tests.support.ecs import hide_ends, live
from tests.support.scheduler import Scheduler, parts_of, set_row, task_instances

RunDag = Callable[[DAG], str]


def tasks(dag_id: str, count: int) -> DAG:
    with DAG(dag_id, schedule=None) as dag:
        for number in range(count):
            BaseOperator(task_id=f"task_{number}")
    return dag


def kill_engine(scheduler: Scheduler) -> None:
    """Give the engine an order that nothing can digest."""
    poison: Any = []
    parts_of(scheduler.executor).engine.submit([Watch(poison, "poison", "arn", "cluster", "airflow")])


def test_what_runs_and_what_is_on_its_way_is_taken_over(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag, caplog: pytest.LogCaptureFixture
) -> None:
    run_dag(tasks("running", 3))
    running = scheduler.launched(3)
    for ti in running:
        set_row(ti, state="running")
    ecs.set_conditions(latency={"RunTask": [0.2, 0.2]})
    run_dag(tasks("in_flight", 6))
    scheduler.until(lambda: len(ecs.tasks()) > 4)
    kill_engine(scheduler)
    scheduler.until(lambda: "The engine has been started again, with 9 tasks in hand." in caplog.text)
    scheduler.launched(6, dag_id="in_flight")
    scheduler.rest(0.3)
    assert [entry["tasks"] for entry in ecs.history().values()] == [1] * 9
    assert len(scheduler.executor.running) == 9
    assert "The engine died (TypeError" in caplog.text
    ecs.interrupt(running[1].external_executor_id or "")
    scheduler.until(lambda: [t for t in task_instances(dag_id="running") if t.state == "failed"])


def test_an_end_during_the_engines_absence_is_seen_afterwards(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag
) -> None:
    hide_ends(ecs)
    run_dag(tasks("ends_unseen", 1))
    (ti,) = scheduler.launched()
    set_row(ti, state="running")
    kill_engine(scheduler)
    ecs.interrupt(ti.external_executor_id or "")
    ecs.clear_conditions()
    scheduler.until_state("failed")


def test_a_launch_number_survives_the_engine(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag, sent: list[dict[str, Any]]
) -> None:
    ecs.add_fault("capacity", times=3)
    ecs.set_conditions(latency={"RunTask": 0.1})
    run_dag(tasks("numbered", 1))
    scheduler.until(lambda: len(sent) == 3)
    kill_engine(scheduler)
    scheduler.launched()
    numbers = [int(body["clientToken"].rpartition("-")[2]) for body in sent]
    assert numbers == sorted(numbers)
    assert len(ecs.tasks()) == 1


def test_a_task_that_is_revoked_in_the_engines_absence_is_stopped_afterwards(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag
) -> None:
    run_dag(tasks("revoked_unseen", 1))
    (ti,) = scheduler.launched()
    kill_engine(scheduler)
    scheduler.executor.revoke_task(ti=ti)
    scheduler.until(lambda: not live(ecs), step=scheduler.heartbeat)
    assert not scheduler.executor.running


def test_dying_again_and_again_loses_nothing(scheduler: Scheduler, ecs: Control, run_dag: RunDag) -> None:
    run_dag(tasks("many_deaths", 3))
    for _ in range(4):
        kill_engine(scheduler)
        scheduler.rest(0.2)
    scheduler.launched(3)
    assert [entry["tasks"] for entry in ecs.history().values()] == [1, 1, 1]
