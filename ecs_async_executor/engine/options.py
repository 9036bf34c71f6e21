"""The engine's options."""

from __future__ import annotations

import math
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Rate:
    """The refill rate and burst of one of AWS's token buckets."""

    per_second: float
    """Tokens added per second; 0 means no limit."""
    burst: float
    """Tokens in a full bucket."""

    def part(self, share: float) -> Rate:
        """Return a share of this rate; the burst is at least one token."""
        return Rate(self.per_second * share, max(1.0, self.burst * share))


DESCRIBE_SHARE = 0.5
"""The watcher's share of the reads: 1,000 polls a second, so it can poll 10,000 tasks every ten seconds."""


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """All of the engine's options. Times are in seconds."""

    started_by: str = "airflow/default"
    """Prefix of `startedBy`; a slash and the run id follow."""
    payloads: str = ""
    """Where payloads are stored, as `s3://bucket/prefix/`. The engine deletes objects nowhere else."""
    concurrency: int = 50
    """The most RunTask calls in flight at once."""
    poll_interval: float = 10.0
    """The longest time between two polls of a running task."""
    launch_timeout: float = 1800.0
    """How long a launched task may take to reach RUNNING before the engine stops it; 0 means forever. With a
    capacity provider, ECS itself gives up after 10 to 30 minutes in PROVISIONING."""
    missing_grace: float = 120.0
    """How long after its launch a task may be MISSING: DescribeTasks is eventually consistent
    (AWS advises retrying for up to five minutes)."""
    list_timeout: float = 3600.0
    """How long a task may be MISSING while ListTasks fails: ECS keeps stopped tasks for at least an hour."""
    missing_sightings: int = 3
    """How many consecutive polls must find a task MISSING before the engine calls ListTasks."""
    call_timeout: float = 30.0
    """The longest one API call may take, including the wait for a connection."""
    run_task_rate: Rate = field(default_factory=lambda: Rate(20.0, 20.0))
    """RunTask on Fargate: 20 calls per second, burst 20 (Amazon ECS throttling quotas)."""
    modify_rate: Rate = field(default_factory=lambda: Rate(40.0, 100.0))
    """"Cluster resource modify": RunTask and StopTask together (ECS API request throttling)."""
    read_rate: Rate = field(default_factory=lambda: Rate(20.0, 100.0))
    """"Cluster resource read": DescribeTasks and ListTasks together (ECS API request throttling)."""

    definition_rate: Rate = field(default_factory=lambda: Rate(20.0, 50.0))
    """"Task definition read": DescribeTaskDefinition (ECS API request throttling)."""
    register_rate: Rate = field(default_factory=lambda: Rate(1.0, 1.0))
    """"Task definition modify": RegisterTaskDefinition; its burst of 20 is left to deployments."""

    @property
    def polls_per_second(self) -> float:
        """How many tasks the watcher can poll per second (100 with each DescribeTasks call)."""
        return 100 * self.describe_rate.per_second or math.inf

    @property
    def describe_rate(self) -> Rate:
        """The watcher's share of the reads; the rest is left for ListTasks, other schedulers, and people."""
        return self.read_rate.part(DESCRIBE_SHARE)
