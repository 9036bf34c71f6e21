"""What Dag authors write into `executor_config`; a mistake concerns their task only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airflow.sdk import DAG, BaseOperator

from ecs_async_executor.local import Control
from tests.support.ecs import live
from tests.support.scheduler import Scheduler, logged_events, task_instances

RunDag = Callable[[DAG], str]

WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "name": ({"name": "x"}, "name can't be configured"),
    "command": ({"command": ["x"]}, "command can't be configured: it is Airflow's"),
    "inner_command": (
        {"overrides": {"containerOverrides": [{"name": "airflow", "command": ["x"]}]}},
        "Remove `command`",
    ),
    "unknown_key": ({"lauchType": "EC2"}, "Did you mean launchType?"),
    "wrong_type": ({"overrides": {"cpu": ["512"]}}, "overrides.cpu is a list; ECS takes text."),
    "count": ({"count": 2}, "One Airflow task is one ECS task."),
    "too_long": (
        {"overrides": {"containerOverrides": [{"name": "airflow", "environment": {"A": "x" * 9000}}]}},
        "ECS takes 8192",
    ),
}


def test_only_the_tasks_with_a_wrong_config_fail_each_with_its_reason(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag
) -> None:
    with DAG("configs", schedule=None) as dag:
        for task_id, (config, _) in WRONG.items():
            BaseOperator(task_id=task_id, executor_config=config)
        BaseOperator(task_id="good", executor_config={"overrides": {"cpu": 512, "memory": 1024}})
        BaseOperator(task_id="short", executor_config={"environment": {"A": "1"}, "memory": 512})
        BaseOperator(task_id="plain")
    run_dag(dag)
    scheduler.launched(3)
    scheduler.until(lambda: len([t for t in task_instances() if t.state == "failed"]) == len(WRONG))
    assert {t.task_id for t in task_instances() if t.state == "queued"} == {"good", "short", "plain"}
    reasons = logged_events("state mismatch")
    assert len(reasons) == len(WRONG)
    for _, words in WRONG.values():
        assert any(words in reason for reason in reasons), words
    assert not any("eyJ" in reason for reason in reasons), "a token"
    assert {task["overrides"].get("cpu") for task in live(ecs)} == {"512", None}
