"""botocore's model of ECS, and a valid RunTask request."""

from __future__ import annotations

from functools import cache
from typing import Any

from botocore.loaders import Loader
from botocore.model import ServiceModel

RUN_TASK: dict[str, Any] = {
    "taskDefinition": "airflow-task",
    "clientToken": "1-1",
    "enableECSManagedTags": True,
    "capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT", "weight": 1, "base": 0}],
    "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"], "assignPublicIp": "DISABLED"}},
    "overrides": {
        "containerOverrides": [
            {"name": "airflow", "command": ["run", '{"token": "ü"}'], "environment": [], "cpu": 512}
        ],
        "ephemeralStorage": {"sizeInGiB": 30},
    },
    "tags": [{"key": "team", "value": "data"}],
}


@cache
def operation(name: str) -> Any:
    return ServiceModel(Loader().load_service_model("ecs", "service-2"), "ecs").operation_model(name)
