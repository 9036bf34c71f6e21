"""The paths of the demo's files, and the environment of each of its processes. Pure."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

USER = "admin"
CLUSTER = "demo"
TASK_DEFINITION = "airflow-demo"
CONTAINER = "worker"
REGION = "us-east-1"
LOG_GROUP = "/ecs/airflow-demo"
LOG_PREFIX = "airflow"
LOG_BUCKET = "airflow-demo-logs"
PAYLOADS = "s3://airflow/payloads"  # the bucket that every local ECS has
STANDBYS = 2  # each takes a few seconds of a processor to import Airflow, like any container
_DAGS_EVERY = 10  # seconds; only if somebody may change Dags
EXECUTOR = "ecs_async_executor.AsyncEcsExecutor"

# An allow-list: the user's own Airflow options, AWS keys and other secrets stay outside the demo.
_INHERITED = ("HOME", "LANG", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH", "PATH", "PYTHONPATH", "TMPDIR", "TZ")

A_USERS_SHELL = "ECS_ASYNC_DEMO_SHELL"
"""Set in a shell that has read `Home.shell`: what is started there is not the demo's to kill."""


@dataclass(frozen=True)
class Home:
    """The demo's folder; the demo writes only below it."""

    root: Path

    @property
    def dags(self) -> Path:
        """The copy of the example Dags that Airflow runs."""
        return self.root / "dags"

    @property
    def task_logs(self) -> Path:
        """Airflow's base_log_folder, outside the containers; what is in it is in the local S3, too."""
        return self.root / "logs"

    @property
    def component_logs(self) -> Path:
        """One file per component."""
        return self.root / "components"

    @property
    def worker(self) -> Path:
        """The containers' AIRFLOW_HOME, with none of the scheduler's files."""
        return self.root / "worker"

    @property
    def worker_logs(self) -> Path:
        """The containers' base_log_folder: nobody else sees it, as on Fargate."""
        return self.worker / "logs"

    @property
    def database(self) -> Path:
        """Airflow's SQLite file."""
        return self.root / "airflow.db"

    @property
    def task_definition(self) -> Path:
        """The RegisterTaskDefinition request that the local ECS starts with."""
        return self.root / "task-definition.json"

    @property
    def shell(self) -> Path:
        """What a shell reads to operate this Airflow: `export` lines, secrets among them."""
        return self.root / "env.sh"

    @property
    def passwords(self) -> Path:
        """The simple auth manager's passwords file."""
        return self.root / "passwords.json"


@dataclass(frozen=True)
class Ports:
    """The loopback ports in use."""

    airflow: int
    ecs: int
    logs: int
    s3: int

    @property
    def airflow_url(self) -> str:
        """Airflow's UI and APIs."""
        return f"http://127.0.0.1:{self.airflow}"

    @property
    def ecs_url(self) -> str:
        """The local ECS."""
        return f"http://127.0.0.1:{self.ecs}"

    @property
    def logs_url(self) -> str:
        """The local CloudWatch Logs."""
        return f"http://127.0.0.1:{self.logs}"

    @property
    def s3_url(self) -> str:
        """The local S3."""
        return f"http://127.0.0.1:{self.s3}"


@dataclass(frozen=True)
class Secrets:
    """Secrets that only the components know. `fernet_key` is 32 bytes in urlsafe base64."""

    password: str = field(repr=False)
    jwt_secret: str = field(repr=False)
    api_secret_key: str = field(repr=False)
    fernet_key: str = field(repr=False)


@dataclass(frozen=True)
class Stage:
    """Everything specific to one run of the demo.

    `parallelism` is the number of tasks at a time; `keep` means that the user continues with the demo afterwards.
    """

    home: Home
    ports: Ports
    secrets: Secrets
    parallelism: int
    keep: bool = False


def whereabouts(stage: Stage, run_ids: Mapping[str, str], *, keeps_home: bool) -> str:
    """Say where the UI, the Dags, the logs and the local ECS are, for users who continue with the demo.

    `run_ids`: the Dag run of each Dag.
    """
    home, ports = stage.home, stage.ports
    after = "stops everything" if keeps_home else "stops everything and removes the folder"
    return "\n".join(
        (
            f"Airflow:        {ports.airflow_url} (user {USER}, password {stage.secrets.password})",
            "Worth opening:",
            f"  what runs and waits on ECS:             {ports.airflow_url}/plugin/ecs-fleet",
            f"  the log of a task that runs, growing:   {_page(ports, 'counting', 'count', run_ids)}",
            f"  the log of a container that was killed: {_page(ports, 'killed', 'killed_once', run_ids)}?try_number=1",
            "In another shell, to try the commands of operation on it (docs/operating.md):",
            f"  . {home.shell}",
            "  ecs-async status",
            f"Dags:           {home.dags} (changes show up after about {_DAGS_EVERY} seconds)",
            f"Component logs: {home.component_logs}",
            f"ECS:            {ports.ecs_url} (cluster {CLUSTER}, Region {REGION}, any credentials)",
            f"Logs:           {ports.logs_url} (log group {LOG_GROUP})",
            f"S3:             {ports.s3_url} ({PAYLOADS} for long workloads, s3://{LOG_BUCKET} for tasks' logs)",
            f"Everything runs until Ctrl-C, which {after}.",
        )
    )


def _page(ports: Ports, dag_id: str, task_id: str, run_ids: Mapping[str, str]) -> str:
    """Return the address of a task's page, which shows its log."""
    return f"{ports.airflow_url}/dags/{dag_id}/runs/{quote(run_ids[dag_id], safe='')}/tasks/{task_id}"


def _python_environment(inherited: Mapping[str, str]) -> dict[str, str]:
    """Return the inherited variables that Python needs, with this interpreter first on the PATH."""
    environment = {name: inherited[name] for name in _INHERITED if name in inherited}
    here = str(Path(sys.executable).parent)
    environment["PATH"] = f"{here}:{inherited.get('PATH', '/usr/bin:/bin')}"
    return environment


def _fake_aws(ports: Ports) -> dict[str, str]:
    """Return variables that point the SDKs to the local ECS, with dummy keys."""
    return {
        "AWS_ACCESS_KEY_ID": "demo",
        "AWS_SECRET_ACCESS_KEY": "demo",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL_ECS": ports.ecs_url,
        "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS": ports.logs_url,
        "AWS_ENDPOINT_URL_S3": ports.s3_url,
    }


def _remote_logging() -> dict[str, str]:
    """Return Airflow's options for keeping tasks' logs in S3, the same inside and outside the containers."""
    return {
        "AIRFLOW_CONN_AWS_DEFAULT": "aws://",
        "AIRFLOW__LOGGING__REMOTE_LOGGING": "True",
        "AIRFLOW__LOGGING__REMOTE_BASE_LOG_FOLDER": f"s3://{LOG_BUCKET}",
        "AIRFLOW__LOGGING__REMOTE_LOG_CONN_ID": "aws_default",
    }


def component_environment(inherited: Mapping[str, str], stage: Stage) -> dict[str, str]:
    """Return the environment of the scheduler, API server, Dag processor and triggerer.

    Of `inherited`, this process's environment, it keeps only what Python itself needs.
    """
    home, ports, secrets, parallelism = stage.home, stage.ports, stage.secrets, stage.parallelism
    dags_every = str(_DAGS_EVERY if stage.keep else 3600)  # seconds
    return {
        **_python_environment(inherited),
        **_fake_aws(ports),
        **_remote_logging(),
        "AIRFLOW_HOME": str(home.root),
        "AIRFLOW__CORE__EXECUTOR": EXECUTOR,
        "AIRFLOW__CORE__DAGS_FOLDER": str(home.dags),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__PARALLELISM": str(parallelism),
        "AIRFLOW__CORE__MAX_ACTIVE_TASKS_PER_DAG": str(parallelism),
        "AIRFLOW__CORE__FERNET_KEY": secrets.fernet_key,
        "AIRFLOW__CORE__AUTH_MANAGER": (
            "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager"
        ),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home.passwords),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{ports.airflow_url}/execution/",
        "AIRFLOW__API__BASE_URL": ports.airflow_url,
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(ports.airflow),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__SECRET_KEY": secrets.api_secret_key,
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.jwt_secret,
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home.database}",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home.task_logs),
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        # Short waits are fine: nobody else uses this database.
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.5",
        "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK": "False",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": dags_every,
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": dags_every,
        "AIRFLOW__AWS_ECS_EXECUTOR__CONN_ID": "aws_default",
        "AIRFLOW__AWS_ECS_EXECUTOR__REGION_NAME": REGION,
        "AIRFLOW__AWS_ECS_EXECUTOR__CLUSTER": CLUSTER,
        "AIRFLOW__AWS_ECS_EXECUTOR__CONTAINER_NAME": CONTAINER,
        "AIRFLOW__AWS_ECS_EXECUTOR__TASK_DEFINITION": TASK_DEFINITION,
        "AIRFLOW__AWS_ECS_EXECUTOR__LAUNCH_TYPE": "FARGATE",
        "AIRFLOW__AWS_ECS_EXECUTOR__SUBNETS": "subnet-demo",
        "AIRFLOW__ECS_ASYNC_EXECUTOR__DEPLOYMENT": "demo",
        "AIRFLOW__ECS_ASYNC_EXECUTOR__POLL_INTERVAL": "1",
        "AIRFLOW__ECS_ASYNC_EXECUTOR__PAYLOAD_BUCKET": PAYLOADS,
        "AIRFLOW__ECS_ASYNC_EXECUTOR__STANDBY": str(STANDBYS),
    }


def shell_lines(environment: Mapping[str, str]) -> str:
    """Return `export` lines of what a component has, for a shell that keeps its own variables of Python."""
    own = {name: value for name, value in environment.items() if name not in _INHERITED}
    lines = [f"export {name}={shlex.quote(value)}" for name, value in {**own, A_USERS_SHELL: "1"}.items()]
    path = f'export PATH={shlex.quote(str(Path(sys.executable).parent))}:"$PATH"'
    return "\n".join((*lines, path, ""))


def local_ecs_environment(inherited: Mapping[str, str], stage: Stage) -> dict[str, str]:
    """Return the local ECS's environment; AIRFLOW_HOME only marks the process as the demo's."""
    return {**_python_environment(inherited), "AIRFLOW_HOME": str(stage.home.worker)}


def worker_environment(inherited: Mapping[str, str], stage: Stage) -> dict[str, str]:
    """Return what a container needs to run a task: the Dags, the logs and the Execution API, but no secret."""
    home, ports = stage.home, stage.ports
    return {
        **_python_environment(inherited),
        **_fake_aws(ports),
        **_remote_logging(),
        "AIRFLOW_HOME": str(home.worker),
        "AIRFLOW__CORE__DAGS_FOLDER": str(home.dags),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{ports.airflow_url}/execution/",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home.worker_logs),
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        # Seconds. The API server shares this machine with every task, so a slow response is not a failure.
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
        # Seconds. Airflow's supervisor may notice the end of its task this late.
        "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
    }


def task_definition(environment: Mapping[str, str]) -> dict[str, Any]:
    """Return a RegisterTaskDefinition request for the demo's only task definition."""
    return {
        "family": TASK_DEFINITION,
        "requiresCompatibilities": ["FARGATE"],
        "networkMode": "awsvpc",
        "cpu": "256",
        "memory": "512",
        "executionRoleArn": "arn:aws:iam::123456789012:role/demo",
        "containerDefinitions": [
            {
                "name": CONTAINER,
                "image": "ecs-async-demo",
                "essential": True,
                "environment": [{"name": name, "value": value} for name, value in environment.items()],
                "logConfiguration": {
                    "logDriver": "awslogs",
                    "options": {
                        "awslogs-group": LOG_GROUP,
                        "awslogs-region": REGION,
                        "awslogs-stream-prefix": LOG_PREFIX,
                        "awslogs-create-group": "true",
                    },
                },
            }
        ],
    }
