"""What RegisterTaskDefinition refuses, one row a rule, in AWS's words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.local.conftest import definition

if TYPE_CHECKING:
    from tests.unit.local.conftest import Lab

FARGATE = {
    "requiresCompatibilities": ["FARGATE"],
    "networkMode": "awsvpc",
    "cpu": "256",
    "memory": "512",
}
ROLE = {"executionRoleArn": "arn:aws:iam::123456789012:role/execution"}
AWSLOGS = {"awslogs-group": "g", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "p"}
TROUBLESHOOTING = "For more information, see the Troubleshooting section of the Amazon ECS Developer Guide."
SHARED_NAME = (
    "The secret name must be unique and not shared with any new or existing environment variables set on the "
    "container, such as 'S'."
)
NO_SUCH_SIZE = (
    "No Fargate configuration exists for given values: 512 CPU, 512 memory. See the Amazon ECS documentation for "
    "the valid values."
)


def with_log(driver: str, **options: str) -> dict[str, Any]:
    return {"name": "a", "logConfiguration": {"logDriver": driver, "options": options}}


def on_fargate(container: str | dict[str, Any] = "a", **fields: Any) -> dict[str, Any]:
    return definition(container, **{**FARGATE, **fields})


REFUSED = {
    "a family with a space": (definition("a", family="my family"), "Family contains invalid characters."),
    "a family of 256 characters": (definition("a", family="f" * 256), "Family contains invalid characters."),
    "no container": (definition(), "Container list cannot be empty."),
    "eleven containers": (definition(*map(str, range(11))), "Too many containers."),
    "a container without a name": (definition({}), "Container.name should not be null or empty."),
    "a container's name with a dot": (definition("a.b"), "Container.name contains invalid characters."),
    "two containers of one name": (
        definition("a", "a"),
        "Container names must be unique within a Task Definition.",
    ),
    "nothing essential": (
        definition({"name": "a", "essential": False}),
        "Task definition doesn't have any essential container.",
    ),
    "a container without an image": (
        definition({"name": "a", "image": ""}),
        "Container.image should not be null or empty.",
    ),
    "an image with a blank at its end": (
        definition({"name": "a", "image": "airflow:3 "}),
        "Container.image contains invalid characters.",
    ),
    "more than 64 KiB": (
        definition({"name": "a", "command": ["x" * 65_536]}),
        "Actual length: '65630'. Max allowed length is '65536' bytes.",
    ),
    "awslogs without options": (
        definition(with_log("awslogs")),
        "Log driver awslogs requires options: awslogs-region, awslogs-group",
    ),
    "awslogs without a Region": (
        definition(with_log("awslogs", **{"awslogs-group": "g"})),
        "Log driver awslogs requires options: awslogs-region",
    ),
    "secrets without an execution role": (
        definition({"name": "a", "secrets": [{"name": "S", "valueFrom": "arn"}]}),
        "When you are specifying container secrets, you must also specify a value for 'executionRoleArn'.",
    ),
    "a secret named as a variable": (
        definition(
            {
                "name": "a",
                "secrets": [{"name": "S", "valueFrom": "arn"}],
                "environment": [{"name": "S", "value": "v"}],
            },
            **ROLE,
        ),
        SHARED_NAME,
    ),
    "a volume that is not there": (
        definition({"name": "a", "mountPoints": [{"sourceVolume": "dags"}]}),
        "Unknown volume 'dags'.",
    ),
    "ports that differ in awsvpc": (
        definition(
            {"name": "a", "portMappings": [{"containerPort": 80, "hostPort": 8080}]}, networkMode="awsvpc"
        ),
        "When networkMode=awsvpc, the host ports and container ports in port mappings must match.",
    ),
    "links in awsvpc": (
        definition({"name": "a", "links": ["b"]}, "b", networkMode="awsvpc"),
        "Links are not supported when networkMode=awsvpc.",
    ),
    "a dependency that is not there": (
        definition({"name": "a", "dependsOn": [{"containerName": "b", "condition": "START"}]}),
        "Cannot depend on container + 'b' because it does not exist",
    ),
    "waiting for the end of an essential container": (
        definition({"name": "a", "dependsOn": [{"containerName": "b", "condition": "SUCCESS"}]}, "b"),
        "A dependency container with SUCCESS or COMPLETE condition cannot be an essential container",
    ),
    "waiting for the health of a container without a check": (
        definition({"name": "a", "dependsOn": [{"containerName": "b", "condition": "HEALTHY"}]}, "b"),
        "A dependency container with HEALTHY condition must have health check configured",
    ),
    "a cpu that ECS does not read": (
        definition("a", cpu="500m"),
        f"Invalid 'cpu' setting for task. {TROUBLESHOOTING}",
    ),
    "a memory that ECS does not read": (
        definition("a", memory="2Gi"),
        f"Invalid 'memory' setting for task. {TROUBLESHOOTING}",
    ),
    "containers with more cpu than their task": (
        definition({"name": "a", "cpu": 200}, {"name": "b", "cpu": 100}, cpu="256"),
        "The sum of all container 'cpu' values cannot be greater than the value of the task 'cpu'.",
    ),
    "memory nowhere": (
        {"family": "f", "containerDefinitions": [{"name": "a", "image": "i"}]},
        "Invalid setting for container 'a'. At least one of 'memory' or 'memoryReservation' must be specified.",
    ),
    "a reservation above the limit": (
        definition({"name": "a", "memory": 128, "memoryReservation": 256}),
        "Invalid setting for container 'a'. 'memory' must be greater than or equal to 'memoryReservation'.",
    ),
    "a container larger than its task": (
        definition({"name": "a", "memory": 1024}, memory="0.5 GB"),
        "The 'memory' setting for container 'a' is greater than for the task.",
    ),
    "Fargate in bridge mode": (
        on_fargate(networkMode="bridge"),
        "Fargate only supports network mode \u2018awsvpc\u2019.",
    ),
    "Fargate without cpu": (
        definition("a", requiresCompatibilities=["FARGATE"], networkMode="awsvpc"),
        "Fargate requires that 'cpu' be defined at the task level.",
    ),
    "Fargate without memory": (
        {
            **{name: value for name, value in FARGATE.items() if name != "memory"},
            "family": "f",
            "containerDefinitions": [{"name": "a", "image": "i", "memory": 128}],
        },
        "Fargate requires that 'memory' be defined at the task level.",
    ),
    "a size that Fargate does not have": (
        on_fargate(cpu="512", memory="512"),
        NO_SUCH_SIZE,
    ),
    "Fargate with placement constraints": (
        on_fargate(placementConstraints=[{"type": "memberOf", "expression": "x"}]),
        "Fargate compatible task definitions do not support constraints",
    ),
    "Fargate with the host's processes": (
        on_fargate(pidMode="host"),
        "Fargate compatible task definitions do not support pidMode",
    ),
    "Fargate with the host's folders": (
        on_fargate(volumes=[{"name": "v", "host": {"sourcePath": "/dags"}}]),
        "Fargate compatible task definitions do not support sourcePath",
    ),
    "Fargate with a Docker volume": (
        on_fargate(volumes=[{"name": "v", "dockerVolumeConfiguration": {"driver": "local"}}]),
        "Fargate compatible task definitions do not support dockerVolumeConfiguration",
    ),
    "a privileged container on Fargate": (
        on_fargate({"name": "a", "privileged": True}),
        "Fargate compatible task definitions do not support privileged",
    ),
    "shared memory on Fargate": (
        on_fargate({"name": "a", "linuxParameters": {"sharedMemorySize": 64}}),
        "Fargate compatible task definitions do not support sharedMemorySize",
    ),
    "a GPU on Fargate": (
        on_fargate({"name": "a", "resourceRequirements": [{"type": "GPU", "value": "1"}]}),
        "Tasks using the Fargate launch type do not support GPU resource requirements.",
    ),
    "a stopTimeout of more than two minutes on Fargate": (
        on_fargate({"name": "a", "stopTimeout": 121}),
        "Tasks using the Fargate launch type must have a container stop timeout of less than 120 seconds.",
    ),
    "json-file on Fargate": (
        on_fargate(with_log("json-file")),
        "json-file is not a valid log driver. Must be one of [awslogs,splunk,awsfirelens]",
    ),
    "awslogs on Fargate without an execution role": (
        on_fargate(with_log("awslogs", **AWSLOGS)),
        "Fargate requires task definition to have execution role ARN to support log driver awslogs.",
    ),
    "an image of ECR on Fargate without an execution role": (
        on_fargate({"name": "a", "image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/airflow:3"}),
        "Fargate requires task definition to have execution role ARN to support ECR images.",
    ),
}


@pytest.mark.parametrize(("request_", "message"), REFUSED.values(), ids=REFUSED)
def test_ecs_refuses_to_register(lab: Lab, request_: dict[str, Any], message: str) -> None:
    error = lab.error("RegisterTaskDefinition", **request_)
    assert (error.code, error.message) == ("ClientException", message)
    assert "Unable to describe" in lab.error("DescribeTaskDefinition", taskDefinition="f").message


TAKEN = {
    "a container's memory alone": {
        "family": "f",
        "containerDefinitions": [{"name": "a", "image": "i", "memoryReservation": 128}],
    },
    "ten containers": definition(*map(str, range(10))),
    "equal ports in awsvpc": definition(
        {"name": "a", "portMappings": [{"containerPort": 80, "hostPort": 80}]}, networkMode="awsvpc"
    ),
    "other ports in bridge mode": definition(
        {"name": "a", "portMappings": [{"containerPort": 80, "hostPort": 8080}]}
    ),
    "a container as large as its task": definition({"name": "a", "memory": 512, "cpu": 256}, cpu="256"),
    "a digest as image": definition({"name": "a", "image": f"repository/image@sha256:{'0' * 64}"}),
    "EC2 without a task size": definition("a", requiresCompatibilities=["EC2"]),
    "EC2 with the host's folders": definition("a", volumes=[{"name": "v", "host": {"sourcePath": "/x"}}]),
    "Fargate": on_fargate(),
    "Fargate with units": on_fargate(cpu="1 vCPU", memory="2GB"),
    "Fargate with a role, logs and ECR": on_fargate(
        {
            **with_log("awslogs", **AWSLOGS),
            "image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/airflow:3",
            "stopTimeout": 120,
        },
        **ROLE,
    ),
}


@pytest.mark.parametrize("request_", TAKEN.values(), ids=TAKEN)
def test_ecs_registers(lab: Lab, request_: dict[str, Any]) -> None:
    assert lab.call("RegisterTaskDefinition", **request_)["taskDefinition"]["revision"] == 1


def test_the_tags_of_a_definition_are_checked(lab: Lab) -> None:
    error = lab.error("RegisterTaskDefinition", **definition("a", tags=[{"key": "aws:x"}]))
    assert error.code == "InvalidParameterException"
