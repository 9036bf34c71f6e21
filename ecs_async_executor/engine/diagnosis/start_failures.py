"""Why ECS can't start a task: the same words mean the same in RunTask's errors and `failures` and in a stopped task.

Pure. Sources: "API failure reasons" and "Stopped task errors" of the ECS developer guide; texts in public reports of
what ECS answered. A text is matched as AWS writes it, case and all: what stands around it is somebody's resource names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from ecs_async_executor.engine.diagnosis.iam import TRUSTS_ECS_TASKS, one_line


class Outlook(Enum):
    """What launching the same request again promises, if the task never ran."""

    AGAIN = "it may go well"
    USELESS = "it would fail the same way"
    CAPACITY = "it goes well once there is room"


@dataclass(frozen=True, slots=True)
class Cause:
    """A text of AWS's, and what it means."""

    text: re.Pattern[str]
    summary: str
    remedy: str
    outlook: Outlook = Outlook.AGAIN
    members: tuple[str, ...] = ()
    """The members of RunTask that are to be changed, as paths such as `overrides.cpu`."""


def as_aws_writes(pattern: str) -> re.Pattern[str]:
    """Compile a text that AWS writes in one way only."""
    return re.compile(pattern, re.DOTALL)


def find_cause(causes: Iterable[Cause], *texts: str) -> Cause | None:
    """Give the first cause that one of the texts names."""
    return next((cause for cause in causes if any(cause.text.search(text) for text in texts)), None)


NO_CAPACITY = "ECS has no capacity for the task now."
_WAIT = "Waiting for room: nothing to do if it is short; else add capacity, subnets in other zones, or raise the quota."
_NETWORK = "networkConfiguration.awsvpcConfiguration"
# A keyword is all that RunTask gives as reason; of a stopped task it stands behind its stop code.
_KEYWORD = r"(?:^|TaskFailedToStart: ?)"

START_FAILURES = (
    Cause(
        as_aws_writes(r"Unable to assume the service linked role"),
        "ECS can't use its service-linked role yet.",
        "AWS creates it with the first task of an account, which takes some seconds. If it stays away: "
        "aws iam create-service-linked-role --aws-service-name ecs.amazonaws.com",
    ),
    Cause(
        as_aws_writes(r"ECS was unable to assume the configured ECS Infrastructure Role"),
        "ECS can't assume the infrastructure role of the task's volume.",
        "A new role takes some seconds. If it stays so, let the role's trust policy name the service ecs.amazonaws.com.",
        members=("volumeConfigurations",),
    ),
    Cause(
        as_aws_writes(r"ECS was unable to assume the role"),
        "ECS can't assume a role of the task.",
        "A new role takes some seconds. If it stays so, check that the role exists, and set its trust policy: "
        + one_line(TRUSTS_ECS_TASKS),
        members=("overrides.executionRoleArn", "overrides.taskRoleArn"),
    ),
    Cause(
        as_aws_writes(r"No Container Instances were found in your cluster"),
        "The cluster has no container instances.",
        "A launch type starts none: use the capacity provider (`capacity_provider_strategy`) instead of `launch_type`, "
        "or register instances.",
        Outlook.CAPACITY,
        ("launchType",),
    ),
    Cause(
        as_aws_writes(r"No Container Instances were found in your capacity provider"),
        "The capacity provider has no container instances.",
        "Waiting for its Auto Scaling group: check that it may grow, and that its instances join the cluster.",
        Outlook.CAPACITY,
        ("capacityProviderStrategy",),
    ),
    Cause(
        as_aws_writes(rf"{_KEYWORD}(EMPTY CAPACITY PROVIDER|NO ACTIVE INSTANCES)\b"),
        NO_CAPACITY,
        "The capacity provider has no instances: check that its Auto Scaling group may grow, and that its instances "
        "join the cluster.",
        Outlook.CAPACITY,
    ),
    Cause(
        as_aws_writes(
            r"(?<![\w:])RESOURCE:[A-Z][A-Z_]*\b|Capacity is unavailable at this time"
            r"|reached the limit on the number of (vCPUs|tasks)|provisioning capacity limit|in the PROVISIONING state"
        ),
        NO_CAPACITY,
        _WAIT,
        Outlook.CAPACITY,
    ),
    Cause(
        as_aws_writes(
            r"InsufficientFreeAddressesInSubnet|(?i:insufficient (free )?(ip )?addresses)|not enough free addresses"
        ),
        NO_CAPACITY,
        "The subnets have no free addresses: add others, or wait for tasks to end.",
        Outlook.CAPACITY,
        (f"{_NETWORK}.subnets",),
    ),
    Cause(
        as_aws_writes(rf"{_KEYWORD}AGENT\b"),
        "The agent of the container instance is disconnected.",
        "Waiting for it, or for another instance: if it lasts, look into the agent's log.",
        Outlook.CAPACITY,
    ),
    Cause(
        as_aws_writes(rf"{_KEYWORD}LOCATION\b"),
        "No container instance is in a zone of the subnets.",
        "Choose subnets in the zones of the instances.",
        Outlook.USELESS,
        (f"{_NETWORK}.subnets",),
    ),
    Cause(
        as_aws_writes(rf"{_KEYWORD}ATTRIBUTE\b"),
        "No container instance has an attribute that the task needs.",
        "Compare what the task definition asks for (network mode, log driver, GPUs, processor) with the instances.",
        Outlook.USELESS,
        ("taskDefinition",),
    ),
    Cause(
        as_aws_writes(r"placement constraint unsatisfied"),
        "No container instance meets the placement constraints.",
        "Correct them, in the task definition or in `placementConstraints`, or add instances that meet them.",
        Outlook.USELESS,
        ("placementConstraints", "taskDefinition"),
    ),
)
