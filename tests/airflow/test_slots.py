"""Slots and order: never more than `parallelism`, the highest priority first, and no slot leaks."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.models.taskinstancekey import TaskInstanceKey
from airflow.sdk import DAG, BaseOperator

from ecs_async_executor.local import Control
from tests.support.ecs import end_all, live
from tests.support.scheduler import Scheduler, finish_all_rows, set_row, task_instances
from tests.support.sent import payload

RunDag = Callable[[DAG], str]


def tasks(dag_id: str, weights: list[int]) -> DAG:
    with DAG(dag_id, schedule=None) as dag:
        for number, weight in enumerate(weights):
            BaseOperator(task_id=f"task_{number}", priority_weight=weight, weight_rule="absolute")
    return dag


def sent_tasks(sent: list[dict[str, Any]]) -> list[str]:
    """Give the task ids of the RunTask requests, in their order."""
    return [payload(body)["ti"]["task_id"] for body in sent]


def test_parallelism_bounds_what_lives_at_once(scheduler: Scheduler, ecs: Control, run_dag: RunDag) -> None:
    scheduler.executor.parallelism = 3
    run_dag(tasks("parallel", [1] * 8))
    seen = set()

    def step() -> None:
        scheduler.step()
        seen.add((len(scheduler.executor.running), len(live(ecs))))

    scheduler.until(lambda: len(live(ecs)) == 3, step=step)
    while len(ecs.tasks()) < 8:
        for ti in task_instances(state="queued"):
            if (ti.external_executor_id or "").startswith("arn:"):
                set_row(ti, state="success")
                ecs.interrupt(ti.external_executor_id or "")
        step()
    scheduler.until(lambda: not task_instances(state="scheduled"), step=step)
    assert max(running for running, _ in seen) == 3
    assert max(alive for _, alive in seen) == 3


def test_the_highest_priority_is_launched_first_when_aws_limits_the_rate(
    configured: Control,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    run_dag: RunDag,
    sent: list[dict[str, Any]],
) -> None:
    monkeypatch.setenv("AIRFLOW__ECS_ASYNC_EXECUTOR__RUN_TASK_RATE", "20")
    monkeypatch.setenv("AIRFLOW__ECS_ASYNC_EXECUTOR__RUN_TASK_BURST", "1")
    # Without a launch type, all wait for the cluster's default; whoever comes just when it is there may be sent first.
    monkeypatch.setenv("AIRFLOW__AWS_ECS_EXECUTOR__LAUNCH_TYPE", "FARGATE")
    scheduler: Scheduler = request.getfixturevalue("scheduler")
    weights = [5, 1, 9, 3, 7]
    run_dag(tasks("prioritised", weights))
    scheduler.until(lambda: len(scheduler.executor.queued_tasks) == len(weights), step=scheduler.schedule)
    scheduler.until(lambda: len(sent) == len(weights), step=scheduler.heartbeat)
    by_weight = sorted(range(len(weights)), key=lambda number: -weights[number])
    assert sent_tasks(sent) == [f"task_{number}" for number in by_weight]


def test_the_base_class_hands_over_the_highest_priority_first(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag, sent: list[dict[str, Any]]
) -> None:
    weights = [5, 1, 9, 3, 7]
    run_dag(tasks("ordered", weights))
    scheduler.until(lambda: len(scheduler.executor.queued_tasks) == len(weights), step=scheduler.schedule)
    scheduler.executor.parallelism = 2
    scheduler.until(lambda: len(sent) == 2, step=scheduler.heartbeat)
    assert set(sent_tasks(sent)) == {"task_2", "task_4"}
    scheduler.executor.parallelism = 32


def test_no_slot_leaks_whatever_becomes_of_the_tasks(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag
) -> None:
    ecs.set_plan(
        {"nth": [1], "start_failure": "CannotPullContainerError: i/o timeout"},
        {"nth": [1], "duration": 0, "exit_code": 1},
        {"nth": [1], "interruption": {"after": 0}},
        duration=3600,
    )
    ecs.add_fault("blocked", action="RunTask", times=1)
    ecs.add_fault("capacity", times=1)
    ecs.add_fault("lost_response", action="RunTask", times=1)
    run_dag(tasks("mixed", [1] * 8))
    scheduler.until(lambda: len(live(ecs)) == 7)
    assert [ti.state for ti in task_instances()].count("failed") == 1
    assert len(scheduler.executor.running) == 7
    finish_all_rows()
    end_all(ecs)
    scheduler.until_idle()


def test_an_unsupported_workload_is_refused_without_an_exception(scheduler: Scheduler) -> None:
    executor = scheduler.executor
    key = TaskInstanceKey("dag", "task", "run")
    executor._process_workloads([SimpleNamespace(key=key), SimpleNamespace()])
    assert not executor.running
    assert executor.event_buffer.pop(key) == ("failed", "The executor can't take it in: TypeError.")
    assert not executor.event_buffer
