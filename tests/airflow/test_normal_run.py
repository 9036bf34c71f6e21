"""A task that ends well: the worker tells Airflow, the executor only frees the slot."""

from __future__ import annotations

from collections.abc import Callable

from airflow.sdk import DAG
from airflow.providers.common.compat.sdk import BaseOperator

from ecs_async_executor.local import Control
from tests.support.scheduler import Scheduler, logged_events, set_row, task_instances


def test_smoke(scheduler: Scheduler, ecs: Control, run_dag: Callable[[DAG], str]) -> None:
    with DAG("normal", schedule=None) as dag:
        BaseOperator(task_id="one")
    run_dag(dag)
    ti = scheduler.until(lambda: next((t for t in task_instances() if (t.external_executor_id or "").startswith("arn:")), None))
    print(ti, ti.state, ti.external_executor_id)
    set_row(ti, state="running")
    scheduler.step()
    set_row(ti, state="success")
    print(ecs.tasks())
