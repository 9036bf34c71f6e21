"""What ECS tasks have used: in the Audit Log if asked, and by `ecs-async tasks --cost`, beside a real scheduler."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from airflow.sdk import DAG, BaseOperator

from ecs_async_executor.cli import main
from ecs_async_executor.local import Control
from ecs_async_executor.task_cost import read
from tests.support.ecs import end_all
from tests.support.scheduler import Scheduler, finish_all_rows, logged_events, one_task_dag

RunDag = Callable[[DAG], str]
Cost = Callable[..., Any]


@pytest.fixture
def cost(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cost:
    """Run `ecs-async tasks --cost --json`, and give what it prints."""

    def run(*arguments: str) -> Any:
        capsys.readouterr()
        assert main(["tasks", "--cost", "--json", *arguments]) == 0
        out = capsys.readouterr().out
        return json.loads(out[out.index("\n{\n") + 1 if not out.startswith("{") else 0 :])

    return run


def run_two(scheduler: Scheduler, run_dag: RunDag) -> None:
    with DAG("costly", schedule=None) as dag:
        BaseOperator(task_id="a")
        BaseOperator(task_id="b", executor_config={"overrides": {"cpu": "2048", "memory": "4096"}})
    run_dag(dag)
    scheduler.launched(2)


def test_by_default_the_audit_log_has_no_costs(scheduler: Scheduler, ecs: Control, run_dag: RunDag) -> None:
    run_two(scheduler, run_dag)
    finish_all_rows()
    end_all(ecs)
    scheduler.until_idle()
    assert logged_events("ecs task cost") == []


@pytest.fixture
def log_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__ECS_ASYNC_EXECUTOR__LOG_COST", "True")
    monkeypatch.setenv("AIRFLOW__ECS_ASYNC_EXECUTOR__TASK_PRICES", "FARGATE:60:0")


@pytest.mark.usefixtures("log_cost")
def test_if_asked_the_audit_log_has_a_row_for_each_ended_ecs_task(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag
) -> None:
    run_two(scheduler, run_dag)
    finish_all_rows()
    end_all(ecs)
    scheduler.until_idle()
    scheduler.until(lambda: len(logged_events("ecs task cost")) == 2)
    found = [cost for text in logged_events("ecs task cost") if (cost := read(text)) is not None]
    small, large = sorted(found, key=lambda each: each.vcpu_hours)
    assert (small.vcpu_hours, small.dollars) == pytest.approx((0.25 / 60, 0.25), abs=1e-3)
    assert (large.vcpu_hours, large.dollars) == pytest.approx((2 / 60, 2.0), abs=1e-3)


def test_the_command_sums_live_and_ended_tasks_by_dag(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag, cost: Cost
) -> None:
    run_two(scheduler, run_dag)
    finish_all_rows()
    end_all(ecs)
    scheduler.until_idle()
    run_dag(one_task_dag("other"))
    scheduler.launched(dag_id="other")
    found = cost("--prices", "FARGATE:60:0")
    by_dag = {each["dag"]: each for each in found["dags"]}
    assert {"costly", "other"} <= {*by_dag}
    assert by_dag["other"]["tasks"] == 1
    assert by_dag["other"]["dollars"] == pytest.approx(0.25, abs=0.01)
    assert cost("--dag", "other")["total"]["tasks"] == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--cost", "--queue", "gpu"], "beside --cost only --dag chooses tasks"),
        (["--prices", "FARGATE:1:1"], "--prices needs --cost."),
    ],
)
def test_what_does_not_go_together_is_said(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["tasks", *arguments]) == 1
    assert said in capsys.readouterr().err


def test_wrong_prices_are_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["tasks", "--cost", "--prices", "cheap"])
    assert ended.value.code == 2
    assert "it is not a list of prices in US dollars; write NAME:VCPU_HOUR:GB_HOUR" in capsys.readouterr().err
