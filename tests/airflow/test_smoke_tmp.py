from __future__ import annotations
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG
from airflow.providers.standard.operators.bash import BashOperator
import sys, os
sys.path.insert(0, os.path.dirname(__file__))
import importlib
def test_it(scheduler, run_dag, ecs, request):
    import time
    import tests.support.scheduler as m
    with DAG("one", schedule=None) as dag:
        BashOperator(task_id="a", bash_command="true")
    run_dag(dag)
    scheduler.until(lambda: m.task_instances(dag_id="one", state="queued"))
    scheduler.until(lambda: str(m.task_instances(dag_id="one")[0].external_executor_id).startswith("arn:"))
    ti = m.task_instances(dag_id="one")[0]
    print(ti.external_executor_id)
    m.set_row(ti, state="running")
    ecs.interrupt(ti.external_executor_id, "spot")
    scheduler.until(lambda: m.task_instances(dag_id="one")[0].state == "failed")
    print(m.logged_events("ecs task ended"), m.logged_events("state mismatch"))
