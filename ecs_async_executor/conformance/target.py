"""What the suite starts tasks of, and where: read from the command line and from the task definition. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ecs_async_executor.errors import ConfigurationError
from ecs_async_executor.task_arn import TaskArn

LIFE = 600
"""Seconds after which the longest container ends by itself, whatever becomes of this process."""
MARK = "ECS_ASYNC_CONFORMANCE"
"""An environment variable of every container, which names what the task is for."""
_SLEEP = (
    "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit({sigterm})); "
    f"time.sleep({LIFE})"
)
SIGTERM_EXIT = 43
"""The exit code by which the long container says that it got SIGTERM. No runtime makes it up."""


@dataclass(frozen=True, slots=True)
class Target:
    """The cluster, the task definition and the network; `run_id` (32 hex digits) is this run's own."""

    cluster: str
    task_definition: str
    container: str
    run_id: str
    cpu: float
    """vCPUs of a task; 0 if the task definition gives none."""
    memory: float
    """GiB of a task; 0 if the task definition gives none."""
    launch_type: str = ""
    capacity_provider: str = ""
    subnets: Sequence[str] = ()
    security_groups: Sequence[str] = ()
    public_ip: bool = False
    tags: Sequence[Mapping[str, str]] = ()
    """The task definition's."""
    broken_task_definition: str = ""
    """One whose image doesn't exist; empty for none."""

    @property
    def on_fargate(self) -> bool:
        """Whether AWS bills each task."""
        return "FARGATE" in f"{self.launch_type}{self.capacity_provider}"

    @property
    def started_by(self) -> str:
        """The `startedBy` of this run's tasks."""
        return f"ecs-async/conformance/{self.run_id}"

    def token(self, name: str) -> str:
        """Return the clientToken of a launch: 64 characters, the most that ECS takes."""
        return hashlib.sha256(f"{self.run_id} {name}".encode()).hexdigest()

    def unknown_arns(self, count: int, like: str) -> list[str]:
        """Return ARNs of tasks that don't exist, beside the task or the cluster of the ARN `like`."""
        ids = [hashlib.sha256(f"{self.run_id} {n}".encode()).hexdigest()[:32] for n in range(count)]
        if not like.startswith("arn:"):
            return ids
        prefix = like.rpartition("/")[0] if ":task/" in like else like.replace(":cluster/", ":task/")
        return [f"{prefix}/{each}" for each in ids]

    def elsewhere(self, arn: str) -> dict[str, str]:
        """Return a task's ARN as it would be in another account, Region and cluster, by what differs; empty without an ARN."""
        task = TaskArn.parse(arn)
        if task is None or task.cluster is None:
            return {}
        account = (
            "111122223333" if task.account != "111122223333" else "444455556666"
        )  # AWS's examples use them
        region = "us-east-1" if task.region != "us-east-1" else "us-west-2"
        return {
            "account": arn.replace(f":{task.account}:", f":{account}:"),
            "region": arn.replace(f":{task.region}:", f":{region}:"),
            "cluster": arn.replace(f":task/{task.cluster}/", f":task/{task.cluster}-elsewhere/"),
        }

    def run_task(self, name: str, code: int | None = 0, **others: Any) -> dict[str, Any]:
        """Return the RunTask request of the task `name`, which ends with this exit code, or lives until it is stopped."""
        python = _SLEEP.format(sigterm=SIGTERM_EXIT) if code is None else f"raise SystemExit({code})"
        body: dict[str, Any] = {
            "cluster": self.cluster,
            "taskDefinition": self.task_definition,
            "count": 1,
            "startedBy": self.started_by,
            "clientToken": self.token(name),
            "overrides": self.overrides(name, ["python", "-c", python]),
            **self._placement(),
        }
        return {**body, **others}

    def overrides(
        self, name: str, command: Sequence[str], container: str = "", **variables: str
    ) -> dict[str, Any]:
        """Return overrides with this command and these variables."""
        pairs = [{"name": key, "value": value} for key, value in {MARK: name, **variables}.items()]
        override = {"name": container or self.container, "command": [*command], "environment": pairs}
        return {"containerOverrides": [override]}

    def _placement(self) -> dict[str, Any]:
        placement: dict[str, Any] = {}
        if self.capacity_provider:
            placement["capacityProviderStrategy"] = [
                {"capacityProvider": self.capacity_provider, "weight": 1}
            ]
        elif self.launch_type:
            placement["launchType"] = self.launch_type
        if self.subnets:
            network: dict[str, Any] = {"subnets": [*self.subnets]}
            if self.security_groups:
                network["securityGroups"] = [*self.security_groups]
            if self.public_ip:
                network["assignPublicIp"] = "ENABLED"
            placement["networkConfiguration"] = {"awsvpcConfiguration": network}
        return placement


def read_target(
    definition: Mapping[str, Any], tags: Sequence[Mapping[str, str]], given: Mapping[str, Any]
) -> Target:
    """Make a target of DescribeTaskDefinition's answer and the command line's values (`Target`'s names).

    Raises:
        ConfigurationError: They don't fit; the message names the option.
    """
    containers = [*definition.get("containerDefinitions", ())]
    names = [each["name"] for each in containers]
    essential = [each["name"] for each in containers if each.get("essential", True)]
    container = given.get("container") or next(iter(essential), "")
    if container not in names:
        raise ConfigurationError(
            f"--container: the task definition has {', '.join(names)}, not {container!r}."
        )
    if definition.get("networkMode") == "awsvpc" and not given.get("subnets"):
        raise ConfigurationError("--subnets: tasks of an awsvpc task definition need at least one subnet.")
    system = definition.get("runtimePlatform", {}).get("operatingSystemFamily", "LINUX")
    if system != "LINUX":
        raise ConfigurationError(
            f"--task-definition: the suite needs Linux containers, and these are {system}."
        )
    launch_type = given.get("launch_type") or ""
    if not launch_type and not given.get("capacity_provider"):
        required = definition.get("requiresCompatibilities") or definition.get("compatibilities") or ()
        launch_type = "FARGATE" if "FARGATE" in required else "EC2"
    values = {**given, "container": container, "launch_type": launch_type, "tags": tuple(tags)}
    return Target(
        cpu=int(definition.get("cpu") or 0) / 1024, memory=int(definition.get("memory") or 0) / 1024, **values
    )
