"""A sidecar: a second container beside Airflow's, reached on localhost. Here a small HTTP server; yours may be a proxy.

Needs the task definition `airflow-sidecar` (`examples/task_definitions/airflow-sidecar.json`), and no queue. The
`executor_config` names it, and changes the sidecar's environment for this task. Only Airflow's container decides how the
task ends, and ECS stops the sidecar with it.
"""

from __future__ import annotations

import os

import httpx
from airflow.sdk import dag, task

SIDECAR = {
    "taskDefinition": "airflow-sidecar",
    "overrides": {
        "containerOverrides": [{"name": "web", "environment": {"GREETING": "Hello from the sidecar."}}]
    },
}


@dag(schedule=None, catchup=False, tags=["ecs-async", "aws"])
def aws_sidecar() -> None:
    """Asks the sidecar for its greeting."""

    @task(executor_config=SIDECAR)
    def ask() -> None:
        # Containers of a task start together: the sidecar may need some seconds more.
        with httpx.Client(transport=httpx.HTTPTransport(retries=8)) as sidecar:
            greeting = sidecar.get(os.environ["SIDECAR_URL"]).raise_for_status().text.strip()
        print(greeting)
        if greeting != "Hello from the sidecar.":
            raise ValueError("That is not the sidecar of this task.")

    ask()


aws_sidecar()
