"""The engine on moto's ECS: somebody else's idea of the API.

There every look moves a task one state on, exit codes are 0 from the start, and Fargate wants a subnet and a
security group that exist.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from ecs_async_executor.messages import Launched, Stopped
from tests.support.live_engine import LiveEngine, connect_to
from tests.support.moto import serve_moto

ARGUMENTS = {"region_name": "us-east-1", "aws_access_key_id": "local", "aws_secret_access_key": "local"}


@pytest.fixture(scope="module")
def moto_url() -> Iterator[str]:
    with serve_moto() as url:
        yield url


@pytest.fixture(scope="module")
def request_body(moto_url: str) -> dict[str, Any]:
    ec2 = boto3.client("ec2", endpoint_url=moto_url, **ARGUMENTS)
    ecs = boto3.client("ecs", endpoint_url=moto_url, **ARGUMENTS)
    ecs.create_cluster(clusterName="default")
    ecs.register_task_definition(
        family="airflow-task",
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="256",
        memory="512",
        containerDefinitions=[{"name": "airflow", "image": "airflow", "memory": 512, "cpu": 256}],
    )
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    group = ec2.describe_security_groups()["SecurityGroups"][0]["GroupId"]
    return {
        "cluster": "default",
        "taskDefinition": "airflow-task",
        "launchType": "FARGATE",
        "networkConfiguration": {"awsvpcConfiguration": {"subnets": [subnet], "securityGroups": [group]}},
        "overrides": {"containerOverrides": [{"name": "airflow", "command": ["true"]}]},
    }


def test_runs_are_launched_watched_and_stopped(moto_url: str, request_body: dict[str, Any]):
    with LiveEngine(connect_to(moto_url), concurrency=2) as engine:
        runs = engine.launch_many(3, request=request_body)
        stopped = engine.launch(request_body)
        engine.until_report(Launched, stopped)
        engine.stop(stopped)
        ends = engine.ends_of([*runs, stopped])
    assert {(type(end), end.exit_code) for end in ends.values()} == {(Stopped, 0)}
