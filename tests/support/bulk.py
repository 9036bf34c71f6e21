"""Rows and workloads by the thousand."""

from __future__ import annotations

import uuid

from airflow.executors.workloads import ExecuteTask
from airflow.models.dag_version import DagVersion
from airflow.models.taskinstance import TaskInstance
from airflow.sdk import DAG
from airflow.utils.session import create_session
from sqlalchemy import insert, select

from tests.support.scheduler import Scheduler, create_run, one_task_dag, store_dag


def queue_many(scheduler: Scheduler, count: int, dag: DAG | None = None) -> list[ExecuteTask]:
    """Bulk-create QUEUED rows of one mapped task, and give their workloads as the scheduler would make them."""
    dag = dag or one_task_dag("many")
    store_dag(dag)
    run_id = create_run(dag.dag_id)
    with create_session() as session:
        ti = session.scalars(select(TaskInstance).where(TaskInstance.run_id == run_id)).one()
        columns = {c.key: getattr(ti, c.key) for c in TaskInstance.__mapper__.column_attrs}
        columns |= {
            "state": "queued",
            "try_number": 1,
            "queued_by_job_id": scheduler.job_id,
            "dag_version_id": session.scalars(
                select(DagVersion.id).where(DagVersion.dag_id == dag.dag_id).order_by(DagVersion.created_at)
            ).all()[-1],
        }
        session.delete(ti)
        session.flush()
        rows = [
            {**columns, "id": uuid.uuid4(), "map_index": index, "external_executor_id": str(uuid.uuid4())}
            for index in range(count)
        ]
        session.execute(insert(TaskInstance), rows)
    with create_session() as session:
        tis = session.scalars(select(TaskInstance).where(TaskInstance.run_id == run_id)).all()
        return [ExecuteTask.make(ti, generator=scheduler.executor.jwt_generator) for ti in tis]
