"""An ECS task as DescribeTasks shows it, without what may be secret: its command holds its workload's token. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any

from ecs_async_executor.messages import Usage
from ecs_async_executor.standby.command import is_standby
from ecs_async_executor.task_arn import TaskArn
from ecs_async_executor.task_cost import ARCHITECTURE, make_usage, size_of

EXEC_AGENT = "ExecuteCommandAgent"


class WorkloadKind(Enum):
    """What a container's command runs."""

    TASK = "a task instance"
    CALLBACK = "a callback, which has no task instance"
    STANDBY = "a task instance that only a row names, or none yet: it is a standby"
    UNKNOWN = "its command does not show it"


@dataclass(frozen=True, slots=True)
class Container:
    """One container of an ECS task."""

    name: str
    runtime_id: str | None = None
    """Docker's id; None until the container runs."""
    exec_agent: str | None = None
    """`lastStatus` of ECS Exec's agent; None if there is none."""
    exec_agent_reason: str = ""


@dataclass(frozen=True, slots=True)
class Standby:
    """The S3 objects that a standby looks at, `s3://bucket/key`. Whoever may read `own` has the workload that it gets."""

    lease: str
    own: str


@dataclass(frozen=True, slots=True)
class EcsTask:
    """One ECS task. Times are seconds since 1970."""

    arn: str
    cluster_arn: str
    started_by: str
    last_status: str
    desired_status: str
    created_at: float | None
    started_at: float | None
    family: str
    capacity: str
    """Capacity provider or launch type."""
    exec_enabled: bool
    containers: tuple[Container, ...]
    workload: WorkloadKind
    ti_id: str | None = None
    """The UUID of the task instance that the command names."""
    ti_name: str = ""
    """Its `dag/run/task`, with the map index if it has one."""
    cpu: str | None = None
    """CPU units of the task, or of its containers together; None if ECS shows neither."""
    memory: str | None = None
    """MiB, as above."""
    architecture: str = ""
    """x86_64 or arm64; empty if ECS doesn't say."""
    pull_started_at: float | None = None
    stopped_at: float | None = None
    standby: Standby | None = field(default=None, repr=False)
    """Where it looks for its workload, if it is a standby."""

    @property
    def task_id(self) -> str:
        """The last part of the ARN."""
        return self.arn.rpartition("/")[2]

    @property
    def is_stopping(self) -> bool:
        """Whether it has stopped, or was told to."""
        return self.desired_status == "STOPPED" or self.last_status == "STOPPED"

    def usage(self, now: float) -> Usage | None:
        """Return what it has used until its end, or until now; None if it pulled no image, or has no size."""
        return make_usage(
            self.cpu,
            self.memory,
            capacity=self.capacity,
            architecture=self.architecture,
            pull_started_at=self.pull_started_at,
            ended_at=now if self.stopped_at is None else self.stopped_at,
        )

    def run_id(self, deployment: str) -> str | None:
        """Return the run id in `startedBy` (launch_id.py); None if this deployment didn't start it.

        `deployment` is `airflow/<name>`.
        """
        prefix = f"{deployment}/"
        rest = self.started_by.removeprefix(prefix)
        return rest if self.started_by.startswith(prefix) and rest and "/" not in rest else None


def ecs_task(document: Mapping[str, Any]) -> EcsTask:
    """Read one of DescribeTasks' `tasks`, as botocore gives it."""
    arn = str(document.get("taskArn") or "")
    containers = document.get("containers") or ()
    overrides = document.get("overrides") or {}
    kind, ti_id, ti_name = _workload(overrides)
    standby = _standby(overrides)
    return EcsTask(
        arn,
        str(document.get("clusterArn") or _cluster_of(arn)),
        str(document.get("startedBy") or ""),
        str(document.get("lastStatus") or ""),
        str(document.get("desiredStatus") or ""),
        _seconds(document.get("createdAt")),
        _seconds(document.get("startedAt")),
        str(document.get("taskDefinitionArn") or "").rpartition("/")[2].partition(":")[0],
        str(document.get("capacityProviderName") or document.get("launchType") or ""),
        bool(document.get("enableExecuteCommand")),
        tuple(_container(each) for each in containers),
        kind if standby is None else WorkloadKind.STANDBY,
        ti_id,
        ti_name,
        size_of(document.get("cpu"), (each.get("cpu") for each in containers)),
        size_of(
            document.get("memory"),
            (each.get("memory") or each.get("memoryReservation") for each in containers),
        ),
        _architecture(document),
        _seconds(document.get("pullStartedAt")),
        _seconds(document.get("stoppedAt")),
        standby,
    )


def _architecture(document: Mapping[str, Any]) -> str:
    attributes = document.get("attributes") or ()
    return next((str(each.get("value") or "") for each in attributes if each.get("name") == ARCHITECTURE), "")


def _container(document: Mapping[str, Any]) -> Container:
    agents = [each for each in document.get("managedAgents") or () if each.get("name") == EXEC_AGENT]
    agent: Mapping[str, Any] = agents[0] if agents else {}
    return Container(
        str(document.get("name") or ""),
        document.get("runtimeId") or None,
        agent.get("lastStatus"),
        str(agent.get("reason") or ""),
    )


_UNKNOWN = WorkloadKind.UNKNOWN, None, ""


def _workload(overrides: Mapping[str, Any]) -> tuple[WorkloadKind, str | None, str]:
    """Find the workload that `config/delivery.py` has put into a command: its kind, the task instance's id and name."""
    for container in overrides.get("containerOverrides") or ():
        command = container.get("command") or ()
        if "--json-string" in command[:-1]:
            return _read(command[command.index("--json-string") + 1])
    return _UNKNOWN


def _standby(overrides: Mapping[str, Any]) -> Standby | None:
    """Return what a standby looks at, by its command; None if it is none."""
    for container in overrides.get("containerOverrides") or ():
        command = container.get("command") or ()
        if command and is_standby(command[-1]):
            return Standby(command[-2], command[-1])
    return None


def _read(text: str) -> tuple[WorkloadKind, str | None, str]:
    try:
        workload = json.loads(text)
    except ValueError:
        return _UNKNOWN
    kind = workload.get("type") if isinstance(workload, dict) else None
    if kind == "ExecuteCallback":
        return WorkloadKind.CALLBACK, None, ""
    ti = workload.get("ti") if kind == "ExecuteTask" else None
    if not isinstance(ti, dict) or not ti.get("id"):
        return _UNKNOWN
    name = "/".join(str(ti.get(part, "?")) for part in ("dag_id", "run_id", "task_id"))
    index = ti.get("map_index", -1)
    mapped = isinstance(index, int) and index >= 0
    return WorkloadKind.TASK, str(ti["id"]), f"{name}/{index}" if mapped else name


def _cluster_of(arn: str) -> str:
    parsed = TaskArn.parse(arn)
    return (parsed.cluster if parsed is not None else None) or "default"


def _seconds(time: object) -> float | None:
    return time.timestamp() if isinstance(time, datetime) else None
