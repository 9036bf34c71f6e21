"""Checks that ECS makes on a task definition of valid types: tables of rules, in ECS's own words.

Sources: Amazon ECS API Reference, "RegisterTaskDefinition" and "ContainerDefinition"; Developer Guide, "Task
definition differences for Fargate"; the texts come from error messages that users have published.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from ecs_async_executor.task_sizes import cpu_units, fargate_has, mebibytes

Document: TypeAlias = Mapping[str, Any]
# The function returns the problem (shown as "{found}"), or a false value.
TaskRule: TypeAlias = tuple[Callable[[Document], object], str]
ContainerRule: TypeAlias = tuple[Callable[[Document, Document], object], str]

# Amazon ECS Developer Guide, "Amazon ECS service quotas".
MAX_CONTAINERS = 10
MAX_BYTES = 64 * 1024
NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")
IMAGE = re.compile(r"[A-Za-z0-9._/:#@-]{1,400}")
ECR_IMAGE = re.compile(r"\d{12}\.dkr[.-]ecr\..+")
FARGATE_LOG_DRIVERS = ("awslogs", "splunk", "awsfirelens")
FARGATE_MAX_STOP_TIMEOUT = 120


def problems(request: Document) -> Iterator[str]:
    """Yield reasons to reject a task definition, whatever the launch type."""
    yield from _of_task(_TASK, request)
    yield from _of_containers(_CONTAINERS, request)
    yield from size_problems(request)


def size_problems(request: Document) -> Iterator[str]:
    """Yield problems with the sizes of a task and its containers, which RunTask's overrides can cause too."""
    yield from _of_task(_TASK_SIZES, request)
    yield from _of_containers(_CONTAINER_SIZES, request)


def fargate_problems(request: Document) -> Iterator[str]:
    """Yield Fargate's reasons to reject a task definition that has no other `problems`."""
    yield from _of_task(_FARGATE_TASK, request)
    yield from fargate_size_problems(request)
    yield from _of_containers(_FARGATE_CONTAINERS, request)


def fargate_size_problems(request: Document) -> Iterator[str]:
    """Yield Fargate's reasons to reject a task's size."""
    yield from _of_task(_FARGATE_SIZES, request)


def launch_types(request: Document) -> tuple[str, ...]:
    """Return the launch types that a task definition without `problems` is valid for (`compatibilities`)."""
    mode = request.get("networkMode", "bridge")
    fits = (
        ("EC2", True),
        ("EXTERNAL", mode != "awsvpc"),
        ("FARGATE", next(fargate_problems(request), None) is None),
        # Amazon ECS API Reference, "ManagedInstancesNetworkConfiguration".
        ("MANAGED_INSTANCES", mode in {"awsvpc", "host", "none"}),
    )
    return tuple(name for name, fit in fits if fit)


def _of_task(rules: Sequence[TaskRule], request: Document) -> Iterator[str]:
    for broken, message in rules:
        if found := broken(request):
            yield message.format(found=found)


def _of_containers(rules: Sequence[ContainerRule], request: Document) -> Iterator[str]:
    for container in request["containerDefinitions"]:
        for broken, message in rules:
            if found := broken(container, request):
                yield message.format(name=container.get("name", ""), found=found)


def _names(request: Document) -> list[str]:
    return [container.get("name", "") for container in request["containerDefinitions"]]


def _too_long(request: Document) -> int:
    size = len(json.dumps(request, separators=(",", ":"), ensure_ascii=False).encode())
    return size if size > MAX_BYTES else 0


def _unknown_volume(container: Document, request: Document) -> str:
    known = {volume.get("name") for volume in request.get("volumes", ())}
    mounted = [mount.get("sourceVolume", "") for mount in container.get("mountPoints", ())]
    return next((volume for volume in mounted if volume not in known), "")


def _shared_name(container: Document, _: Document) -> str:
    variables = {variable.get("name") for variable in container.get("environment", ())}
    return next(
        (secret["name"] for secret in container.get("secrets", ()) if secret["name"] in variables), ""
    )


def _missing_log_options(container: Document, _: Document) -> str:
    log = container.get("logConfiguration", {})
    if log.get("logDriver") != "awslogs":
        return ""
    options = log.get("options", {})
    return ", ".join(name for name in ("awslogs-region", "awslogs-group") if not options.get(name))


def _ports_differ(container: Document, request: Document) -> str:
    mode: str = request.get("networkMode", "")
    differ = any(
        port.get("hostPort", 0) not in {0, port.get("containerPort", 0)}
        for port in container.get("portMappings", ())
    )
    return mode if differ and mode in {"awsvpc", "host"} else ""


def _depends_on(container: Document, request: Document) -> Iterator[tuple[str, Document | None]]:
    """Yield each dependency's condition and container; None if the container doesn't exist."""
    by_name = {other.get("name"): other for other in request["containerDefinitions"]}
    for dependency in container.get("dependsOn", ()):
        yield dependency["condition"], by_name.get(dependency["containerName"])


def _unknown_dependency(container: Document, request: Document) -> str:
    known = _names(request)
    needed = [dependency["containerName"] for dependency in container.get("dependsOn", ())]
    return next((name for name in needed if name not in known), "")


def _waits_for_essential(container: Document, request: Document) -> bool:
    return any(
        condition in {"SUCCESS", "COMPLETE"} and other is not None and other.get("essential", True)
        for condition, other in _depends_on(container, request)
    )


def _waits_for_unchecked(container: Document, request: Document) -> bool:
    return any(
        condition == "HEALTHY" and other is not None and "healthCheck" not in other
        for condition, other in _depends_on(container, request)
    )


_SHARED_NAME = (
    "The secret name must be unique and not shared with any new or existing environment variables set on the "
    "container, such as '{found}'."
)
_TASK: Sequence[TaskRule] = (
    (lambda task: not NAME.fullmatch(task["family"]), "Family contains invalid characters."),
    (lambda task: not task["containerDefinitions"], "Container list cannot be empty."),
    (lambda task: len(task["containerDefinitions"]) > MAX_CONTAINERS, "Too many containers."),
    (
        lambda task: len(set(_names(task))) < len(_names(task)) and all(_names(task)),
        "Container names must be unique within a Task Definition.",
    ),
    (
        lambda task: not any(container.get("essential", True) for container in task["containerDefinitions"]),
        "Task definition doesn't have any essential container.",
    ),
    (_too_long, f"Actual length: '{{found}}'. Max allowed length is '{MAX_BYTES}' bytes."),
)
_CONTAINERS: Sequence[ContainerRule] = (
    (lambda container, _: not container.get("name"), "Container.name should not be null or empty."),
    (
        lambda container, _: not NAME.fullmatch(container["name"]),
        "Container.name contains invalid characters.",
    ),
    (lambda container, _: not container.get("image"), "Container.image should not be null or empty."),
    (
        lambda container, _: not IMAGE.fullmatch(container["image"]),
        "Container.image contains invalid characters.",
    ),
    (_missing_log_options, "Log driver awslogs requires options: {found}"),
    (
        lambda container, task: container.get("secrets") and not task.get("executionRoleArn"),
        "When you are specifying container secrets, you must also specify a value for 'executionRoleArn'.",
    ),
    (
        _shared_name,
        _SHARED_NAME,
    ),
    (_unknown_volume, "Unknown volume '{found}'."),
    (
        _ports_differ,
        "When networkMode={found}, the host ports and container ports in port mappings must match.",
    ),
    (
        lambda container, task: container.get("links") and task.get("networkMode") == "awsvpc",
        "Links are not supported when networkMode=awsvpc.",
    ),
    (_unknown_dependency, "Cannot depend on container + '{found}' because it does not exist"),
    (
        _waits_for_essential,
        "A dependency container with SUCCESS or COMPLETE condition cannot be an essential container",
    ),
    (_waits_for_unchecked, "A dependency container with HEALTHY condition must have health check configured"),
)


def _cpu(task: Document) -> int:
    return cpu_units(task.get("cpu", "")) or 0


def _memory(task: Document) -> int:
    return mebibytes(task.get("memory", "")) or 0


def _larger_than_task(container: Document, task: Document) -> bool:
    limit = _memory(task)
    return bool(limit) and max(container.get("memory", 0), container.get("memoryReservation", 0)) > limit


_TROUBLESHOOTING = "For more information, see the Troubleshooting section of the Amazon ECS Developer Guide."
_TASK_SIZES: Sequence[TaskRule] = (
    (lambda task: "cpu" in task and not _cpu(task), f"Invalid 'cpu' setting for task. {_TROUBLESHOOTING}"),
    (
        lambda task: "memory" in task and not _memory(task),
        f"Invalid 'memory' setting for task. {_TROUBLESHOOTING}",
    ),
    (
        lambda task: 0 < _cpu(task) < sum(each.get("cpu", 0) for each in task["containerDefinitions"]),
        "The sum of all container 'cpu' values cannot be greater than the value of the task 'cpu'.",
    ),
)
_CONTAINER_SIZES: Sequence[ContainerRule] = (
    (
        lambda container, task: (
            not (task.get("memory") or container.get("memory") or container.get("memoryReservation"))
        ),
        "Invalid setting for container '{name}'. At least one of 'memory' or 'memoryReservation' must be specified.",
    ),
    (
        lambda container, _: 0 < container.get("memory", 0) < container.get("memoryReservation", 0),
        "Invalid setting for container '{name}'. 'memory' must be greater than or equal to 'memoryReservation'.",
    ),
    (_larger_than_task, "The 'memory' setting for container '{name}' is greater than for the task."),
)


def _not_on_fargate(task: Document) -> str:
    """Return the first member that only container instances support."""
    hosts = [volume.get("host", {}).get("sourcePath") for volume in task.get("volumes", ())]
    volumes = [volume.get("dockerVolumeConfiguration") for volume in task.get("volumes", ())]
    members = {
        "constraints": task.get("placementConstraints"),
        "ipcMode": task.get("ipcMode"),
        "pidMode": task.get("pidMode") == "host",
        "sourcePath": any(hosts),
        "dockerVolumeConfiguration": any(volumes),
    }
    return next((name for name, given in members.items() if given), "")


def _container_not_on_fargate(container: Document, _: Document) -> str:
    linux = container.get("linuxParameters", {})
    members = {
        "privileged": container.get("privileged"),
        "dockerSecurityOptions": container.get("dockerSecurityOptions"),
        **{name: linux.get(name) for name in ("devices", "sharedMemorySize", "maxSwap", "swappiness")},
    }
    return next((name for name, given in members.items() if given), "")


def _driver(container: Document) -> str:
    return str(container.get("logConfiguration", {}).get("logDriver", ""))


def _no_such_size(task: Document) -> str:
    cpu, memory = _cpu(task), _memory(task)
    return "" if fargate_has(cpu, memory) else f"{cpu} CPU, {memory} memory"


_NOT_ON_FARGATE = "Fargate compatible task definitions do not support {found}"
_FARGATE_TASK: Sequence[TaskRule] = (
    (
        lambda task: task.get("networkMode") != "awsvpc",
        "Fargate only supports network mode \u2018awsvpc\u2019.",
    ),
    (_not_on_fargate, _NOT_ON_FARGATE),
)
_NO_SUCH_SIZE = "No Fargate configuration exists for given values: {found}. See the Amazon ECS documentation for the valid values."
_FARGATE_SIZES: Sequence[TaskRule] = (
    (lambda task: not task.get("cpu"), "Fargate requires that 'cpu' be defined at the task level."),
    (lambda task: not task.get("memory"), "Fargate requires that 'memory' be defined at the task level."),
    (
        _no_such_size,
        _NO_SUCH_SIZE,
    ),
)
_FARGATE_CONTAINERS: Sequence[ContainerRule] = (
    (_container_not_on_fargate, _NOT_ON_FARGATE),
    (
        lambda container, _: any(
            resource["type"] == "GPU" for resource in container.get("resourceRequirements", ())
        ),
        "Tasks using the Fargate launch type do not support GPU resource requirements.",
    ),
    (
        lambda container, _: container.get("stopTimeout", 0) > FARGATE_MAX_STOP_TIMEOUT,
        "Tasks using the Fargate launch type must have a container stop timeout of less than 120 seconds.",
    ),
    (
        lambda container, _: (
            _driver(container) if _driver(container) not in {"", *FARGATE_LOG_DRIVERS} else ""
        ),
        f"{{found}} is not a valid log driver. Must be one of [{','.join(FARGATE_LOG_DRIVERS)}]",
    ),
    (
        lambda container, task: _driver(container) == "awslogs" and not task.get("executionRoleArn"),
        "Fargate requires task definition to have execution role ARN to support log driver awslogs.",
    ),
    (
        lambda container, task: ECR_IMAGE.match(container["image"]) and not task.get("executionRoleArn"),
        "Fargate requires task definition to have execution role ARN to support ECR images.",
    ),
)
