"""Set-ups and facts made by hand, for the checks' tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ecs_async_executor.config.settings import Settings
from ecs_async_executor.doctor.checks.table import run
from ecs_async_executor.doctor.facts import Fact, Facts, Kind, Known, Question
from ecs_async_executor.doctor.findings import Finding, merged
from ecs_async_executor.doctor.setup import JwtKey, Option, Setup, Target
from ecs_async_executor.messages import Request

SUBNET = {
    "SubnetId": "subnet-1",
    "VpcId": "vpc-1",
    "AvailabilityZone": "eu-central-1a",
    "AvailableIpAddressCount": 250,
}
BODY: Mapping[str, Any] = {
    "cluster": "prod",
    "taskDefinition": "airflow-task",
    "launchType": "FARGATE",
    "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1", "subnet-2"]}},
}
CLUSTER: Mapping[str, Any] = {
    "clusterArn": "arn:aws:ecs:eu-central-1:123456789012:cluster/prod",
    "status": "ACTIVE",
    "registeredContainerInstancesCount": 0,
}
DEFINITION: Mapping[str, Any] = {
    "taskDefinitionArn": "arn:aws:ecs:eu-central-1:123456789012:task-definition/airflow-task:7",
    "family": "airflow-task",
    "status": "ACTIVE",
    "networkMode": "awsvpc",
    "cpu": "1024",
    "memory": "2048",
    "executionRoleArn": "arn:aws:iam::123456789012:role/execution",
    "containerDefinitions": [
        {
            "name": "airflow",
            "image": "registry.example.com/airflow:1",
            "essential": True,
            "logConfiguration": {
                "logDriver": "awslogs",
                "options": {
                    "awslogs-group": "/ecs/airflow-task",
                    "awslogs-region": "eu-central-1",
                    "awslogs-stream-prefix": "airflow",
                },
            },
        }
    ],
}


def a_setup(body: Mapping[str, Any] = BODY, **members: Any) -> Setup:
    """A set-up with one profile, on AWS."""
    options = {"core.executor": Option("ecs_async_executor.AsyncEcsExecutor", "airflow.cfg")}
    settings = Settings(cluster="prod", container_name="airflow", task_definition="airflow-task")
    good: dict[str, Any] = {
        "settings": settings,
        "targets": (Target("default", str(body["cluster"]), "airflow", Request(body, "airflow")),),
        "region": "eu-central-1",
        "options": options | members.pop("more", {}),
        "jwt": JwtKey(64, "AIRFLOW__API_AUTH__JWT_SECRET"),
        "queued_timeout": 5400.0,
        "longest_queued": 5400.0,
    }
    return Setup(**(good | members))


def facts(*, definition: Mapping[str, Any] = DEFINITION, **more: Any) -> Facts:
    """What AWS says to a good set-up; `more` are answers by kind's name, for the kinds without a name."""
    identity = {"Arn": "arn:aws:iam::123456789012:user/me", "Account": "123456789012", "ahead": 0.0} | more
    answers: dict[Question, Fact] = {
        Question(Kind.IDENTITY): Known(identity),
        Question(Kind.CLUSTER, "prod"): Known(CLUSTER),
        Question(Kind.DEFINITION, "airflow-task"): Known(definition),
    }
    return Facts(answers)


def found(setup: Setup, seen: Facts) -> list[Finding]:
    """Run all checks."""
    return merged(run(setup, seen))
