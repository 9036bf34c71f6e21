"""What the engine can be told at its start."""

from __future__ import annotations

import math
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Rate:
    """One of AWS's token buckets."""

    per_second: float
    """Tokens added a second; 0 means no limit."""
    burst: float
    """Tokens the full bucket holds."""

    def part(self, share: float) -> Rate:
        """Give this part of it; a bucket holds one token at least."""
        return Rate(self.per_second * share, max(1.0, self.burst * share))


DESCRIBE_SHARE = 0.5
"""Of the reads, for the watcher: 1,000 looks a second, so that 10,000 tasks are seen every ten seconds."""


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """Everything the engine can be told. Times are in seconds."""

    started_by: str = "airflow/default"
    """Prefix of `startedBy`; the run id follows after a slash."""
    payloads: str = ""
    """Where the payloads of requests go, as `s3://bucket/prefix/`. The engine deletes no object elsewhere."""
    concurrency: int = 50
    """RunTask calls in flight at once."""
    poll_interval: float = 10.0
    """The longest time between two looks at a running task."""
    launch_timeout: float = 1800.0
    """How long a launched task may take to run before it is stopped; 0 means for ever. With a capacity provider ECS
    itself gives up after 10 to 30 minutes in PROVISIONING."""
    missing_grace: float = 120.0
    """How long after its launch a task may be MISSING: DescribeTasks is eventually consistent
    (AWS advises to ask for up to five minutes)."""
    list_timeout: float = 3600.0
    """How long a task may be MISSING while ListTasks can't be asked: ECS keeps stopped tasks for at least an hour."""
    missing_sightings: int = 3
    """How often in a row a task must be MISSING before ListTasks is asked."""
    call_timeout: float = 30.0
    """The longest one API call may take, the wait for a connection included."""
    run_task_rate: Rate = field(default_factory=lambda: Rate(20, 20))
    """RunTask on Fargate: 20 calls a second, burst 20 (Amazon ECS throttling quotas)."""
    modify_rate: Rate = field(default_factory=lambda: Rate(40, 100))
    """"Cluster resource modify": RunTask and StopTask together (ECS API request throttling)."""
    read_rate: Rate = field(default_factory=lambda: Rate(20, 100))
    """"Cluster resource read": DescribeTasks and ListTasks together (ECS API request throttling)."""

    @property
    def polls_per_second(self) -> float:
        """How many tasks the watcher can look at each second (a DescribeTasks call is about 100)."""
        return 100 * self.describe_rate.per_second or math.inf

    @property
    def describe_rate(self) -> Rate:
        """The watcher's part of the reads: the rest is for ListTasks, for other schedulers, and for people."""
        return self.read_rate.part(DESCRIBE_SHARE)
