"""What a slow start waits for: one row a phase."""

from __future__ import annotations

import pytest

from ecs_async_executor.engine.diagnosis.slow_starts import describe_slow_start
from ecs_async_executor.engine.responses import Task

ROWS = [
    (Task("arn", "PROVISIONING"), "waiting for capacity or its network interface", "free addresses"),
    (Task("arn", "PENDING"), "being prepared on its host", "NAT gateway"),
    (Task("arn", "PENDING", pull_started_at=5.0), "pulling its image", "ECR in the same Region"),
    (Task("arn", "PENDING", pull_started_at=5.0, pull_stopped_at=9.0), "being prepared", "NAT gateway"),
    (Task("arn", "ACTIVATING", pull_started_at=5.0, pull_stopped_at=9.0), "load balancer", "register"),
    (Task("arn", "NEW_PHASE"), "in NEW_PHASE", ""),
]


@pytest.mark.parametrize(("task", "doing", "remedy"), ROWS)
def test_it_says_what_the_task_is_doing_and_what_to_check(task: Task, doing: str, remedy: str):
    found = describe_slow_start(task, 130.4, None)
    assert found.summary.startswith("The task has not started after 130 s: it is ")
    assert doing in found.summary
    assert remedy in found.remedy
    assert task.last_status in found.detail


def test_it_compares_with_what_the_family_usually_takes():
    task = Task("arn", "PENDING", task_definition_arn="arn:aws:ecs:eu-central-1:1:task-definition/etl:7")
    assert "; etl usually starts within 41 s." in describe_slow_start(task, 130.0, 40.6).summary
