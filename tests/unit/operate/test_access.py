"""What the commands of operation share: which clusters they ask."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ecs_async_executor.config.configuration import read_configuration
from ecs_async_executor.errors import OperationError
from ecs_async_executor.operate.access import Access
from ecs_async_executor.operate.ecs_task import EcsTask
from tests.support.operation import arn_of, container

ARN = "arn:aws:ecs:us-east-1:123456789012:cluster/prod"
IDS = [f"0a1b2c3d{number}{0:023x}" for number in range(2)]


class Options:
    """Airflow's options, with a cluster by name, and in profiles again by its ARN."""

    team_name = None

    def get(self, _section: str, key: str, *, fallback: str | None) -> str | None:
        queues = {"gpu": {"cluster": ARN}, "big": {"cluster": "other"}}
        values = {
            "cluster": "prod",
            "container_name": "airflow",
            "task_definition": "t",
            "queues": json.dumps(queues),
        }
        return values.get(key, fallback)


class FakeAws:
    """Two clusters; each has one task, and tells what it was asked for."""

    def list_tasks(self, cluster: str, _status: str = "") -> list[str]:
        return [arn_of(IDS[cluster == "other"], "other" if cluster == "other" else "prod")]

    def describe(self, cluster: str, tasks: list[str]) -> list[EcsTask]:
        known = set(self.list_tasks(cluster))
        return [container(each) for each in known if each in tasks or each.rpartition("/")[2] in tasks]


@pytest.fixture
def access() -> Access:
    aws: Any = FakeAws()
    return Access(read_configuration(Options()), aws)


def test_a_cluster_that_is_named_in_two_ways_is_one(access: Access) -> None:
    assert access.clusters == ("prod", "other")
    assert [task.task_id for task in access.tasks()] == IDS
    assert [task.task_id for task in access.ended_tasks()] == IDS


@pytest.mark.parametrize("what", [IDS[0], IDS[0][:9], arn_of(IDS[0], "prod")])
def test_its_task_is_found_once_by_id_beginning_or_arn(access: Access, what: str) -> None:
    assert access.find(what).arn == arn_of(IDS[0], "prod")


def test_a_beginning_that_two_tasks_have_is_refused_and_both_are_named(access: Access) -> None:
    with pytest.raises(OperationError, match=f"several ECS tasks: {IDS[0]}, {IDS[1]}"):
        access.find(IDS[0][:8])
