"""What the task definition's environment shows to everyone who may read it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ecs_async_executor.doctor.effective import Effective
from ecs_async_executor.doctor.findings import Finding, warning
from ecs_async_executor.doctor.setup import Setup

_NEEDLESS = frozenset(
    {
        "AIRFLOW__API__SECRET_KEY",
        "AIRFLOW__API_AUTH__JWT_SECRET",
        "AIRFLOW__CORE__FERNET_KEY",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC",
    }
)
"""Of the scheduler and the API server: a worker of Airflow 3 only talks to the execution API."""
_KEYS = frozenset({"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"})
_PASSWORD = re.compile(r"://[^/\s:@]*:[^/\s@]+@|\"password\"\s*:\s*\"[^\"]")


def secrets_in_the_clear(_: Setup, each: Effective) -> Iterator[Finding]:
    """No secret is in a container's plain environment."""
    found = each.environment
    if needless := sorted(name for name in _NEEDLESS if found.get(name)):
        yield warning(
            f"The container's environment has {', '.join(needless)}.",
            "Everyone who may read the task definition sees them, and so does each task; with them, one can act as Airflow itself. "
            "Workers need none of them.",
            f"Remove {', '.join(needless)} from the container's environment, and change what was shown.",
        )
    if keys := sorted(name for name in _KEYS if found.get(name)):
        yield warning(
            f"The container's environment has {', '.join(keys)}.",
            "Everyone who may read the task definition sees them, and boto3 uses them instead of the task role.",
            f"Remove {', '.join(keys)}, give their permissions to the task role, and deactivate the key.",
        )
    connections = sorted(
        name for name, value in found.items() if name.startswith("AIRFLOW_CONN_") and _PASSWORD.search(value)
    )
    if connections:
        yield warning(
            f"The container's environment has a password in {', '.join(connections)}.",
            "Everyone who may read the task definition sees it.",
            "Take it from Secrets Manager (`secrets` in the task definition), or store the connection in Airflow: workers get it "
            "from the API server.",
        )
