"""RunTask's refusals, with AWS's texts from public bug reports."""

from __future__ import annotations

import pytest

from ecs_async_executor.engine.diagnosis.call_failures import Kind, classify
from tests.support.engine import error

SUBNETS = "networkConfiguration.awsvpcConfiguration.subnets"
GROUPS = "networkConfiguration.awsvpcConfiguration.securityGroups"
PUBLIC_IP = "networkConfiguration.awsvpcConfiguration.assignPublicIp"


@pytest.mark.parametrize(
    ("code", "message", "members", "remedy"),
    [
        ("BlockedException", "Your account is currently blocked.", (), "AWS Support"),
        ("ClusterNotFoundException", "Cluster not found.", ("cluster",), "`cluster`"),
        ("PlatformUnknownException", "", ("platformVersion",), "`platform_version`"),
        (
            "PlatformTaskDefinitionIncompatibilityException",
            "The specified platform does not satisfy the task definition's required capabilities.",
            ("platformVersion", "taskDefinition"),
            "fit",
        ),
        ("UnsupportedFeatureException", "", (), "another Region"),
        (
            "InvalidParameterException",
            "Container Overrides length must be at most 8192",
            ("overrides",),
            "Shorten the executor_config",
        ),
        (
            "InvalidParameterException",
            "Network Configuration is not valid for the given networkMode of this task definition.",
            (SUBNETS, GROUPS, "taskDefinition"),
            "Remove `subnets`, `security_groups`",
        ),
        (
            "InvalidParameterException",
            "Network Configuration must be provided when networkMode 'awsvpc' is specified.",
            ("taskDefinition",),
            "`subnets`",
        ),
        ("InvalidParameterException", "subnets can not be empty.", ("taskDefinition",), "`subnets`"),
        (
            "InvalidParameterException",
            "Task definition does not support launch_type FARGATE.",
            ("launchType", "capacityProviderStrategy", "taskDefinition"),
            "requiresCompatibilities",
        ),
        (
            "InvalidParameterException",
            "The platform version must be null when specifying an EC2 launch type.",
            ("platformVersion", "launchType"),
            "Remove `platform_version`",
        ),
        (
            "InvalidParameterException",
            "Assign public IP is not supported for this launch type.",
            (PUBLIC_IP, "launchType"),
            "`assign_public_ip`",
        ),
        (
            "InvalidParameterException",
            (
                "The specified capacity provider strategy cannot contain a capacity provider that is not associated with"
                " the cluster. Associate the capacity provider with the cluster or specify a valid capacity provider and"
                " try again."
            ),
            ("capacityProviderStrategy", "cluster"),
            "Associate it with the cluster",
        ),
        (
            "InvalidParameterException",
            "The specified capacity provider was not found. Specify a valid capacity provider and try again.",
            ("capacityProviderStrategy", "cluster"),
            "`capacity_provider_strategy`",
        ),
        (
            "InvalidParameterException",
            "Override for container named django is not a container in the TaskDefinition.",
            ("taskDefinition", "overrides"),
            "`container_name`",
        ),
        (
            "InvalidParameterException",
            "'memory' setting for container 'artillery' is greater than for task.",
            ("overrides", "taskDefinition"),
            "`cpu` and `memory`",
        ),
        (
            "ClientException",
            "No Fargate configuration exists for given values.",
            ("overrides", "taskDefinition"),
            "`cpu` and `memory`",
        ),
        (
            "InvalidParameterException",
            (
                "The service couldn't be created because a valid taskRoleArn is not being used. Specify a valid task role in"
                " your task definition and try again."
            ),
            ("enableExecuteCommand", "taskDefinition"),
            "taskRoleArn",
        ),
        (
            "InvalidParameterException",
            (
                "The new ARN and resource ID format must be enabled to add tags to the task. Opt in to the new format and"
                " try again."
            ),
            ("tags", "propagateTags", "enableECSManagedTags"),
            "taskLongArnFormat",
        ),
        (
            "InvalidParameterException",
            "Placement strategies are not supported with FARGATE launch type.",
            ("placementStrategy", "placementConstraints"),
            "Remove them",
        ),
        (
            "InvalidParameterException",
            (
                "Error retrieving subnet information for [birdzview]: The subnet ID 'birdzview' does not exist (ErrorCode:"
                " InvalidSubnetID.NotFound)"
            ),
            (SUBNETS,),
            "Correct the option `subnets`",
        ),
        (
            "InvalidParameterException",
            (
                "Error retrieving security group information for [sg-1]: The security group 'sg-1' does not exist"
                " (ErrorCode: InvalidGroup.NotFound)"
            ),
            (GROUPS, SUBNETS),
            "Correct the option `security_groups`",
        ),
        ("InvalidParameterException", "TaskDefinition is inactive", ("taskDefinition",), "ACTIVE"),
        ("ClientException", "TaskDefinition not found.", ("taskDefinition",), "ACTIVE"),
        ("ClientException", "Unable to describe task definition.", ("taskDefinition",), "ACTIVE"),
        ("ClientException", "Invalid revision number. Number: latest", ("taskDefinition",), "ACTIVE"),
        ("ClientException", "Something new about a task definition and its subnets", (), "options"),
    ],
)
def test_a_refusal_names_the_members_to_correct_and_how(
    code: str, message: str, members: tuple[str, ...], remedy: str
) -> None:
    failure = classify(error(code, message))
    assert failure.kind is Kind.CONFIGURATION
    assert failure.members == members
    assert remedy in failure.diagnosis.remedy
    assert failure.diagnosis.detail.startswith(code)
    assert str(failure.diagnosis).count(message) == 1 or not message
