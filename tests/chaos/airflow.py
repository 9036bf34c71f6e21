"""A real Airflow on a PostgreSQL of its own, with a local ECS of bad manners: everything but the schedulers."""

from __future__ import annotations

import json
import os
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ecs_async_executor.demo.environment import Home, Ports, Stage, component_environment, worker_environment
from ecs_async_executor.demo.home import free_ports, new_secrets
from ecs_async_executor.local import Control, Options, serve_in_process
from tests.chaos import journal, standby
from tests.chaos.database import Database
from tests.chaos.ecs_conditions import EXECUTOR, PLAN, RECLAIMED, STANDBY_PLAN, conditions
from tests.chaos.expected_outcomes import GROWING, SIZES
from tests.chaos.processes import Child, ForkServer, fork_server
from tests.support.postgres import postgres

ROOT = Path(__file__).parents[2]
CONTAINER = "worker"
FAMILY = "chaos"
Worker = Literal["light", "airflow"]

_READY = 240.0


@dataclass(frozen=True)
class Setting:
    """What a test chooses. ``seconds`` is the range of how long user code runs."""

    tasks: int
    parallelism: int = 16
    seconds: tuple[float, float] = (0.5, 3.0)
    worker: Worker = "light"
    seed: int = 0
    dags: Path = Path(__file__).parent / "dags"
    container: Mapping[str, str] = field(default_factory=dict)
    """What containers find in their environment beside the rest."""
    calm: bool = False
    """Whether ECS refuses launches seldom."""
    standbys: int = 0
    """How many standbys are kept for tasks of the default queue."""
    room: int | None = None
    """How many ECS tasks fit into the cluster at a time; None: any number."""


@dataclass(frozen=True)
class Airflow:
    """Everything runs but the schedulers."""

    home: Home
    ecs: Control
    database: Database
    fork_server: ForkServer
    ports: Ports
    api: Child

    def scheduler(self, name: str, **environment: str) -> Child:
        """Start a scheduler; the name is that of its log, too."""
        environment["CHAOS_STRUCK"] = str(self._struck(name))
        return self.fork_server.start(
            name, "airflow", "scheduler", "--skip-serve-logs", environment=environment
        )

    @property
    def journal(self) -> list[journal.Line]:
        """What the containers have written so far."""
        return journal.read(_journal(self.home))

    def struck(self, name: str) -> str | None:
        """Where the scheduler of this name has struck itself, if it has."""
        file = self._struck(name)
        return file.read_text() if file.exists() else None

    def _struck(self, name: str) -> Path:
        return self.home.component_logs / f"{name}.struck"


@contextmanager
def airflow(root: Path, setting: Setting) -> Iterator[Airflow]:
    """Run it all, the Dag run waiting for its first scheduler."""
    home, ports = Home(root), free_ports()
    stage = Stage(home, ports, new_secrets(), setting.parallelism)
    for folder in (home.task_logs, home.component_logs, home.worker):
        folder.mkdir(parents=True)
    for airflow_home in (home.root, home.worker):
        (airflow_home / "airflow.cfg").touch()  # else several processes would make one at once
    worker = {**worker_environment(os.environ, stage), **_ours(home, setting), **setting.container}
    ecs_options = Options(
        port=ports.ecs,
        s3=setting.standbys > 0,
        s3_port=ports.s3,
        task_definitions=[_task_definition(worker, setting.worker)],
        plan={"defaults": PLAN, "rules": [STANDBY_PLAN]},
        conditions={**conditions(calm=setting.calm), "room": setting.room},
        seed=setting.seed,
    )
    with postgres() as url, serve_in_process(ecs_options) as ecs:
        environment = {
            **component_environment(os.environ, stage),
            **_ours(home, setting),
            **_scheduling(url),
            **_standbys(setting.standbys),
        }
        with fork_server(environment, home.component_logs) as processes, Database(url) as database:
            succeed(processes.start("setup", "tests.chaos.setup_airflow"))
            database.note_queueings()
            api = api_server(processes, "api-server", ports.airflow)
            yield Airflow(home, ecs, database, processes, ports, api)


def api_server(processes: ForkServer, name: str, port: int) -> Child:
    """Start an API server and wait until it answers."""
    child = processes.start(name, "airflow", "api-server", "--apps", "execution", "--port", str(port))
    wait_for(f"http://127.0.0.1:{port}/execution/health", child)
    return child


def _journal(home: Home) -> Path:
    return home.root / "journal.jsonl"


def _ours(home: Home, setting: Setting) -> dict[str, str]:
    """What all of our own code reads, in schedulers and workers."""
    return {
        "PYTHONPATH": str(ROOT),
        "AIRFLOW__CORE__DAGS_FOLDER": str(setting.dags),
        "CHAOS_TASKS": str(setting.tasks),
        "CHAOS_SECONDS": " ".join(map(str, setting.seconds)),
        journal.FILE: str(_journal(home)),
        standby.RECLAIMED: str(RECLAIMED),
    }


def _standbys(count: int) -> dict[str, str]:
    """The executor's options for standbys; without them, there is no S3."""
    options = {
        "AIRFLOW__ECS_ASYNC_EXECUTOR__STANDBY": str(count),
        "AIRFLOW__ECS_ASYNC_EXECUTOR__STANDBY_MAX_AGE": "360",
    }
    return options if count else {**options, "AIRFLOW__ECS_ASYNC_EXECUTOR__PAYLOAD_BUCKET": ""}


def _scheduling(url: str) -> dict[str, str]:
    """Airflow's options, so that a dead scheduler is missed after seconds; and the executor's."""
    return {
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url,
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": "",
        "AIRFLOW__CORE__EXECUTOR": "tests.chaos.self_killing_scheduler.SelfKillingExecutor",
        "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
        "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "3",
        "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "1.5",
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
        # A task whose container nobody has seen end is Airflow's to fail, and one that ended with exit code 1 waits for a
        # heartbeat of another worker: for as long as these say.
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "3",
        "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
        "AIRFLOW__AWS_ECS_EXECUTOR__CLUSTER": "default",
        "AIRFLOW__AWS_ECS_EXECUTOR__CONTAINER_NAME": CONTAINER,
        "AIRFLOW__AWS_ECS_EXECUTOR__TASK_DEFINITION": FAMILY,
        "AIRFLOW__ECS_ASYNC_EXECUTOR__DEPLOYMENT": "chaos",
        "AIRFLOW__ECS_ASYNC_EXECUTOR__QUEUES": json.dumps({GROWING: {"cpu": 1024, "memory": SIZES}}),
        **EXECUTOR,
    }


def _task_definition(environment: Mapping[str, str], worker: Worker) -> dict[str, Any]:
    """A RegisterTaskDefinition request. The light worker stands before the command that the executor gives."""
    # -S: no look at site-packages, which takes longer than all the rest.
    light = {"entryPoint": [sys.executable, "-S", "-m", "tests.chaos.worker"]}
    container = {
        "name": CONTAINER,
        "image": "chaos",
        "essential": True,
        "environment": [{"name": name, "value": value} for name, value in environment.items()],
        **(light if worker == "light" else {}),
    }
    return {
        "family": FAMILY,
        "networkMode": "awsvpc",
        "cpu": "256",
        "memory": "512",
        "containerDefinitions": [container],
    }


def succeed(child: Child) -> None:
    if not child.ended.wait(_READY) or child.exit_code:
        raise RuntimeError(f"{child.name} failed: see {child.log}")


def wait_for(url: str, server: Child) -> None:
    deadline = time.monotonic() + _READY
    while time.monotonic() < deadline and not server.ended.is_set():
        with suppress(OSError), urllib.request.urlopen(url, timeout=20) as answer:  # noqa: S310  our own address
            json.load(answer)
            return
        time.sleep(0.2)
    raise RuntimeError(f"The API server is not ready: see {server.log}")
