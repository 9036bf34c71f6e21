"""ECS tasks and rows for the tests of the commands of operation, and histories of both."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from ecs_async_executor.launch_id import STANDBY, LaunchId
from ecs_async_executor.operate.ecs_task import EcsTask, ecs_task
from ecs_async_executor.operate.rows import FoundRow
from ecs_async_executor.standby.command import lease_url, object_url, standby_command

DEPLOYMENT = "airflow/prod"
RUN = "11111111-2222-4333-8444-555555555555"
OTHER_RUN = "99999999-2222-4333-8444-555555555555"
TI = "018f0000-0000-7000-8000-000000000001"
NOW = 1_800_000_000.0
TOKEN = f"{'eyJ' + 'h' * 20}.{'p' * 20}.{'s' * 20}"
"""What a workload's token looks like."""


def arn_of(task_id: str = "0a1b2c", cluster: str = "default") -> str:
    """Return an ECS task's ARN."""
    return f"arn:aws:ecs:us-east-1:123456789012:task/{cluster}/{task_id}"


def workload(ti_id: str | None = TI, kind: str = "ExecuteTask") -> list[str]:
    """Return the command of a container, as `config/delivery.py` makes it."""
    ti = {"id": ti_id, "dag_id": "d", "run_id": "r", "task_id": "t", "map_index": -1}
    document = {"type": kind, "token": TOKEN, "ti": ti}
    return [
        "python",
        "-m",
        "airflow.sdk.execution_time.execute_workload",
        "--json-string",
        json.dumps(document),
    ]


def waiting(nonce: str = "a" * 32, lease: str = "b" * 32) -> list[str]:
    """Return the command of a standby's container."""
    location = "s3://bucket/airflow/"
    return standby_command(None, 3600.0, lease_url(location, lease), object_url(location, nonce))


def standby(task_id: str = "57a4db", **changes: Any) -> EcsTask:
    """Return a standby that is two hours old."""
    return container(arn_of(task_id), startedBy=f"{DEPLOYMENT}/{STANDBY}", command=waiting(), **changes)


def document_of(arn: str | None = None, **changes: Any) -> dict[str, Any]:
    """Return a running task as botocore gives it."""
    command = changes.pop("command", workload())
    age = changes.pop("age", 7200.0)
    return {
        "taskArn": arn or arn_of(),
        "clusterArn": "arn:aws:ecs:us-east-1:123456789012:cluster/default",
        "taskDefinitionArn": "arn:aws:ecs:us-east-1:123456789012:task-definition/airflow-task:3",
        "startedBy": f"{DEPLOYMENT}/{RUN}",
        "lastStatus": "RUNNING",
        "desiredStatus": "RUNNING",
        "createdAt": datetime.fromtimestamp(changes.pop("now", NOW) - age, timezone.utc),
        "launchType": "FARGATE",
        "enableExecuteCommand": True,
        "containers": [
            {
                "name": "airflow",
                "runtimeId": "abc-123",
                "managedAgents": [{"name": "ExecuteCommandAgent", "lastStatus": "RUNNING"}],
            }
        ],
        "overrides": {"containerOverrides": [{"name": "sidecar"}, {"name": "airflow", "command": command}]},
        **changes,
    }


def container(arn: str | None = None, **changes: Any) -> EcsTask:
    """Return a running task that is two hours old."""
    return ecs_task(document_of(arn, **changes))


def found_row(state: str | None = "running", external_id: str | None = None, **changes: Any) -> FoundRow:
    """Return a row that changed an hour ago."""
    values: dict[str, Any] = {
        "dag_id": "d",
        "run_id": "r",
        "task_id": "t",
        "map_index": -1,
        "try_number": 1,
        "state": state,
        "external_id": external_id or arn_of(),
        "ti_id": TI,
        "changed_at": NOW - 3600,
        **changes,
    }
    return FoundRow(**values)


# --- histories --------------------------------------------------------------------------------------------


@dataclass
class Launched:
    """A container of a history, and the queueing it was launched for."""

    arn: str
    launch: LaunchId
    ti_id: str
    at: float
    through_s3: bool
    ended: bool = False


@dataclass
class Instance:
    """A task instance, and everything that happened to it."""

    ti_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    state: str | None = None
    external_id: str | None = None
    queueing: LaunchId | None = None
    """The current queueing's last launch."""
    try_number: int = 1
    changed_at: float = 0.0
    earlier: list[dict[str, Any]] = field(default_factory=list)
    containers: list[Launched] = field(default_factory=list)

    @property
    def is_live(self) -> bool:
        return self.state in {"queued", "running", "restarting"}

    def living(self) -> list[Launched]:
        """Return the containers that must be left alone: of the current queueing, while the row is live."""
        if not self.is_live or self.queueing is None:
            return []
        return [
            each for each in self.containers if each.launch.run_id == self.queueing.run_id and not each.ended
        ]


class History:
    """Task instances, step by step as core, the executor, workers and people change them; time is the caller's."""

    def __init__(self, count: int) -> None:
        self.instances = [Instance() for _ in range(count)]
        self.gone: list[Instance] = []
        self.stale_ids: list[str] = []
        self._launched = 0
        self._now = 0.0
        self._through_s3 = False

    def step(self, index: int, choice: int, now: float, *, flag: bool) -> None:
        """Do one of the steps that are possible in a task instance's state."""
        self._now, self._through_s3 = now, flag
        instance = self.instances[index % len(self.instances)]
        possible = self._possible(instance)
        possible[choice % len(possible)](instance)

    def _possible(self, each: Instance) -> list[Callable[[Instance], None]]:
        if each.state == "queued" and each.living():
            return [
                self._publish,
                self._run,
                self._run,
                self._relaunch,
                self._late_write,
                self._fail,
                self._end,
            ]
        if each.state == "queued":
            return [self._launch, self._launch, self._fail]
        if each.state == "running":
            ends = [self._defer, self._reschedule, self._succeed, self._fail, self._retry, self._restart]
            return [
                *ends,
                self._publish,
                self._publish,
                self._late_write,
                self._late_write,
                self._late_write,
                self._end,
            ]
        if each.state == "restarting":
            return [self._end, self._late_write, self._succeed]
        if each.state in {"success", "failed", "skipped"}:
            return [self._clear, self._end, self._vanish]
        return [self._queue, self._queue, self._end]

    def containers(self) -> list[Launched]:
        """Return all containers that haven't ended."""
        return [
            each
            for instance in (*self.instances, *self.gone)
            for each in instance.containers
            if not each.ended
        ]

    def living(self) -> set[str]:
        """Return the ARNs that must be left alone."""
        return {each.arn for instance in self.instances for each in instance.living()}

    def just_over(self, seconds: float, now: float) -> set[str]:
        """Return the ARNs of the last queueing of tasks that ended less than this ago."""
        return {
            each.arn
            for instance in self.instances
            if instance.queueing is not None and now - instance.changed_at < seconds
            for each in instance.containers
            if each.launch.run_id == instance.queueing.run_id and not each.ended
        }

    def _set(self, instance: Instance, state: str | None) -> None:
        instance.state, instance.changed_at = state, self._now

    def _queue(self, instance: Instance) -> None:
        if instance.state in {None, "up_for_retry", "deferred", "up_for_reschedule"}:
            instance.queueing = LaunchId(str(uuid.uuid4()))
            instance.external_id = instance.queueing.run_id
            self._set(instance, "queued")

    def _launch(self, instance: Instance) -> None:
        if instance.state != "queued" or instance.queueing is None or instance.living():
            return
        self._launched += 1
        arn = arn_of(f"{self._launched:032x}")
        instance.containers.append(
            Launched(arn, instance.queueing, instance.ti_id, self._now, self._through_s3)
        )

    def _publish(self, instance: Instance) -> None:
        for each in instance.living():
            instance.external_id, instance.changed_at = each.arn, self._now
            self.stale_ids.append(each.arn)

    def _run(self, instance: Instance) -> None:
        if instance.state == "queued" and instance.living():
            self._set(instance, "running")

    def _over(self, instance: Instance, state: str) -> None:
        if instance.state == "running":
            self._set(instance, state)

    def _defer(self, instance: Instance) -> None:
        self._over(instance, "deferred")

    def _reschedule(self, instance: Instance) -> None:
        self._over(instance, "up_for_reschedule")

    def _succeed(self, instance: Instance) -> None:
        self._over(instance, "success")

    def _fail(self, instance: Instance) -> None:
        if instance.is_live:  # someone marks it, or it fails
            self._set(instance, "failed")

    def _retry(self, instance: Instance) -> None:
        if instance.state == "running":
            self._next_try(instance, "up_for_retry")

    def _clear(self, instance: Instance) -> None:
        if instance.state in {"success", "failed", "skipped"}:
            self._next_try(instance, None)

    def _restart(self, instance: Instance) -> None:
        if instance.state == "running":
            self._set(instance, "restarting")

    def _next_try(self, instance: Instance, state: str | None) -> None:
        """Keep the try in the history table, as core does: the row goes on with another UUID and the old external id."""
        instance.earlier.append(
            {
                "ti_id": instance.ti_id,
                "state": instance.state,
                "external_id": instance.external_id,
                "try_number": instance.try_number,
                "changed_at": self._now,
            }
        )
        instance.ti_id, instance.try_number = str(uuid.uuid4()), instance.try_number + 1
        self._set(instance, state)

    def _relaunch(self, instance: Instance) -> None:
        if instance.state == "queued" and instance.queueing is not None and instance.living():
            for each in instance.living():
                each.ended = True
            instance.queueing = LaunchId(instance.queueing.run_id, instance.queueing.number + 1)
            instance.external_id = str(instance.queueing)
            instance.changed_at = self._now

    def _end(self, instance: Instance) -> None:
        for each in instance.containers[-1:]:
            each.ended = True

    def _late_write(self, instance: Instance) -> None:
        """A scheduler that was frozen writes the ARN that it knows, as core does for anyone who asks."""
        instance.external_id = self.stale_ids[0] if self.stale_ids and self._through_s3 else arn_of("f" * 32)

    def _vanish(self, instance: Instance) -> None:
        """Someone deletes the Dag run: no row is left."""
        if not instance.is_live and instance.containers:
            self.instances[self.instances.index(instance)] = Instance()
            self.gone.append(instance)
