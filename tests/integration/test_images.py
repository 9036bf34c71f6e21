"""The engine against the local ECS: tasks with an image of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3
import pytest

from ecs_async_executor.engine.images import DEFINITION, DEPLOYMENT, FAMILIES, IMAGE
from ecs_async_executor.local import Control
from ecs_async_executor.messages import LaunchFailed, Request, Stopped
from tests.support.live_engine import STARTED_BY, LiveEngine, body

DIGEST = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/team/airflow@sha256:" + "0a" * 32


@pytest.fixture
def api(ecs: Control) -> Any:
    return boto3.client(
        "ecs",
        endpoint_url=ecs.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )


def launch(engine: LiveEngine, image: str, **more: Any) -> str:
    request = {**body(), **more}
    return engine.launch(build=lambda: Request(request, "airflow", image=image))


def images(ecs: Control) -> list[str]:
    return [each["image"] for task in ecs.tasks() for each in task["containers"]]


def families(api: Any) -> list[str]:
    found: list[str] = api.list_task_definition_families(familyPrefix=FAMILIES, status="ACTIVE")["families"]
    return found


def ended(engine: LiveEngine, *run_ids: str) -> list[Any]:
    engine.until(lambda: len(engine.of(Stopped)) + len(engine.of(LaunchFailed)) >= len(run_ids))
    return [
        each
        for run_id in run_ids
        for each in engine.about(run_id)
        if isinstance(each, (Stopped, LaunchFailed))
    ]


def test_each_task_runs_its_image_and_each_image_is_registered_once(
    start: Callable[..., LiveEngine], ecs: Control, api: Any
) -> None:
    before = set(families(api))
    engine = start()
    runs = [launch(engine, image) for image in ("airflow:2", DIGEST) for _ in range(20)]
    runs.append(engine.launch())
    assert {each.exit_code for each in ended(engine, *runs)} == {0}
    assert sorted(images(ecs)) == sorted(["airflow:2", DIGEST] * 20 + ["local"])
    made = set(families(api)) - before
    assert len(made) == 2
    for family in made:
        answer = api.describe_task_definition(taskDefinition=family, include=["TAGS"])
        tags = {tag["key"]: tag["value"] for tag in answer["tags"]}
        (container,) = answer["taskDefinition"]["containerDefinitions"]
        assert answer["taskDefinition"]["revision"] == 1
        assert tags[DEPLOYMENT] == STARTED_BY
        assert tags[DEFINITION] == "airflow-task:1"
        assert tags[IMAGE] == container["image"]


def test_another_engine_finds_what_an_earlier_one_registered(
    start: Callable[..., LiveEngine], ecs: Control, api: Any
) -> None:
    for _ in range(2):
        engine = start()
        (end,) = ended(engine, launch(engine, "airflow:3"))
        assert end.exit_code == 0
    arns = {task["taskDefinitionArn"] for task in ecs.tasks()}
    assert len(arns) == 1
    assert arns.pop().endswith(":1")


def test_after_its_revision_was_deregistered_an_image_is_registered_again(
    start: Callable[..., LiveEngine], ecs: Control, api: Any
) -> None:
    engine = start()
    ended(engine, launch(engine, "airflow:4"))
    (task,) = ecs.tasks()
    api.deregister_task_definition(taskDefinition=task["taskDefinitionArn"])
    refused = launch(engine, "airflow:4")
    engine.until(lambda: engine.of(LaunchFailed))
    (failed,) = (each for each in engine.about(refused) if isinstance(each, LaunchFailed))
    assert not failed.permanent
    again = launch(engine, "airflow:4")
    engine.until(lambda: [each for each in engine.about(again) if isinstance(each, Stopped)])
    assert images(ecs) == ["airflow:4"] * 2


def test_a_copy_that_ecs_refuses_fails_its_task_in_ecs_own_words(
    start: Callable[..., LiveEngine], ecs: Control, api: Any
) -> None:
    definition = {
        "family": "without-role",
        "requiresCompatibilities": ["FARGATE"],
        "networkMode": "awsvpc",
        "cpu": "256",
        "memory": "512",
        "containerDefinitions": [{"name": "airflow", "image": "airflow:1"}],
    }
    api.register_task_definition(**definition)
    engine = start()
    (failed,) = ended(engine, launch(engine, DIGEST, taskDefinition="without-role"))
    assert failed.permanent
    assert "execution role" in str(failed.diagnosis)
    assert f"for the image {DIGEST} in without-role" in failed.diagnosis.detail


@pytest.mark.parametrize("action", ["RegisterTaskDefinition", "DescribeTaskDefinition"])
@pytest.mark.parametrize("fault", ["throttle", "server_error", "lost_response"])
def test_throttles_and_faults_of_these_calls_are_waited_out(
    start: Callable[..., LiveEngine], ecs: Control, api: Any, action: str, fault: str
) -> None:
    image = f"airflow:{action}-{fault}"
    ecs.add_fault(fault, action=action, times=2)
    engine = start()
    (end,) = ended(engine, launch(engine, image))
    assert end.exit_code == 0
    assert images(ecs) == [image]
    arn = ecs.tasks()[0]["taskDefinitionArn"]
    assert arn.endswith(":1"), "it was registered once"
