"""An Airflow of its own for the benchmarks, in a temporary folder. Import it before anything of Airflow's."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

HOME = tempfile.TemporaryDirectory(prefix="ecs-async-bench-")
os.environ |= {
    "AIRFLOW_HOME": HOME.name,
    "AIRFLOW__API_AUTH__JWT_SECRET": "a secret of at least sixty-four bytes, as HS512 wants, for measuring only",
    "AIRFLOW__AWS_ECS_EXECUTOR__CLUSTER": "default",
    "AIRFLOW__AWS_ECS_EXECUTOR__CONTAINER_NAME": "airflow",
    "AIRFLOW__AWS_ECS_EXECUTOR__LAUNCH_TYPE": "FARGATE",
    "AIRFLOW__AWS_ECS_EXECUTOR__REGION_NAME": "us-east-1",
    "AIRFLOW__AWS_ECS_EXECUTOR__SUBNETS": "subnet-1",
    "AIRFLOW__AWS_ECS_EXECUTOR__TASK_DEFINITION": "airflow-task",
    "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
    "AIRFLOW__CORE__DAGS_FOLDER": str(Path(HOME.name) / "dags"),
    "AIRFLOW__CORE__DEFAULT_POOL_TASK_SLOT_COUNT": "100000",
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__PARALLELISM": "100000",
    # Several processes write: let them wait for each other.
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{HOME.name}/airflow.db?timeout=30",
    "AIRFLOW__LOGGING__COLORED_CONSOLE_LOG": "False",
    "AIRFLOW__LOGGING__LOGGING_LEVEL": "CRITICAL",
    "AWS_ACCESS_KEY_ID": "benchmark",
    "AWS_SECRET_ACCESS_KEY": "benchmark",
}

from airflow.dag_processing.bundles.manager import DagBundlesManager  # noqa: E402  the environment comes first
from airflow.utils.db import initdb  # noqa: E402  as above


def make_database() -> None:
    """Create the database."""
    initdb()
    DagBundlesManager().sync_bundles_to_db()
