"""Why ECS can't start a task: one table for RunTask's errors, RunTask's `failures` and stopped tasks.

AWS uses the same wording in all three. Pure. Sources: "API failure reasons" and "Stopped task errors" of the ECS
developer guide; ECS's error texts in public bug reports. Patterns match AWS's exact wording, case included, because the
rest of a message holds the names of a user's resources.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from ecs_async_executor.engine.diagnosis.iam import TRUSTS_ECS_TASKS, one_line


class Outlook(Enum):
    """What to expect from launching the same request again, if the task never ran."""

    AGAIN = "it may succeed"
    USELESS = "it would fail the same way"
    CAPACITY = "it succeeds once there is capacity"


@dataclass(frozen=True, slots=True)
class Cause:
    """One of AWS's error texts, and what it means."""

    text: re.Pattern[str]
    summary: str
    remedy: str
    outlook: Outlook = Outlook.AGAIN
    members: tuple[str, ...] = ()
    """The members of the request to correct, as paths such as `overrides.cpu`."""


def as_aws_writes(pattern: str) -> re.Pattern[str]:
    """Compile a text that AWS always words the same way."""
    return re.compile(pattern, re.DOTALL)


def find_cause(causes: Iterable[Cause], *texts: str) -> Cause | None:
    """Return the first cause that any of the texts matches."""
    return next((cause for cause in causes if any(cause.text.search(text) for text in texts)), None)


NO_CAPACITY = "ECS has no capacity for the task now."
_WAIT = "The executor waits and tries again. If it takes too long, add capacity or subnets in other zones, or raise the quota."
_NETWORK = "networkConfiguration.awsvpcConfiguration"
# In RunTask's answer, the keyword is the whole reason; in a stopped task, it follows the stop code.
_KEYWORD = r"(?:^|TaskFailedToStart: ?)"

START_FAILURES = (
    Cause(
        as_aws_writes(r"Unable to assume the service linked role"),
        "ECS can't use its service-linked role yet.",
        "AWS creates it with an account's first task, which takes a few seconds. If it still fails after that, run: "
        "aws iam create-service-linked-role --aws-service-name ecs.amazonaws.com",
    ),
    Cause(
        as_aws_writes(r"ECS was unable to assume the configured ECS Infrastructure Role"),
        "ECS can't assume the infrastructure role of the task's volume.",
        "ECS can use a new role after a few seconds. If it still fails, the role's trust policy must name the service "
        "ecs.amazonaws.com.",
        members=("volumeConfigurations",),
    ),
    Cause(
        as_aws_writes(r"ECS was unable to assume the role"),
        "ECS can't assume a role of the task.",
        "ECS can use a new role after a few seconds. If it still fails, check that the role exists, and set its trust policy: "
        + one_line(TRUSTS_ECS_TASKS),
        members=("overrides.executionRoleArn", "overrides.taskRoleArn"),
    ),
    Cause(
        as_aws_writes(r"No Container Instances were found in your cluster"),
        "The cluster has no container instances.",
        "A launch type doesn't start any: use a capacity provider (`capacity_provider_strategy`) instead of `launch_type`, "
        "or register instances.",
        Outlook.CAPACITY,
        ("launchType",),
    ),
    Cause(
        as_aws_writes(r"No Container Instances were found in your capacity provider"),
        "The capacity provider has no container instances.",
        "The executor waits for its Auto Scaling group: check that it may grow, and that its instances join the cluster.",
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
        "The subnets have no free IP addresses: add more subnets, or wait for tasks to end.",
        Outlook.CAPACITY,
        (f"{_NETWORK}.subnets",),
    ),
    Cause(
        as_aws_writes(rf"{_KEYWORD}AGENT\b"),
        "The ECS agent of the container instance is disconnected.",
        "The executor waits for it, or for another instance. If it lasts, check the agent's log.",
        Outlook.CAPACITY,
    ),
    Cause(
        as_aws_writes(rf"{_KEYWORD}LOCATION\b"),
        "No container instance is in an Availability Zone of the subnets.",
        "Choose subnets in the instances' Availability Zones.",
        Outlook.USELESS,
        (f"{_NETWORK}.subnets",),
    ),
    Cause(
        as_aws_writes(rf"{_KEYWORD}ATTRIBUTE\b"),
        "No container instance has all the attributes that the task needs.",
        "Compare the task definition's needs (network mode, log driver, GPUs, processor) with the instances.",
        Outlook.USELESS,
        ("taskDefinition",),
    ),
    Cause(
        as_aws_writes(r"placement constraint unsatisfied"),
        "No container instance meets the placement constraints.",
        "Correct them in the task definition or in `placementConstraints`, or add instances that meet them.",
        Outlook.USELESS,
        ("placementConstraints", "taskDefinition"),
    ),
)
