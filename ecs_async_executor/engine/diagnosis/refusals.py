"""What RunTask's refusals mean: which member of the request is wrong, and how to correct it. Pure.

Sources: ECS API reference (RunTask, "Errors"); ECS's error texts in public bug reports.
"""

from __future__ import annotations

from collections.abc import Mapping

from ecs_async_executor.engine.diagnosis.start_failures import Cause, Outlook, as_aws_writes, find_cause

_NETWORK = "networkConfiguration.awsvpcConfiguration"


def _row(text: str, summary: str, remedy: str, *members: str) -> Cause:
    return Cause(as_aws_writes(text), summary, remedy, Outlook.USELESS, members)


_BY_CODE: Mapping[str, Cause] = {
    "BlockedException": _row("", "AWS has blocked this account.", "Ask AWS Support."),
    "ClusterNotFoundException": _row(
        "",
        "ECS knows no such cluster.",
        "Set `cluster` to an existing one of this Region and account, or correct the Region.",
        "cluster",
    ),
    "PlatformUnknownException": _row(
        "",
        "ECS knows no such platform version.",
        "Set `platform_version` to one that exists, or remove it.",
        "platformVersion",
    ),
    "PlatformTaskDefinitionIncompatibilityException": _row(
        "",
        "The platform version can't run the task definition.",
        "Change `platform_version` or the task definition so that they fit.",
        "platformVersion",
        "taskDefinition",
    ),
    "UnsupportedFeatureException": _row(
        "",
        "The task uses a feature that this Region does not offer.",
        "Stop using it, or use another Region.",
    ),
}

# Specific texts come first: many also name a subnet, a container or a task definition that isn't the problem.
_BY_TEXT = (
    _row(
        r"Container Overrides length must be at most",
        "The overrides are too long for ECS.",
        "Shorten the executor_config: its environment and names count too.",
        "overrides",
    ),
    _row(
        r"Network Configuration is not valid for the given networkMode",
        "The request has subnets or security groups, but the task definition's network mode is not awsvpc.",
        "Remove `subnets`, `security_groups` and `assign_public_ip`, or use a task definition with networkMode awsvpc.",
        f"{_NETWORK}.subnets",
        f"{_NETWORK}.securityGroups",
        "taskDefinition",
    ),
    _row(
        r"Network Configuration must be provided when networkMode 'awsvpc' is specified|subnets can not be empty",
        "The task definition's network mode is awsvpc, which needs subnets, and the request has none.",
        "Set the option `subnets`, or `networkConfiguration` where the task definition is set.",
        "taskDefinition",
    ),
    _row(
        r"does not support launch_type",
        "The task definition can't run on this launch type.",
        "Add the launch type to the task definition's requiresCompatibilities, or choose another launch type.",
        "launchType",
        "capacityProviderStrategy",
        "taskDefinition",
    ),
    _row(
        r"platform version must be null",
        "Only Fargate has platform versions.",
        "Remove `platform_version`.",
        "platformVersion",
        "launchType",
    ),
    _row(
        r"Assign public IP is not supported for this launch type",
        "Only tasks on Fargate can have a public IP address.",
        "Set `assign_public_ip` to False.",
        f"{_NETWORK}.assignPublicIp",
        "launchType",
    ),
    _row(
        r"capacity provider that is not associated with the cluster|specified capacity provider was not found",
        "The cluster has no such capacity provider.",
        "Associate it with the cluster, or correct `capacity_provider_strategy`.",
        "capacityProviderStrategy",
        "cluster",
    ),
    _row(
        r"Override for container named \S+ is not a container in the TaskDefinition",
        "The request overrides a container that the task definition does not have.",
        "Set `container_name` (the option, or in the queue's profile) to the task definition's Airflow container, or "
        "correct the container names in `overrides`.",
        "taskDefinition",
        "overrides",
    ),
    _row(
        r"'(cpu|memory)' setting for container .* is greater than|No Fargate configuration exists for given values"
        r"|Invalid '(cpu|memory)' setting for task",
        "The task can't have this size.",
        "Choose `cpu` and `memory` values that ECS allows together; no container may have more than the task.",
        "overrides",
        "taskDefinition",
    ),
    _row(
        r"valid taskRoleArn is not being used",
        "`enableExecuteCommand` needs a task role.",
        "Give the task definition a taskRoleArn, or remove `enableExecuteCommand`.",
        "enableExecuteCommand",
        "taskDefinition",
    ),
    _row(
        r"new ARN and resource ID format must be enabled|[Ll]ong arn format must be used",
        "This account must use the long ARN format before its tasks can have tags.",
        "Run `aws ecs put-account-setting-default --name taskLongArnFormat --value enabled`, or remove the tags.",
        "tags",
        "propagateTags",
        "enableECSManagedTags",
    ),
    _row(
        r"Placement (strategies|constraints) are not supported",
        "Tasks on Fargate can't have placement strategies or constraints.",
        "Remove them.",
        "placementStrategy",
        "placementConstraints",
    ),
    _row(
        r"InvalidSubnetID|subnet ID '[^']*' does not exist",
        "A subnet does not exist in this Region and account.",
        "Correct the subnets.",
        f"{_NETWORK}.subnets",
    ),
    _row(
        r"InvalidGroup(Id)?\.|security group '[^']*' does not exist|[Ss]ecurity group.* different (network|VPC)",
        "A security group does not exist in the VPC of the subnets.",
        "Correct the security groups.",
        f"{_NETWORK}.securityGroups",
        f"{_NETWORK}.subnets",
    ),
    _row(
        r"TaskDefinition is inactive",
        "The task definition was deregistered: it is INACTIVE.",
        "Name a revision that is ACTIVE, or the family alone for the latest one.",
        "taskDefinition",
    ),
    _row(
        r"TaskDefinition not found|Unable to describe task definition|Invalid revision number",
        "ECS knows no such task definition.",
        "Name one that is ACTIVE in this Region and account.",
        "taskDefinition",
    ),
)


def refusal_of(code: str, message: str) -> Cause | None:
    """Return what a refusal means, by its code or its text; None if neither is known."""
    return _BY_CODE.get(code) or find_cause(_BY_TEXT, message)
