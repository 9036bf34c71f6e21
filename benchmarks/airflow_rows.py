"""Fills Airflow's database as its Dag processor and scheduler do: Dags, runs, queued rows, and their workloads.

Tests use it too. It imports nothing else of the benchmarks, so it runs on whatever database Airflow is configured for.
"""

from __future__ import annotations

import time
import uuid
from pathlib import Path
from typing import Any

from airflow._shared.timezones import timezone
from airflow.api_fastapi.auth.tokens import JWTGenerator
from airflow.configuration import conf
from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
from airflow.executors.workloads import ExecuteTask
from airflow.models.dag_version import DagVersion
from airflow.models.serialized_dag import SerializedDagModel
from airflow.models.taskinstance import TaskInstance
from airflow.sdk import DAG, BaseOperator
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState
from airflow.utils.types import DagRunTriggeredByType, DagRunType
from sqlalchemy import insert, select


def one_task_dag(dag_id: str, **operator: Any) -> DAG:
    """Return a Dag with one task, `task`."""
    with DAG(dag_id, schedule=None) as dag:
        BaseOperator(task_id="task", **operator)
    return dag


def store_dag(dag: DAG) -> None:
    """Serialize a Dag into the database, as the Dag processor does."""
    folder = Path(conf.get("core", "dags_folder"))
    folder.mkdir(exist_ok=True)
    file = folder / f"{dag.dag_id}.py"
    file.write_text("# The Dag processor stores the source beside the Dag.\n")
    dag.fileloc, dag.relative_fileloc = str(file), file.name
    bag = DagBag(dag_folder=str(folder), bundle_path=folder)
    bag.bag_dag(dag)
    sync_bag_to_db(bag, bundle_name="dags-folder", bundle_version=None)


def create_run(dag_id: str) -> str:
    """Start a run of a Dag, and return its id; raises `LookupError` if the Dag is not stored."""
    run_id = f"manual__{time.monotonic_ns()}"
    with create_session() as session:
        serialized = SerializedDagModel.get(dag_id, session=session)
        if serialized is None:
            raise LookupError(f"The Dag {dag_id} is not stored.")
        serialized.dag.create_dagrun(
            run_id=run_id,
            run_after=timezone.utcnow(),
            run_type=DagRunType.MANUAL,
            triggered_by=DagRunTriggeredByType.TEST,
            state=DagRunState.RUNNING,
            session=session,
        )
    return run_id


def task_instances(**where: Any) -> list[TaskInstance]:
    """Return the task instances with these column values, by map index."""
    with create_session(scoped=False) as session:
        rows = session.scalars(select(TaskInstance).filter_by(**where).order_by(TaskInstance.map_index)).all()
        session.expunge_all()
        return list(rows)


def queue_rows(job_id: int, count: int, dag: DAG) -> str:
    """Bulk-create QUEUED rows of one mapped task, and return the id of their Dag run."""
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
    """Return the workloads of some of these rows, by map index, as the scheduler would make them."""
    some = TaskInstance.map_index.between(indexes.start, indexes.stop - 1)
    with create_session() as session:
        tis = session.scalars(select(TaskInstance).where(TaskInstance.run_id == run_id, some)).all()
        return [ExecuteTask.make(ti, generator=generator) for ti in tis]
