"""Task definitions: the registry, and the parts that a runtime needs."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ecs_async_executor.local.rules.limits import tag_problems
from ecs_async_executor.local.rules.protocol import AwsError, raise_first
from ecs_async_executor.local.rules.registration import fargate_problems, launch_types, problems
from ecs_async_executor.task_sizes import cpu_units, mebibytes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# Amazon ECS Developer Guide, "Task definition parameters": stopTimeout.
DEFAULT_STOP_TIMEOUT = 30.0
AIRFLOW_TASK: Mapping[str, Any] = {
    "family": "airflow-task",
    "requiresCompatibilities": ["EC2", "FARGATE"],
    "networkMode": "awsvpc",
    "executionRoleArn": "arn:aws:iam::123456789012:role/ecsTaskExecutionRole",
    "cpu": "256",
    "memory": "512",
    "containerDefinitions": [
        {
            "name": "airflow",
            "image": "local",
            "essential": True,
            "logConfiguration": {
                "logDriver": "awslogs",
                "options": {
                    "awslogs-group": "/ecs/airflow-task",
                    "awslogs-region": "us-east-1",
                    "awslogs-stream-prefix": "ecs",
                    "awslogs-create-group": "true",
                },
            },
        }
    ],
}


@dataclass(frozen=True, slots=True)
class LogTarget:
    """The awslogs options of a container."""

    group: str
    prefix: str
    region: str
    create_group: bool


@dataclass(frozen=True, slots=True)
class ContainerDefinition:
    """A container as its task definition describes it; `stop_timeout` is in seconds."""

    name: str
    image: str
    essential: bool = True
    entry_point: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_timeout: float = DEFAULT_STOP_TIMEOUT
    log: LogTarget | None = None


@dataclass(frozen=True, slots=True)
class TaskDefinition:
    """A revision: the document that AWS would return, and the parts that launches read."""

    document: Mapping[str, Any]
    containers: tuple[ContainerDefinition, ...]
    tags: tuple[Mapping[str, str], ...] = ()

    @property
    def arn(self) -> str:
        """The ARN, including the revision."""
        return str(self.document["taskDefinitionArn"])

    @property
    def family(self) -> str:
        """The family."""
        return str(self.document["family"])

    @property
    def is_active(self) -> bool:
        """Whether tasks can be launched from it."""
        return bool(self.document["status"] == "ACTIVE")

    @property
    def network_mode(self) -> str:
        """The networkMode, or an empty string."""
        return str(self.document.get("networkMode", ""))

    @property
    def launch_types(self) -> frozenset[str]:
        """The launch types that RunTask may request.

        DescribeTaskDefinition shows EC2 as compatible for definitions validated for Fargate.
        """
        compatible = frozenset(self.document["compatibilities"])
        required = frozenset(self.document.get("requiresCompatibilities", compatible))
        return compatible & (required | {"EC2"} if "FARGATE" in required else required)

    def main_of(self, overrides: Mapping[str, Any]) -> str:
        """Return a launch's main container: the first essential one whose command it overrides."""
        commanded = {item["name"] for item in overrides.get("containerOverrides", ()) if item.get("command")}
        essential = [container.name for container in self.containers if container.essential]
        return next((name for name in essential if name in commanded), essential[0])

    def stop_timeout_of(self, name: str) -> float:
        """Return a container's stopTimeout in seconds."""
        return next(container.stop_timeout for container in self.containers if container.name == name)


class Registry:
    """All task definitions, by family and revision."""

    def __init__(self, region: str, account: str) -> None:
        self._prefix = f"arn:aws:ecs:{region}:{account}:task-definition/"
        self._families: dict[str, list[TaskDefinition]] = {}

    def register(self, params: Mapping[str, Any], now: float | None = None) -> TaskDefinition:
        """Add a revision from a RegisterTaskDefinition request that arrived `now`, in epoch seconds.

        Raises:
            AwsError: ClientException if no launch type, or not the required one, can run it;
                InvalidParameterException for its tags.
        """
        raise_first(tag_problems(params.get("tags", [])))
        required = params.get("requiresCompatibilities", ())
        raise_first(problems(params), "ClientException")
        if "FARGATE" in required:
            raise_first(fargate_problems(params), "ClientException")
        params = {**params, **_sizes(params)}
        revisions = self._families.setdefault(params["family"], [])
        revision = len(revisions) + 1
        document = {
            **{key: value for key, value in params.items() if key != "tags"},
            "taskDefinitionArn": f"{self._prefix}{params['family']}:{revision}",
            "revision": revision,
            "status": "ACTIVE",
            "compatibilities": list(launch_types(params)),
            **({} if now is None else {"registeredAt": round(now, 3)}),
        }
        containers = tuple(map(_container, params["containerDefinitions"]))
        definition = TaskDefinition(document, containers, tuple(params.get("tags", ())))
        revisions.append(definition)
        return definition

    def deregister(self, name: str, now: float) -> TaskDefinition:
        """Make a revision INACTIVE.

        Raises:
            AwsError: ClientException if there is none.
        """
        found = self.find(name, "The specified task definition does not exist.")
        revisions = self._families[found.family]
        at = int(found.document["revision"]) - 1
        document = {**found.document, "status": "INACTIVE", "deregisteredAt": round(now, 3)}
        revisions[at] = replace(found, document=document)
        return revisions[at]

    def families(self, prefix: str, status: str) -> list[str]:
        """Return the families that begin with `prefix`: ACTIVE ones have an active revision, INACTIVE ones none; or ALL."""
        active = {
            family: any(each.is_active for each in revisions) for family, revisions in self._families.items()
        }
        wanted = {"ACTIVE": (True,), "INACTIVE": (False,)}.get(status, (True, False))
        return sorted(
            family
            for family, is_active in active.items()
            if family.startswith(prefix) and is_active in wanted
        )

    def log_targets(self) -> Iterator[LogTarget]:
        """Yield the log targets of all containers in all task definitions."""
        for definition in itertools.chain.from_iterable(self._families.values()):
            yield from (container.log for container in definition.containers if container.log is not None)

    def find(self, name: str, unknown: str = "Unable to describe task definition.") -> TaskDefinition:
        """Look up a family, a family:revision or an ARN; no revision, or `:*`, means the latest active one.

        Raises:
            AwsError: ClientException with the message `unknown`.
        """
        family, _, revision = name.removeprefix(self._prefix).partition(":")
        revisions = self._families.get(family, [])
        if revision.isdecimal() and 1 <= int(revision) <= len(revisions):
            return revisions[int(revision) - 1]
        active = [each for each in revisions if each.is_active]
        if active and revision in {"", "*"}:
            return active[-1]
        raise AwsError("ClientException", unknown)


def _sizes(params: Mapping[str, Any]) -> dict[str, str]:
    """Return the task's sizes as ECS stores them: CPU units and MiB, whatever the original unit."""
    readers = {"cpu": cpu_units, "memory": mebibytes}
    return {name: str(read(params[name])) for name, read in readers.items() if name in params}


def _container(item: Mapping[str, Any]) -> ContainerDefinition:
    return ContainerDefinition(
        name=item.get("name", ""),
        image=item.get("image", ""),
        essential=item.get("essential", True),
        entry_point=tuple(item.get("entryPoint", ())),
        command=tuple(item.get("command", ())),
        environment=pairs(item.get("environment", ())),
        stop_timeout=float(item.get("stopTimeout", DEFAULT_STOP_TIMEOUT)),
        log=_log_target(item.get("logConfiguration", {})),
    )


def _log_target(configuration: Mapping[str, Any]) -> LogTarget | None:
    options = configuration.get("options", {})
    if configuration.get("logDriver") != "awslogs" or "awslogs-group" not in options:
        return None
    return LogTarget(
        group=options["awslogs-group"],
        prefix=options.get("awslogs-stream-prefix", "ecs"),
        region=options.get("awslogs-region", "us-east-1"),
        create_group=options.get("awslogs-create-group", "false") == "true",
    )


def pairs(variables: Any) -> dict[str, str]:
    """Convert AWS's list of names and values to a dict."""
    return {variable.get("name", ""): variable.get("value", "") for variable in variables}
