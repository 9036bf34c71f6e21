"""What RunTask refuses because of the task definition, one row a rule, in AWS's words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.local.conftest import NETWORK, definition

if TYPE_CHECKING:
    from tests.unit.local.conftest import Lab

FARGATE: dict[str, Any] = {"launchType": "FARGATE"}
SPOT = {"capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]}
GROUP = {"capacityProviderStrategy": [{"capacityProvider": "my-asg", "weight": 1}]}
PUBLIC = {"awsvpcConfiguration": {"subnets": ["s"], "assignPublicIp": "ENABLED"}}
PRIVATE = {"awsvpcConfiguration": {"subnets": ["s"], "assignPublicIp": "DISABLED"}}
PLACEMENT = {
    "placementConstraints": [{"type": "distinctInstance"}],
    "placementStrategy": [{"type": "spread", "field": "x"}],
}
DEFINITIONS = (
    definition("airflow", family="bridge", cpu="256"),
    definition("airflow", family="awsvpc", cpu="256", networkMode="awsvpc"),
    definition("airflow", family="ec2", cpu="256", networkMode="awsvpc", requiresCompatibilities=["EC2"]),
    definition("airflow", family="unsized", networkMode="awsvpc"),
    definition(
        "airflow", family="managed", networkMode="host", requiresCompatibilities=["MANAGED_INSTANCES"]
    ),
)
NO_FARGATE = "Task definition does not support launch_type FARGATE."
NO_NETWORK = "Network Configuration must be provided when networkMode 'awsvpc' is specified."
WRONG_NETWORK = "Network Configuration is not valid for the given networkMode of this task definition."
NO_SIZE = "No Fargate configuration exists for given values: {}. See the Amazon ECS documentation for the valid values."


def of_task(**overrides: Any) -> dict[str, Any]:
    return {"overrides": overrides}


def of_container(name: str = "airflow", **override: Any) -> dict[str, Any]:
    return {"overrides": {"containerOverrides": [{"name": name, **override}]}}


REFUSED = {
    "a bridge definition on Fargate": ("bridge", FARGATE, NO_FARGATE),
    "a bridge definition on Fargate Spot": ("bridge", SPOT, NO_FARGATE),
    "an EC2-only definition on Fargate": ("ec2", FARGATE, NO_FARGATE),
    "a definition without a size on Fargate": ("unsized", FARGATE, NO_FARGATE),
    "an awsvpc definition outside AWS": (
        "awsvpc",
        {"launchType": "EXTERNAL"},
        "Task definition does not support launch_type EXTERNAL.",
    ),
    "a definition for Managed Instances on EC2": (
        "managed",
        {"launchType": "EC2", "networkConfiguration": None},
        "Task definition does not support launch_type EC2.",
    ),
    "Fargate without a network": ("awsvpc", {**FARGATE, "networkConfiguration": None}, NO_NETWORK),
    "awsvpc on EC2 without a network": ("awsvpc", {"networkConfiguration": None}, NO_NETWORK),
    "subnets with a bridge definition": ("bridge", {"networkConfiguration": NETWORK}, WRONG_NETWORK),
    "subnets with a bridge definition on a group": (
        "bridge",
        {**GROUP, "networkConfiguration": NETWORK},
        WRONG_NETWORK,
    ),
    "a public address on EC2": (
        "awsvpc",
        {"networkConfiguration": PUBLIC},
        "Assign public IP is not supported for this launch type.",
    ),
    "a platform version on EC2": (
        "awsvpc",
        {"platformVersion": "LATEST"},
        "The platform version must be null when specifying an EC2 launch type.",
    ),
    "placement constraints on Fargate": (
        "awsvpc",
        {**FARGATE, "placementConstraints": PLACEMENT["placementConstraints"]},
        "Placement constraints are not supported with FARGATE launch type.",
    ),
    "placement strategies on Fargate": (
        "awsvpc",
        {**FARGATE, "placementStrategy": PLACEMENT["placementStrategy"]},
        "Placement strategies are not supported with FARGATE launch type.",
    ),
    "an override of another container": (
        "awsvpc",
        of_container("other"),
        "Override for container named other is not a container in the TaskDefinition.",
    ),
    "an override of no container": (
        "awsvpc",
        {"overrides": {"containerOverrides": [{"cpu": 1}]}},
        "Override for container named None is not a container in the TaskDefinition.",
    ),
    "ECS Exec without a task role": (
        "awsvpc",
        {"enableExecuteCommand": True},
        "The service couldn't be created because a valid taskRoleArn is not being used.",
    ),
    "a size that Fargate does not have, by override": (
        "awsvpc",
        {**FARGATE, **of_task(memory="3 GB")},
        NO_SIZE.format("256 CPU, 3072 memory"),
    ),
    "a container larger than its task, by override": (
        "awsvpc",
        of_container(memory=1024),
        "The 'memory' setting for container 'airflow' is greater than for the task.",
    ),
    "a task smaller than its container, by override": (
        "awsvpc",
        {
            "overrides": {
                "memory": "512",
                "containerOverrides": [{"name": "airflow", "memoryReservation": 600}],
            }
        },
        "The 'memory' setting for container 'airflow' is greater than for the task.",
    ),
    "a container with more cpu than its task, by override": (
        "awsvpc",
        of_container(cpu=512),
        "The sum of all container 'cpu' values cannot be greater than the value of the task 'cpu'.",
    ),
}


@pytest.fixture
def lab(lab: Lab) -> Lab:
    for request in DEFINITIONS:
        lab.call("RegisterTaskDefinition", **request)
    return lab


@pytest.mark.parametrize(("family", "params", "message"), REFUSED.values(), ids=REFUSED)
def test_ecs_refuses_to_run(lab: Lab, family: str, params: dict[str, Any], message: str) -> None:
    error = lab.error("RunTask", taskDefinition=family, **params)
    assert (error.code, error.message) == ("InvalidParameterException", message)
    assert not list(lab.ecs.store.all_tasks())


TAKEN = {
    "a bridge definition on EC2": ("bridge", {"networkConfiguration": None}),
    "a bridge definition on a group": ("bridge", {**GROUP, "networkConfiguration": None}),
    "a bridge definition outside AWS": ("bridge", {"launchType": "EXTERNAL", "networkConfiguration": None}),
    "an awsvpc definition on EC2": ("awsvpc", {"networkConfiguration": PRIVATE, **PLACEMENT}),
    "an awsvpc definition on Fargate": ("awsvpc", {**FARGATE, "networkConfiguration": PUBLIC}),
    "an awsvpc definition on Fargate Spot": ("awsvpc", {**SPOT, "platformVersion": "1.4.0"}),
    "a definition for Managed Instances on them": (
        "managed",
        {"launchType": "MANAGED_INSTANCES", "networkConfiguration": None},
    ),
    "a definition for Managed Instances on a provider, which may be them": (
        "managed",
        {**GROUP, "networkConfiguration": None},
    ),
    "a size that Fargate has": ("awsvpc", {**FARGATE, **of_task(cpu=".5 vCPU", memory="1 GB")}),
    "any size on EC2": ("awsvpc", of_task(cpu="300", memory="700")),
    "ECS Exec with a task role": (
        "awsvpc",
        {"enableExecuteCommand": True, **of_task(taskRoleArn="arn:aws:iam::123456789012:role/x")},
    ),
    "the built-in definition on EC2": ("airflow-task", {}),
    "the built-in definition on Fargate": ("airflow-task", FARGATE),
}


@pytest.mark.parametrize(("family", "params"), TAKEN.values(), ids=TAKEN)
def test_ecs_runs(lab: Lab, family: str, params: dict[str, Any]) -> None:
    assert lab.run(taskDefinition=family, **params)


def test_a_platform_version_that_is_not_there_is_unknown(lab: Lab) -> None:
    error = lab.error("RunTask", taskDefinition="awsvpc", **FARGATE, platformVersion="9.9.9")
    assert error.code == "PlatformUnknownException"
