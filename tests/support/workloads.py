"""Workloads without a database behind them."""

from __future__ import annotations

import uuid
from typing import Any

import jwt
from airflow.api_fastapi.auth.tokens import JWTGenerator
from airflow.executors.workloads import BundleInfo, ExecuteCallback, ExecuteTask
from airflow.executors.workloads.callback import CallbackDTO, CallbackFetchMethod
from airflow.executors.workloads.task import TaskInstanceDTO

SECRET = "a secret of at least sixty-four bytes, as HS512 wants, for the tests only"


def token_generator() -> JWTGenerator:
    return JWTGenerator(secret_key=SECRET, valid_for=600, audience="api", algorithm="HS512")


def token_claims(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, SECRET, algorithms=["HS512"], audience="api")
    return claims


def task_workload(*, token: str = "", **ti: Any) -> ExecuteTask:
    """Make the workload of `dag.task`, first try; `ti` replaces the task instance's members."""
    members = {
        "id": uuid.uuid4(),
        "dag_version_id": uuid.uuid4(),
        "dag_id": "dag",
        "task_id": "task",
        "run_id": "run",
        "try_number": 1,
        "map_index": -1,
        "pool_slots": 1,
        "queue": "default",
        "priority_weight": 1,
        "external_executor_id": str(uuid.uuid4()),
        **ti,
    }
    return ExecuteTask(
        ti=TaskInstanceDTO(**members),
        dag_rel_path="dag.py",
        token=token,
        log_path="a.log",
        bundle_info=BundleInfo(name="dags-folder"),
    )


def callback_workload(*, token: str = "", callback_id: str = "11111111-1111-4111-8111-111111111111") -> Any:
    callback = CallbackDTO(
        id=callback_id, fetch_method=CallbackFetchMethod.IMPORT_PATH, data={"path": "a.b", "kwargs": {}}
    )
    return ExecuteCallback(
        callback=callback,
        dag_rel_path="dag.py",
        token=token,
        log_path="a.log",
        bundle_info=BundleInfo(name="dags-folder"),
    )
