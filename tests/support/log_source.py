"""A stand-in for ECS and CloudWatch Logs that a test slows down, breaks and counts."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from ecs_async_executor.task_arn import TaskArn

DEFINITION = "arn:aws:ecs:eu-central-1:111122223333:task-definition/airflow-task:7"
OPTIONS = {
    "awslogs-group": "/ecs/airflow",
    "awslogs-region": "eu-central-1",
    "awslogs-stream-prefix": "ecs",
}


class FakeAws:
    """One task, whose container prints what a test puts into `printed`."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.printed: list[str] = []
        self.error: Exception | None = None
        """What each call raises."""
        self.gate = threading.Event()
        """Calls wait until it is set."""
        self.gate.set()
        self.options: dict[str, str] = OPTIONS
        self.runtime_id: str | None = None
        self.known = True
        self.requests: list[Mapping[str, Any]] = []
        self.before: Callable[[str], None] = lambda _: None

    def _call(self, name: str) -> None:
        self.calls[name] += 1
        self.before(name)
        assert self.gate.wait(10)
        if self.error is not None:
            raise self.error

    def describe_task(self, arn: TaskArn) -> Mapping[str, Any] | None:
        self._call("DescribeTasks")
        container = {"name": "airflow", "runtimeId": self.runtime_id}
        task = {"taskArn": arn.text, "taskDefinitionArn": DEFINITION, "containers": [container]}
        return task if self.known else None

    def describe_task_definition(self, definition: str, _region: str) -> Mapping[str, Any]:
        self._call("DescribeTaskDefinition")
        configuration = {"logDriver": "awslogs", "options": self.options}
        containers = [{"name": "airflow", "logConfiguration": configuration}]
        return {"taskDefinitionArn": definition, "containerDefinitions": containers}

    def get_log_events(self, request: Mapping[str, Any], _region: str) -> Mapping[str, Any]:
        self._call("GetLogEvents")
        self.requests.append(request)
        end = len(self.printed)
        limit = int(request.get("limit", 10_000))
        start = int(request["nextToken"]) if "nextToken" in request else max(0, end - limit)
        events = [{"timestamp": 1_795_768_491_076, "message": each} for each in self.printed[start:end]]
        return {"events": events, "nextForwardToken": str(end), "nextBackwardToken": str(start)}

    def renew(self) -> None:
        self.calls["renew"] += 1

    def endpoint_of(self, _service: str, _region: str) -> str | None:
        return None
