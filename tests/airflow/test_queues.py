"""Queues have profiles: what tasks of a queue are launched with, watched by, and what they fall back to."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from airflow.sdk import DAG, BaseOperator

from ecs_async_executor.local import Control
from tests.support.ecs import live
from tests.support.scheduler import (
    Scheduler,
    crash,
    logged_events,
    next_scheduler,
    one_task_dag,
    set_row,
    task_instances,
)
from tests.support.sent import payload

RunDag = Callable[[DAG], str]
QUEUES = {
    "gpu-*": {"taskDefinition": "with-sidecar", "container_name": "sidecar", "tags": {"team": "ml"}},
    "spot": {
        "capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT", "weight": 1}],
        "fallback": "on-demand",
        "fallback_after": 1,
        "capacity_timeout": 0,
    },
    "on-demand": {"launchType": "FARGATE"},
    "slow": {"rate_share": 0.05},
}


@pytest.fixture(autouse=True)
def queues(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__ECS_ASYNC_EXECUTOR__QUEUES", json.dumps(QUEUES))


def strategies(sent: list[dict[str, Any]]) -> list[str]:
    """Where each launch was to run, in short."""
    providers = [body.get("capacityProviderStrategy", [{}])[0].get("capacityProvider") for body in sent]
    return [provider or body["launchType"] for provider, body in zip(providers, sent, strict=True)]


def test_f40_a_tasks_queue_decides_how_it_is_launched(
    scheduler: Scheduler, run_dag: RunDag, sent: list[dict[str, Any]]
) -> None:
    with DAG("queues", schedule=None) as dag:
        BaseOperator(task_id="other")
        BaseOperator(task_id="train", queue="gpu-1", executor_config={"tags": {"cost": "high"}})
    run_dag(dag)
    scheduler.launched(2)
    by_definition = {body["taskDefinition"]: body for body in sent}
    assert set(by_definition) == {"airflow-task", "with-sidecar"}
    train = by_definition["with-sidecar"]
    assert {tag["key"]: tag["value"] for tag in train["tags"]} == {"team": "ml", "cost": "high"}
    assert [each["name"] for each in train["overrides"]["containerOverrides"]] == ["sidecar"]


@pytest.mark.usefixtures("configured")
def test_the_next_scheduler_watches_a_task_by_the_container_of_its_queue(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag
) -> None:
    run_dag(one_task_dag("adopted", queue="gpu-2", retries=1, retry_delay=timedelta(hours=1)))
    (ti,) = scheduler.launched()
    set_row(ti, state="running")
    crash(scheduler)
    with next_scheduler() as successor:
        (run,) = successor.runs
        assert run.launched is not None
        assert run.launched.container == "sidecar"
        ecs.interrupt(ti.external_executor_id or "")
        successor.until_state("up_for_retry")
        successor.until_idle()


def test_the_try_after_an_interruption_runs_on_demand(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag, sent: list[dict[str, Any]]
) -> None:
    run_dag(one_task_dag("interrupted", queue="spot", retries=2, retry_delay=timedelta(0)))
    (ti,) = scheduler.launched()
    set_row(ti, state="running")
    ecs.interrupt(ti.external_executor_id or "")
    scheduler.until(lambda: len(sent) == 2)
    assert strategies(sent) == ["FARGATE_SPOT", "FARGATE"]
    scheduler.launched(1, try_number=2)
    assert logged_events("ecs fallback") == ["Interrupted 1 time: the queue spot falls back to on-demand."]


def test_a_task_for_which_spot_has_no_room_runs_on_demand_within_the_same_try(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag, sent: list[dict[str, Any]]
) -> None:
    ecs.add_fault("capacity", times=1)
    run_dag(one_task_dag("no_room", queue="spot"))
    scheduler.launched()
    assert strategies(sent) == ["FARGATE_SPOT", "FARGATE"]
    assert {ti.try_number for ti in task_instances()} == {1}
    assert len(live(ecs)) == 1


@pytest.fixture
def limited(configured: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no rate is limited, a part of it is none either."""
    monkeypatch.setenv("AIRFLOW__ECS_ASYNC_EXECUTOR__RUN_TASK_RATE", "20")


def test_a_queue_with_a_small_part_of_the_rate_holds_up_no_others(
    limited: None, scheduler: Scheduler, run_dag: RunDag, sent: list[dict[str, Any]]
) -> None:
    with DAG("shares", schedule=None) as dag:
        for number in range(3):
            BaseOperator(task_id=f"slow_{number}", queue="slow", priority_weight=9)
            BaseOperator(task_id=f"other_{number}")
    run_dag(dag)

    scheduler.until(lambda: len(sent) == 6)
    assert payload(sent[-1])["ti"]["task_id"].startswith("slow"), (
        "by its priority it would have been among the first"
    )


def test_a_task_of_an_unknown_queue_says_so_in_its_audit_log(
    scheduler: Scheduler, run_dag: RunDag, sent: list[dict[str, Any]]
) -> None:
    with DAG("strangers", schedule=None) as dag:
        BaseOperator(task_id="known", queue="on-demand")
        BaseOperator(task_id="default")
        BaseOperator(task_id="stranger", queue="gqu-1")
    run_dag(dag)
    scheduler.launched(3)
    scheduler.until(lambda: bool(logged_events("ecs unknown queue")))
    (said,) = logged_events("ecs unknown queue")
    assert said.startswith("The queue 'gqu-1' has no profile in the option queues. Did you mean gpu-*?")
    assert len(sent) == 3


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__ECS_ASYNC_EXECUTOR__UNKNOWN_QUEUE", "refuse")


@pytest.mark.usefixtures("refusing")
def test_a_task_of_an_unknown_queue_can_be_failed_without_a_call_to_aws(
    scheduler: Scheduler, run_dag: RunDag, sent: list[dict[str, Any]]
) -> None:
    with DAG("refused", schedule=None) as dag:
        BaseOperator(task_id="known", queue="on-demand")
        BaseOperator(task_id="stranger", queue="gqu-1")
    run_dag(dag)
    scheduler.launched(1)
    scheduler.until(lambda: [ti.task_id for ti in task_instances() if ti.state == "failed"] == ["stranger"])
    (said,) = logged_events("ecs task not launched")
    assert "The queue 'gqu-1' has no profile in the option queues." in said
    assert len(sent) == 1
