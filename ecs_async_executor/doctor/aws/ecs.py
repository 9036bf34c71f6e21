"""Asks ECS."""

from __future__ import annotations

from typing import Any

from ecs_async_executor.doctor.facts import Absent, Question


def cluster(client: Any, question: Question) -> Any:
    """Return DescribeClusters' document."""
    answer = client.describe_clusters(clusters=[question.name])
    return next(iter(answer.get("clusters") or ()), None) or Absent("MISSING")


def definition(client: Any, question: Question) -> Any:
    """Return DescribeTaskDefinition's document."""
    return client.describe_task_definition(taskDefinition=question.name)["taskDefinition"]


def provider(client: Any, question: Question) -> Any:
    """Return DescribeCapacityProviders' document."""
    # Without the cluster, AWS leaves out providers of Managed Instances (API reference: DescribeCapacityProviders).
    for more in ({}, {"cluster": question.of}):
        answer = client.describe_capacity_providers(capacityProviders=[question.name], **more)
        if found := answer.get("capacityProviders"):
            return found[0]
    return Absent("MISSING")


def list_tasks(client: Any, question: Question) -> Any:
    """Return True: ListTasks may be called."""
    client.list_tasks(cluster=question.name, startedBy="ecs-async-doctor")
    return True


def describe_tasks(client: Any, question: Question) -> Any:
    """Return True: DescribeTasks may be called."""
    client.describe_tasks(cluster=question.name, tasks=["0" * 32])
    return True
