"""The options of a local ECS."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ecs_async_executor.errors import ConfigurationError

RUNTIMES = ("process", "simulated")
BUCKET = "airflow"
"""The bucket that the local S3 always has."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a local ECS starts with. All values are plain JSON, so that they can be passed to a subprocess.

    host, port: where to listen; port 0 takes a free one.
    runtime: "process" runs each container's command, "simulated" follows `plan`.
    clusters: names of clusters in addition to `default`.
    task_definitions: RegisterTaskDefinition requests in addition to `airflow-task` (container `airflow`).
    plan: see `local.conditions.plan`; the process runtime only uses its start and stop delays.
    conditions: see `local.conditions.conditions`: latency, throttling, consistency_lag, task_limit, room, faults.
    logs: True starts a moto server for CloudWatch Logs, a URL ships output there, False drops it.
    logs_port: the port of that server; 0 takes a free one.
    log_groups: names of log groups that exist from the start.
    s3: True starts a moto server for S3, a URL stands for an S3 that runs there, False: there is none.
    s3_port: the port where S3 is offered, with the faults of `conditions`; 0 takes a free one.
    buckets: names of buckets that exist from the start, in addition to `airflow`.
    pass_environment: names of this process's environment variables that containers get.
    seed: the seed of all random choices, or None for a different one each time.
    """

    host: str = "127.0.0.1"
    port: int = 0
    runtime: Literal["process", "simulated"] = "process"
    clusters: Sequence[str] = ()
    task_definitions: Sequence[Mapping[str, Any]] = ()
    plan: Mapping[str, Any] = field(default_factory=dict)
    conditions: Mapping[str, Any] = field(default_factory=dict)
    logs: bool | str = False
    logs_port: int = 0
    log_groups: Sequence[str] = ()
    s3: bool | str = False
    s3_port: int = 0
    buckets: Sequence[str] = ()
    pass_environment: Sequence[str] = ()
    seed: int | None = None
    region: str = "us-east-1"
    account: str = "123456789012"

    def __post_init__(self) -> None:
        if self.runtime not in RUNTIMES:
            raise ConfigurationError(f"runtime: {self.runtime!r} is not one of {', '.join(RUNTIMES)}.")
        if self.buckets and not self.s3:
            raise ConfigurationError(f"bucket {self.buckets[0]!r}: S3 is off. Turn it on, or name no bucket.")

    def to_json(self) -> str:
        """Serialise these options for `from_json`."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Options:
        """Parse the output of `to_json`."""
        return cls(**json.loads(text))
