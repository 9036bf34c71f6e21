"""The demo's processes, and the command that starts each."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ecs_async_executor.demo import environment as env
from ecs_async_executor.demo.components import Component
from ecs_async_executor.demo.environment import Stage

# Don't use the script `ecs-async`: it may be anywhere, but this Python certainly has the package.
_ECS_ASYNC = "import sys; from ecs_async_executor.cli import main; sys.exit(main())"
# Seconds: a hundredth of Fargate's, but long enough to see.
_PLAN = {"provisioning": [0.4, 1.2], "pending": [0.2, 0.6], "deprovisioning": 0.3}


@dataclass(frozen=True)
class Processes:
    """All processes. `migration` ends by itself; the others run until we stop them."""

    local_ecs: Component
    migration: Component
    api_server: Component
    scheduler: Component
    dag_processor: Component
    triggerer: Component

    @property
    def airflow(self) -> tuple[Component, ...]:
        """The processes that can start once the database exists, the slowest first."""
        return (self.api_server, self.scheduler, self.dag_processor, self.triggerer)

    @property
    def everything(self) -> tuple[Component, ...]:
        """All processes."""
        return (self.local_ecs, self.migration, *self.airflow)


def make_processes(inherited: Mapping[str, str], stage: Stage) -> Processes:
    """Return the processes, none of them started."""
    airflow_environment = env.component_environment(inherited, stage)

    def log(name: str) -> Path:
        return stage.home.component_logs / f"{name.lower().replace(' ', '-')}.log"

    def airflow(name: str, *command: str, ends: bool = False) -> Component:
        argv = (sys.executable, "-m", "airflow", *command)
        return Component(name, argv, airflow_environment, log(name), ends=ends)

    return Processes(
        local_ecs=Component(
            "local ECS", _local_ecs(stage), env.local_ecs_environment(inherited, stage), log("local ECS")
        ),
        migration=airflow("database", "db", "migrate", ends=True),
        api_server=airflow("API server", "api-server"),
        # The log servers would use fixed ports, and the logs are in this home anyway.
        scheduler=airflow("scheduler", "scheduler", "--skip-serve-logs"),
        dag_processor=airflow("Dag processor", "dag-processor"),
        triggerer=airflow("triggerer", "triggerer", "--skip-serve-logs"),
    )


def _local_ecs(stage: Stage) -> tuple[str, ...]:
    return (
        *(sys.executable, "-c", _ECS_ASYNC, "local"),
        *(
            "--port",
            str(stage.ports.ecs),
            "--logs-port",
            str(stage.ports.logs),
            "--s3-port",
            str(stage.ports.s3),
        ),
        *("--bucket", env.LOG_BUCKET),
        *("--cluster", env.CLUSTER),
        *("--task-definition", str(stage.home.task_definition)),
        *("--plan", json.dumps({"defaults": _PLAN})),
    )
