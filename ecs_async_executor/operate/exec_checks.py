"""What ECS Exec needs, and how to enable what is missing: one table, one test per row. Pure.

Source: "Monitor Amazon ECS containers with ECS Exec" of the ECS developer guide.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass

from ecs_async_executor.operate.ecs_task import Container, EcsTask

PLUGIN = "session-manager-plugin"
TASK_ROLE_POLICY = json.dumps(
    {
        "Effect": "Allow",
        "Action": [
            f"ssmmessages:{action}"
            for action in (
                "CreateControlChannel",
                "CreateDataChannel",
                "OpenControlChannel",
                "OpenDataChannel",
            )
        ],
        "Resource": "*",
    }
)
"""The statement that the task role needs; ssmmessages has no resources."""
_ENABLE = (
    "Set `run_task_kwargs` to {\"enableExecuteCommand\": true}, or put that member into the queue's profile or the task's "
    f"executor_config. The task role needs {TASK_ROLE_POLICY}. Tasks that are launched from then on have it."
)
_AGENT = (
    f"If it lasts, the task role lacks {TASK_ROLE_POLICY}, or the task has no way to ssmmessages (NAT gateway or VPC "
    "endpoint), or its root file system is read-only."
)
_INSTALL = (
    f"Install it on this host: https://docs.aws.amazon.com/systems-manager/latest/userguide/"
    f"session-manager-working-with-install-plugin.html, and check that `{PLUGIN}` is on PATH."
)


@dataclass(frozen=True, slots=True)
class Missing:
    """One thing that ECS Exec lacks."""

    what: str
    remedy: str


def choose_container(task: EcsTask, airflow: Collection[str], wanted: str | None) -> Container | None:
    """Return the container to enter: the wanted one, else the one that runs Airflow, else the only one."""
    if wanted is not None:
        return next((each for each in task.containers if each.name == wanted), None)
    running = [each for each in task.containers if each.name in airflow]
    if running:
        return running[0]
    return task.containers[0] if len(task.containers) == 1 else None


def what_is_missing(task: EcsTask, container: Container | None, plugin: str | None) -> list[Missing]:
    """Return all that is missing, so that one attempt shows everything; `plugin` is the plug-in's path, if it is installed."""
    missing = []
    if task.last_status != "RUNNING":
        missing.append(
            Missing(
                f"The ECS task is {task.last_status or 'in no known state'}, not RUNNING.",
                "It is over."
                if task.is_stopping
                else "Try again when `ecs-async tasks` shows it as running.",
            )
        )
    if container is None:
        names = ", ".join(each.name for each in task.containers) or "none"
        missing.append(Missing("The container isn't in this task.", f"Name one with --container: {names}."))
    if not task.exec_enabled:
        missing.append(Missing("ECS Exec is not enabled for this task (enableExecuteCommand).", _ENABLE))
    elif container is not None and task.last_status == "RUNNING" and container.exec_agent != "RUNNING":
        said = f": {container.exec_agent_reason}" if container.exec_agent_reason else ""
        state = container.exec_agent or "not there"
        missing.append(
            Missing(f"ECS Exec's agent in the container {container.name} is {state}{said}.", _AGENT)
        )
    elif container is not None and task.last_status == "RUNNING" and container.runtime_id is None:
        missing.append(
            Missing(f"The container {container.name} has not started.", "Try again in a few seconds.")
        )
    if plugin is None:
        missing.append(Missing("The Session Manager plugin of the AWS CLI is not installed.", _INSTALL))
    return missing
