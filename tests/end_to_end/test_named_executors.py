"""Dags whose tasks name their executor, run by real schedulers in real containers that know nothing of it themselves."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest

from ecs_async_executor.demo.environment import (
    Home,
    Stage,
    component_environment,
    task_definition,
    worker_environment,
)
from ecs_async_executor.demo.home import free_ports, new_secrets
from ecs_async_executor.local import Options, serve_in_process
from tests.chaos.airflow import ROOT, succeed, wait_for
from tests.chaos.processes import fork_server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

OURS = "ecs_async_executor.AsyncEcsExecutor"
OFFICIAL = "airflow.providers.amazon.aws.executors.ecs.ecs_executor.AwsEcsExecutor"
QUICK = {"provisioning": 0, "pending": 0, "pull": 0, "activating": 0, "deprovisioning": 0}
TEAM = "data"
FINAL = {"success", "failed", "upstream_failed"}
BUNDLE = {
    "name": "dags-folder",
    "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
    "kwargs": {},
    "team_name": TEAM,
}
TEAM_OPTIONS = {
    name.replace("AIRFLOW__", "AIRFLOW__DATA___"): value
    for name, value in {
        "AIRFLOW__AWS_ECS_EXECUTOR__CLUSTER": "demo",
        "AIRFLOW__AWS_ECS_EXECUTOR__CONTAINER_NAME": "worker",
        "AIRFLOW__AWS_ECS_EXECUTOR__TASK_DEFINITION": "airflow-demo",
        "AIRFLOW__AWS_ECS_EXECUTOR__SUBNETS": "subnet-1",
        "AIRFLOW__AWS_ECS_EXECUTOR__REGION_NAME": "us-east-1",
    }.items()
}


def run(
    root: Path, executors: Mapping[str, str | None], scheduler: Mapping[str, str], worker: Mapping[str, str]
) -> tuple[dict[str, str], int]:
    """Run a Dag with a task for each name, each of which names that executor or none.

    Gives every task's last state, and how many containers ECS was asked for.
    """
    home, ports = Home(root), free_ports()
    stage = Stage(home, ports, new_secrets(), parallelism=4)
    for folder in (home.dags, home.task_logs, home.component_logs, home.worker):
        folder.mkdir()
    for airflow_home in (home.root, home.worker):
        (airflow_home / "airflow.cfg").touch()
    lines = [
        "from airflow.sdk import DAG",
        "from airflow.providers.standard.operators.bash import BashOperator",
    ]
    lines += ["with DAG('named', schedule=None):"]
    for task, executor in executors.items():
        lines.append(f"    BashOperator(task_id={task!r}, bash_command='true', executor={executor!r})")
    (home.dags / "named.py").write_text("\n".join(lines))
    definition = task_definition({**worker_environment(os.environ, stage), **worker})
    ecs_options = Options(task_definitions=[definition], clusters=["demo"], plan={"defaults": QUICK})
    with serve_in_process(ecs_options) as ecs:
        environment = {
            **component_environment(os.environ, stage),
            "PYTHONPATH": str(ROOT),
            "AWS_ENDPOINT_URL_ECS": ecs.endpoint_url,
            **scheduler,
        }
        with fork_server(environment, home.component_logs) as processes:
            succeed(processes.start("database", "airflow", "db", "migrate"))
            if "team_name" in scheduler.get("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", ""):
                succeed(processes.start("team", "airflow", "teams", "create", TEAM))
            succeed(processes.start("setup", "tests.chaos.setup_airflow"))
            api = processes.start("api-server", "airflow", "api-server", "--apps", "execution")
            wait_for(f"{ports.airflow_url}/execution/health", api)
            processes.start("scheduler", "airflow", "scheduler", "--skip-serve-logs")
            deadline = time.monotonic() + 120
            while not set((states := task_states(home.database)).values()) <= FINAL:
                assert time.monotonic() < deadline, f"still waiting: {states}; see {home.component_logs}"
                time.sleep(0.2)
        return states, len(ecs.tasks())


def task_states(database: Path) -> dict[str, str]:
    with closing(sqlite3.connect(database, timeout=30)) as connection:
        rows = connection.execute("select task_id, coalesce(state, '') from task_instance")
        return dict(rows.fetchall()) or {"none yet": ""}


def test_tasks_run_that_name_the_executor_by_alias_or_module_path_and_those_beside_them(tmp_path: Path):
    executors = {"by_alias": "ecs", "by_path": OURS, "by_default": None}

    states, containers = run(
        tmp_path, executors, {"AIRFLOW__CORE__EXECUTOR": f"LocalExecutor,ecs:{OURS}"}, worker={}
    )

    assert states == dict.fromkeys(executors, "success")
    assert containers == 2


def test_dags_that_name_the_official_executor_run_if_its_name_is_an_alias_of_this_one(tmp_path: Path):
    executors = {"by_its_name": OFFICIAL, "by_default": None}

    states, containers = run(
        tmp_path, executors, {"AIRFLOW__CORE__EXECUTOR": f"{OFFICIAL}:{OURS}"}, worker={}
    )

    assert states == dict.fromkeys(executors, "success")
    assert containers == 2


def test_tasks_of_a_team_run_that_name_their_teams_executor(tmp_path: Path):
    executors = {"by_alias": "ecs", "by_path": OURS}
    bundles = {"AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps([BUNDLE])}
    teams = {
        "AIRFLOW__CORE__EXECUTOR": f"LocalExecutor;data=ecs:{OURS}",
        "AIRFLOW__CORE__MULTI_TEAM": "True",
        **TEAM_OPTIONS,
    }

    states, containers = run(tmp_path, executors, {**teams, **bundles}, worker=bundles)

    assert states == dict.fromkeys(executors, "success")
    assert containers == 2
