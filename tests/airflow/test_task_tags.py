"""Tags of `task_tags`: what the scheduler and its successor know about a task is on its RunTask request."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from airflow.sdk import DAG, BaseOperator

from tests.support.scheduler import Scheduler, crash, next_scheduler

RunDag = Callable[[DAG], str]
TAGS = {"dag": "{dag_id}", "kind": "{run_type}", "owner": "{owner}", "team": "{team}", "where": "{bundle}"}
WANTED = {"dag": "tagged", "kind": "manual", "owner": "ada+bob", "where": "dags-folder"}


@pytest.fixture(autouse=True)
def task_tags(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__ECS_ASYNC_EXECUTOR__TASK_TAGS", json.dumps(TAGS))


def tagged_dag() -> DAG:
    with DAG("tagged", schedule=None) as dag:
        BaseOperator(task_id="a", owner="bob")
        BaseOperator(task_id="b", owner="ada")
    return dag


def tags(body: dict[str, Any]) -> dict[str, str]:
    return {tag["key"]: tag["value"] for tag in body["tags"]}


def test_a_task_has_the_tags_of_its_dag_and_of_the_owners_that_the_scheduler_has_loaded(
    scheduler: Scheduler, run_dag: RunDag, sent: list[dict[str, Any]]
) -> None:
    run_dag(tagged_dag())
    scheduler.launched(2)
    assert [tags(body) for body in sent] == [WANTED, WANTED]


@pytest.mark.usefixtures("configured")
def test_a_scheduler_that_adopts_a_launch_knows_the_owners_too(
    scheduler: Scheduler, run_dag: RunDag, sent: list[dict[str, Any]]
) -> None:
    run_dag(tagged_dag())
    scheduler.schedule()
    crash(scheduler)
    with next_scheduler() as successor:
        successor.launched(2)
    assert [tags(body) for body in sent] == [WANTED, WANTED]
