"""Workloads by the thousand."""

from __future__ import annotations

from airflow.api_fastapi.auth.tokens import JWTGenerator
from airflow.executors.workloads import ExecuteTask
from airflow.sdk import DAG

from benchmarks.airflow_rows import make_workloads, queue_rows


def queue_many(job_id: int, generator: JWTGenerator, count: int, dag: DAG) -> list[ExecuteTask]:
    """Bulk-create QUEUED rows of one mapped task, and give their workloads as the scheduler would make them."""
    return make_workloads(queue_rows(job_id, count, dag), generator, range(count))
