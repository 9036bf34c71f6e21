"""Checks that a RunTask request fits the task definition it names: a table of rules, in ECS's own words.

Sources: Amazon ECS API Reference, "RunTask" and "TaskOverride"; the texts come from error messages that
users have published.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ecs_async_executor.ecs_rules import FARGATE_PROVIDERS
from ecs_async_executor.local.rules.protocol import AwsError, invalid, raise_first
from ecs_async_executor.local.rules.registration import fargate_size_problems, size_problems

if TYPE_CHECKING:
    from ecs_async_executor.local.state.definitions import TaskDefinition

# AWS Fargate platform versions for Linux; "Fargate platform versions", Amazon ECS Developer Guide.
PLATFORM_VERSIONS = frozenset({"LATEST", "1.0.0", "1.1.0", "1.2.0", "1.3.0", "1.4.0"})
LAUNCH_TYPES = frozenset({"EC2", "EXTERNAL", "MANAGED_INSTANCES"})
_SIZES = ("cpu", "memory")
_CONTAINER_SIZES = ("cpu", "memory", "memoryReservation")


@dataclass(frozen=True, slots=True)
class CheckedRequest:
    """A RunTask request, its task definition, and the resulting launch type or capacity provider."""

    params: Mapping[str, Any]
    definition: TaskDefinition
    provider: str

    @property
    def launch_types(self) -> tuple[str, ...]:
        """The possible launch types of the provider; a custom one is an Auto Scaling group or Managed Instances."""
        if self.provider in FARGATE_PROVIDERS:
            return ("FARGATE",)
        return (self.provider,) if self.provider in LAUNCH_TYPES else ("EC2", "MANAGED_INSTANCES")

    @property
    def unsupported(self) -> str:
        """The launch type to reject, if the task definition supports none of the provider's; else an empty string."""
        return self.launch_types[0] if self.definition.launch_types.isdisjoint(self.launch_types) else ""

    @property
    def on_fargate(self) -> bool:
        """Whether Fargate runs the task."""
        return self.launch_types == ("FARGATE",)

    @property
    def network(self) -> Mapping[str, Any]:
        """The awsvpcConfiguration, or an empty one."""
        network: Mapping[str, Any] = self.params.get("networkConfiguration", {}).get(
            "awsvpcConfiguration", {}
        )
        return network

    @property
    def overrides(self) -> Mapping[str, Any]:
        """The overrides, or empty ones."""
        overrides: Mapping[str, Any] = self.params.get("overrides", {})
        return overrides


def check_fit(params: Mapping[str, Any], definition: TaskDefinition, provider: str) -> None:
    """Check a request against the task definition it names.

    Raises:
        AwsError: InvalidParameterException, or PlatformUnknownException.
    """
    request = CheckedRequest(params, definition, provider)
    for broken, message in _RULES:
        if found := broken(request):
            raise invalid(message.format(found=found))
    if params.get("platformVersion", "LATEST") not in PLATFORM_VERSIONS:
        raise AwsError("PlatformUnknownException", "The specified platform version does not exist.")
    raise_first(_overridden_size_problems(request))


def _unknown_container(request: CheckedRequest) -> str:
    names = {container.name for container in request.definition.containers}
    overridden = [override.get("name") for override in request.overrides.get("containerOverrides", ())]
    return next((str(name)[:255] for name in overridden if name not in names), "")


def _has_task_role(request: CheckedRequest) -> bool:
    return bool(request.definition.document.get("taskRoleArn") or request.overrides.get("taskRoleArn"))


def _overridden_size_problems(request: CheckedRequest) -> Iterator[str]:
    """Yield problems with the sizes that result from the overrides."""
    overridden = {
        override["name"]: {name: override[name] for name in _CONTAINER_SIZES if name in override}
        for override in request.overrides.get("containerOverrides", ())
    }
    sizes = {name: request.overrides[name] for name in _SIZES if name in request.overrides}
    if not sizes and not any(overridden.values()):
        return
    document = request.definition.document
    containers = [
        {**container, **overridden.get(container["name"], {})}
        for container in document["containerDefinitions"]
    ]
    merged = {**document, **sizes, "containerDefinitions": containers}
    yield from size_problems(merged)
    if request.on_fargate:
        yield from fargate_size_problems(merged)


# The function returns the problem (shown as "{found}"), or a false value.
_RULES: Sequence[tuple[Callable[[CheckedRequest], object], str]] = (
    (
        lambda request: request.unsupported,
        "Task definition does not support launch_type {found}.",
    ),
    (
        lambda request: request.definition.network_mode == "awsvpc" and not request.network.get("subnets"),
        "Network Configuration must be provided when networkMode 'awsvpc' is specified.",
    ),
    (
        lambda request: (
            request.definition.network_mode != "awsvpc" and "networkConfiguration" in request.params
        ),
        "Network Configuration is not valid for the given networkMode of this task definition.",
    ),
    (
        lambda request: not request.on_fargate and request.network.get("assignPublicIp") == "ENABLED",
        "Assign public IP is not supported for this launch type.",
    ),
    (
        lambda request: not request.on_fargate and request.params.get("platformVersion"),
        "The platform version must be null when specifying an EC2 launch type.",
    ),
    (
        lambda request: request.on_fargate and request.params.get("placementConstraints"),
        "Placement constraints are not supported with FARGATE launch type.",
    ),
    (
        lambda request: request.on_fargate and request.params.get("placementStrategy"),
        "Placement strategies are not supported with FARGATE launch type.",
    ),
    (
        _unknown_container,
        "Override for container named {found} is not a container in the TaskDefinition.",
    ),
    (
        lambda request: request.params.get("enableExecuteCommand") and not _has_task_role(request),
        "The service couldn't be created because a valid taskRoleArn is not being used.",
    ),
)
