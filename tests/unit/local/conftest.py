"""A local ECS without network, process or time: calls are function calls, and the clock is a number."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ecs_async_executor.local.api import calls
from ecs_async_executor.local.ecs import Ecs
from ecs_async_executor.local.options import Options
from ecs_async_executor.local.rules.protocol import AwsError
from ecs_async_executor.local.runtimes.simulated import SimulatedRuntime

NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}


def definition(*containers: str | dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Return a RegisterTaskDefinition request that ECS takes for EC2, unless `fields` spoil it."""
    listed = [{"name": each} if isinstance(each, str) else each for each in containers]
    return {
        "family": "f",
        "memory": "512",
        "containerDefinitions": [{"image": "i", **container} for container in listed],
        **fields,
    }


class Lab:
    """A simulated ECS and its clock."""

    def __init__(self, **options: Any) -> None:
        self.now = 1_000_000.0
        self.ecs = Ecs(Options(runtime="simulated", seed=1, **options), lambda: self.now, SimulatedRuntime())

    def call(self, action: str, **params: Any) -> dict[str, Any]:
        """Return the answer's document; RunTask gets a network unless it says None."""
        if action == "RunTask":
            params = {"networkConfiguration": NETWORK, **params}
        answer, _ = calls.answer(self.ecs, action, json.dumps(params).encode())
        document: dict[str, Any] = json.loads(answer.body)
        return document

    def error(self, action: str, **params: Any) -> AwsError:
        """Return the error that the call ends in."""
        with pytest.raises(AwsError) as caught:
            self.call(action, **params)
        return caught.value

    def run(self, **params: Any) -> str:
        """Launch a task of the default definition and return its ARN."""
        arn: str = self.call("RunTask", **{"taskDefinition": "airflow-task", **params})["tasks"][0]["taskArn"]
        return arn

    def describe(self, arn: str, **params: Any) -> dict[str, Any]:
        """Return one task as DescribeTasks shows it."""
        task: dict[str, Any] = self.call("DescribeTasks", tasks=[arn], **params)["tasks"][0]
        return task


@pytest.fixture
def lab() -> Lab:
    return Lab()
