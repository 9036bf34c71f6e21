"""Creates the demo's folder, ports and secrets."""

from __future__ import annotations

import base64
import json
import secrets
import shutil
import socket
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from ecs_async_executor.demo.environment import (
    USER,
    Ports,
    Secrets,
    Stage,
    component_environment,
    shell_lines,
    task_definition,
    worker_environment,
)
from ecs_async_executor.errors import EcsAsyncError


def example_dags() -> Path:
    """Return the folder of example Dags: next to this file in an installed wheel, `examples/dags` in a checkout."""
    here = Path(__file__).parent
    for folder in (here / "dags", here.parents[1] / "examples" / "dags"):
        if folder.is_dir():
            return folder
    raise EcsAsyncError(f"The example Dags are missing: they belong in {here / 'dags'}.")


def furnish(stage: Stage, inherited: Mapping[str, str]) -> None:
    """Create the folders, copy the Dags, write the task definition, the login and the variables for a shell."""
    home = stage.home
    for folder in (home.task_logs, home.component_logs, home.worker):
        folder.mkdir(parents=True)
    shutil.copytree(example_dags(), home.dags, ignore=shutil.ignore_patterns("__pycache__"))
    definition = task_definition(worker_environment(inherited, stage))
    home.task_definition.write_text(json.dumps(definition), encoding="utf-8")
    home.passwords.touch(mode=0o600)
    home.passwords.write_text(json.dumps({USER: stage.secrets.password}), encoding="utf-8")
    home.shell.touch(mode=0o600)
    home.shell.write_text(shell_lines(component_environment(inherited, stage)), encoding="utf-8")
    for airflow_home in (home.root, home.worker):
        # If airflow.cfg were missing, several processes would generate it at once, with secrets in it.
        (airflow_home / "airflow.cfg").touch()


def new_secrets() -> Secrets:
    """Generate secrets for this run."""
    return Secrets(
        password=secrets.token_urlsafe(9),
        jwt_secret=secrets.token_urlsafe(64),  # HS512 wants 64 bytes
        api_secret_key=secrets.token_urlsafe(32),
        fernet_key=base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
    )


def free_ports() -> Ports:
    """Return loopback ports that were free a moment ago."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(4)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        airflow, ecs, logs, s3 = (each.getsockname()[1] for each in sockets)
    return Ports(airflow=airflow, ecs=ecs, logs=logs, s3=s3)
