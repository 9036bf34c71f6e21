"""The outputs of the deployed template are all that the executor needs to run a task."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from airflow.sdk import DAG

from ecs_async_executor.local import Control, Options, serve_in_thread
from ecs_async_executor.local.definition_files import read_definitions
from ecs_async_executor.stack.environment import variables
from ecs_async_executor.stack.template import read_template
from tests.support.moto import serve_moto
from tests.support.scheduler import one_task_dag, running_scheduler, set_row

OPTIONS = ("AIRFLOW__CORE__", "AIRFLOW__ECS_ASYNC_EXECUTOR__", "AWS_")
"""The outputs that say how tasks run. The others are Airflow's own: its remote log, and where its secrets are."""


@pytest.fixture(scope="module")
def deployed() -> Iterator[tuple[dict[str, str], str]]:
    """The variables of a stack on moto, and its task definition as AWS describes it."""
    with serve_moto("tests.support.moto_stack_server") as url:
        keys = {"region_name": "us-east-1", "aws_access_key_id": "t", "aws_secret_access_key": "t"}
        clouds = boto3.client("cloudformation", endpoint_url=url, **keys)
        clouds.create_stack(
            StackName="airflow", TemplateBody=read_template().text, Capabilities=["CAPABILITY_IAM"]
        )
        found = variables(clouds.describe_stacks(StackName="airflow")["Stacks"][0]["Outputs"])
        name = found["AIRFLOW__ECS_ASYNC_EXECUTOR__TASK_DEFINITION"]
        answer = boto3.client("ecs", endpoint_url=url, **keys).describe_task_definition(taskDefinition=name)
        yield found, json.dumps(answer["taskDefinition"], default=str)


@pytest.fixture
def stack_ecs(
    deployed: tuple[dict[str, str], str], monkeypatch: pytest.MonkeyPatch, clean_database: None
) -> Iterator[Control]:
    """A local ECS with the stack's cluster and task definition, and an Airflow with the stack's variables."""
    found, definition = deployed
    options = Options(
        runtime="simulated",
        clusters=[found["AIRFLOW__ECS_ASYNC_EXECUTOR__CLUSTER"]],
        task_definitions=[each.request for each in read_definitions(definition)],
        plan={"defaults": {"duration": 1.0}},
    )
    with serve_in_thread(options) as ecs:
        for name, value in found.items():
            if name.startswith(OPTIONS) and not name.endswith("_SECRET"):
                monkeypatch.setenv(name, value)
        monkeypatch.setenv("AIRFLOW__ECS_ASYNC_EXECUTOR__LAST_LOG_LINES", "0")
        monkeypatch.setenv("AWS_ENDPOINT_URL_ECS", ecs.endpoint_url)
        yield ecs


def test_a_scheduler_with_nothing_but_the_outputs_runs_a_task(
    deployed: tuple[dict[str, str], str],
    stack_ecs: Control,
    run_dag: Callable[[DAG], str],
    sent: list[dict[str, Any]],
) -> None:
    found, _ = deployed
    with running_scheduler() as scheduler:
        run_dag(one_task_dag("on_the_stack"))
        (ti,) = scheduler.launched()
        set_row(ti, state="success")
        scheduler.until_idle()
    (task,) = stack_ecs.tasks()
    assert task["clusterArn"].endswith(f"/{found['AIRFLOW__ECS_ASYNC_EXECUTOR__CLUSTER']}")
    assert task["lastStatus"] == "STOPPED"
    (body,) = sent
    network = body["networkConfiguration"]["awsvpcConfiguration"]
    assert network["subnets"] == found["AIRFLOW__ECS_ASYNC_EXECUTOR__SUBNETS"].split(",")
    assert network["securityGroups"] == [found["AIRFLOW__ECS_ASYNC_EXECUTOR__SECURITY_GROUPS"]]
    assert body["capacityProviderStrategy"] == [{"capacityProvider": "FARGATE", "weight": 1}]
    assert body["startedBy"].startswith(f"airflow/{found['AIRFLOW__ECS_ASYNC_EXECUTOR__DEPLOYMENT']}/")
