"""The report of a task's end tells what the task has used, as the last DescribeTasks shows it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ecs_async_executor.engine.responses import parse_tasks
from ecs_async_executor.engine.state.entry import Entry, State
from ecs_async_executor.engine.state.terminal_reports import stopped
from ecs_async_executor.messages import Usage

TASK = {
    "taskArn": "arn:aws:ecs:us-east-1:123456789012:task/c/1",
    "lastStatus": "STOPPED",
    "stopCode": "EssentialContainerExited",
    "cpu": "512",
    "memory": "1024",
    "launchType": "FARGATE",
    "attributes": [
        {"name": "ecs.something", "value": "else"},
        {"name": "ecs.cpu-architecture", "value": "arm64"},
    ],
    "pullStartedAt": 1700000000.25,
    "startedAt": 1700000010,
    "stoppedAt": 1700000100.75,
    "containers": [{"name": "airflow", "exitCode": 0}],
}


@pytest.mark.parametrize(
    ("changes", "usage"),
    [
        ({}, Usage(0.5, 1.0, 100.5, "FARGATE", "ARM64")),
        ({"capacityProviderName": "FARGATE_SPOT"}, Usage(0.5, 1.0, 100.5, "FARGATE_SPOT", "ARM64")),
        ({"attributes": None}, Usage(0.5, 1.0, 100.5, "FARGATE", "")),
        ({"attributes": [{"name": "ecs.cpu-architecture"}]}, Usage(0.5, 1.0, 100.5, "FARGATE", "")),
        ({"startedAt": None}, Usage(0.5, 1.0, 100.5, "FARGATE", "ARM64")),
        ({"pullStartedAt": None}, None),
        ({"stoppedAt": None}, None),
        ({"cpu": None, "memory": None, "launchType": "EC2"}, None),
        (
            {
                "cpu": None,
                "memory": None,
                "launchType": "EC2",
                "containers": [
                    {"name": "airflow", "exitCode": 0, "cpu": "512", "memory": "768"},
                    {"name": "sidecar", "cpu": "0", "memoryReservation": "256"},
                ],
            },
            Usage(0.5, 1.0, 100.5, "EC2", "ARM64"),
        ),
    ],
)
def test_a_tasks_usage_is_reported_with_its_end(changes: dict[str, Any], usage: Usage | None) -> None:
    document = {name: value for name, value in {**TASK, **changes}.items() if value is not None}
    (task,) = parse_tasks(json.dumps({"tasks": [document]}).encode()).tasks
    entry = Entry("run", "label", 1, State.WATCHING, container="airflow", arn=task.task_arn)
    assert stopped(entry, task).usage == usage


def test_a_task_without_attributes_has_no_architecture() -> None:
    (task,) = parse_tasks(b'{"tasks": [{"taskArn": "a"}]}').tasks
    assert task.architecture == ""
