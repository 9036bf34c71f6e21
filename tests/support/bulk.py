"""Rows and workloads by the thousand."""

from __future__ import annotations

import uuid

from airflow.api_fastapi.auth.tokens import JWTGenerator
from airflow.executors.workloads import ExecuteTask
from airflow.models.dag_version import DagVersion
from airflow.models.taskinstance import TaskInstance
from airflow.sdk import DAG
from airflow.utils.session import create_session
from sqlalchemy import insert, select

from tests.support.scheduler import create_run, store_dag


def queue_many(job_id: int, generator: JWTGenerator, count: int, dag: DAG) -> list[ExecuteTask]:
    """Bulk-create QUEUED rows of one mapped task, and give their workloads as the scheduler would make them."""
    return make_workloads(queue_rows(job_id, count, dag), generator, range(count))


def queue_rows(job_id: int, count: int, dag: DAG) -> str:
    """Bulk-create QUEUED rows of one mapped task, and give the id of their Dag run."""
    store_dag(dag)
    run_id = create_run(dag.dag_id)
    with create_session() as session:
        ti = session.scalars(select(TaskInstance).where(TaskInstance.run_id == run_id)).one()
        columns = {c.key: getattr(ti, c.key) for c in TaskInstance.__mapper__.column_attrs}
        columns |= {
            "state": "queued",
            "try_number": 1,
            "queued_by_job_id": job_id,
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
        if rows:
            session.execute(insert(TaskInstance), rows)
    return run_id


def make_workloads(run_id: str, generator: JWTGenerator, indexes: range) -> list[ExecuteTask]:
    """Give the workloads of some of these rows, by map index, as the scheduler would make them."""
    some = TaskInstance.map_index.between(indexes.start, indexes.stop - 1)
    with create_session() as session:
        tis = session.scalars(select(TaskInstance).where(TaskInstance.run_id == run_id, some)).all()
        return [ExecuteTask.make(ti, generator=generator) for ti in tis]
