"""The local ECS over HTTP, as AWS's own clients see it."""

from __future__ import annotations

import asyncio
import http.client
import json
import time
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from aiobotocore.session import get_session
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, HTTPClientError, ReadTimeoutError

from ecs_async_executor.errors import ConfigurationError
from ecs_async_executor.local import Control, ControlError, Options, serve, serve_in_process, serve_in_thread

if TYPE_CHECKING:
    from collections.abc import Iterator

TASK: dict[str, Any] = {
    "taskDefinition": "airflow-task",
    "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"]}},
}
CREDENTIALS = {"region_name": "us-east-1", "aws_access_key_id": "local", "aws_secret_access_key": "local"}
ONCE = Config(retries={"total_max_attempts": 1}, read_timeout=10)
SIMULATED = Options(runtime="simulated")


def client(control: Control, config: Config = ONCE) -> Any:
    return boto3.client("ecs", endpoint_url=control.endpoint_url, config=config, **CREDENTIALS)


@pytest.fixture(scope="module")
def server() -> Iterator[Control]:
    with serve_in_thread(SIMULATED) as control:
        yield control


@pytest.fixture
def control(server: Control) -> Control:
    server.reset()
    return server


def wait_for_stop(ecs: Any, arn: str) -> dict[str, Any]:
    while True:
        task: dict[str, Any] = ecs.describe_tasks(tasks=[arn])["tasks"][0]
        if task["lastStatus"] == "STOPPED":
            return task
        time.sleep(0.02)


def test_boto3_launches_describes_lists_and_stops(control: Control) -> None:
    control.set_plan(duration=3600)
    ecs = client(control)
    task = ecs.run_task(**TASK, startedBy="airflow/1")["tasks"][0]
    assert ecs.list_tasks(startedBy="airflow/1")["taskArns"] == [task["taskArn"]]
    running = ecs.describe_tasks(tasks=[task["taskArn"]])["tasks"][0]
    assert running["createdAt"] == task["createdAt"]
    assert running["createdAt"].tzinfo is not None
    ecs.stop_task(task=task["taskArn"])
    assert wait_for_stop(ecs, task["taskArn"])["stopCode"] == "UserInitiated"
    assert control.calls()["RunTask"] == {"ok": 1}
    assert control.history() == {"airflow/1": {"tasks": 1, "ran": 1}}


async def test_aiobotocore_talks_to_a_server_in_the_same_loop() -> None:
    async with serve(SIMULATED) as control:
        control.set_plan(duration=3600)
        config: Any = ONCE
        async with get_session().create_client(
            "ecs", endpoint_url=control.endpoint_url, config=config, **CREDENTIALS
        ) as ecs:
            answer = await ecs.run_task(**TASK, count=2)
            arns = [task["taskArn"] for task in answer["tasks"]]
            described = await ecs.describe_tasks(tasks=arns)
            assert [task["lastStatus"] for task in described["tasks"]] == ["RUNNING", "RUNNING"]
            paginator: Any = ecs.get_paginator("list_tasks")
            pages = [page async for page in paginator.paginate(PaginationConfig={"PageSize": 1})]
            assert [arn for page in pages for arn in page["taskArns"]] == arns
        control.interrupt(arns[0], "host")
        assert [task["lastStatus"] for task in control.tasks()] == ["STOPPED", "RUNNING"]


def test_a_conflict_carries_the_task_at_the_top_of_the_response(control: Control) -> None:
    ecs = client(control)
    arn = ecs.run_task(**TASK, clientToken="t")["tasks"][0]["taskArn"]
    with pytest.raises(ecs.exceptions.ConflictException) as caught:
        ecs.run_task(**TASK, clientToken="t", startedBy="other")
    assert caught.value.response["resourceIds"] == [arn]


@pytest.mark.parametrize(
    ("kind", "code", "status"),
    [
        ("throttle", "ThrottlingException", 400),
        ("disguised_throttle", "InvalidParameterException", 400),
        ("server_error", "ServerException", 500),
        ("expired_credentials", "ExpiredTokenException", 400),
        ("access_denied", "AccessDeniedException", 400),
        ("task_limit", "ClientException", 400),
    ],
)
def test_an_injected_error_arrives_as_its_client_error(
    control: Control, kind: str, code: str, status: int
) -> None:
    control.add_fault(kind, action="RunTask", times=1)
    ecs = client(control)
    with pytest.raises(ClientError) as caught:
        ecs.run_task(**TASK)
    assert caught.value.response["Error"]["Code"] == code
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert ecs.run_task(**TASK)["tasks"]
    assert control.calls() == {"RunTask": {code: 1, "ok": 1}}


def test_the_work_of_a_lost_response_is_found_by_its_token(control: Control) -> None:
    control.add_fault("lost_response", action="RunTask", times=1)
    ecs = client(control)
    with pytest.raises((ConnectionClosedError, HTTPClientError)):
        ecs.run_task(**TASK, startedBy="a", clientToken="t")
    assert len(ecs.run_task(**TASK, startedBy="a", clientToken="t")["tasks"]) == 1
    assert control.history()["a"]["tasks"] == 1
    assert control.calls() == {"RunTask": {"lost_response": 1, "replayed": 1}}


def test_a_late_response_comes_after_the_clients_patience(control: Control) -> None:
    control.add_fault("late_response", action="RunTask", times=1, seconds=0.5)
    hasty = client(control, Config(retries={"total_max_attempts": 1}, read_timeout=0.1))
    with pytest.raises(ReadTimeoutError):
        hasty.run_task(**TASK, startedBy="a")
    assert control.history()["a"]["tasks"] == 1


def test_capacity_refusals_are_failures_not_errors(control: Control) -> None:
    control.add_fault("capacity", times=1)
    answer = client(control).run_task(**TASK)
    assert answer["tasks"] == []
    assert "Capacity is unavailable" in answer["failures"][0]["reason"]


def test_latency_and_faults_do_not_touch_other_actions(control: Control) -> None:
    control.set_conditions(latency={"StopTask": 30}, faults=[{"kind": "throttle", "action": "StopTask"}])
    assert client(control).run_task(**TASK)["tasks"]
    assert control.conditions()["latency"] == {"StopTask": [30.0, 0.0]}
    control.clear_conditions()
    assert control.conditions()["faults"] == []


def test_an_action_that_is_not_there_is_an_unknown_operation(control: Control) -> None:
    with pytest.raises(ClientError, match="UnknownOperationException"):
        client(control).list_services()


def test_a_mistake_in_a_control_call_is_explained(control: Control) -> None:
    with pytest.raises(ControlError, match="unknown kind 'nope'"):
        control.add_fault("nope")
    with pytest.raises(ControlError, match="no task"):
        control.interrupt("nope")


def test_a_cluster_can_be_given_a_default_strategy(control: Control) -> None:
    control.set_cluster("spot", [{"capacityProvider": "FARGATE_SPOT", "weight": 1}])
    (cluster,) = client(control).describe_clusters(clusters=["spot"])["clusters"]
    assert cluster["defaultCapacityProviderStrategy"][0]["capacityProvider"] == "FARGATE_SPOT"


def request(control: Control, method: str, path: str, body: str, headers: dict[str, str]) -> tuple[int, Any]:
    connection = http.client.HTTPConnection(control.endpoint_url.removeprefix("http://"), timeout=10)
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def test_web_pages_may_not_call_a_server_that_runs_commands(control: Control) -> None:
    status, _ = request(control, "POST", "/", "{}", {"Origin": "http://evil.example"})
    assert status == 403


@pytest.mark.parametrize("body", ["{", "[]"])
def test_a_control_body_that_is_no_object_is_refused(control: Control, body: str) -> None:
    status, answer = request(control, "PUT", "/_local/faults", body, {})
    assert status == 400
    assert "JSON" in answer["message"]


def test_a_request_beyond_all_measure_is_refused(control: Control) -> None:
    status, _ = request(control, "POST", "/", "x" * 1_100_000, {})
    assert status == 413


def test_a_server_in_a_process_answers_and_ends_with_its_context() -> None:
    with serve_in_process(SIMULATED) as control:
        assert control.health()["runtime"] == "simulated"
        assert client(control).run_task(**TASK)["tasks"]
    with pytest.raises(ConnectionRefusedError):
        control.health()


@pytest.mark.parametrize("start", [serve_in_thread, serve_in_process])
def test_a_wrong_option_is_reported_at_the_start(start: Any) -> None:
    with (
        pytest.raises(ConfigurationError, match="duratoin"),
        start(Options(runtime="simulated", plan={"defaults": {"duratoin": 1}})),
    ):
        pass


@pytest.mark.parametrize("start", [serve_in_thread, serve_in_process])
def test_options_may_hold_any_sequence(start: Any) -> None:
    with start(Options(runtime="simulated", plan={"rules": ({"duration": 0, "exit_code": 3},)})) as control:
        ecs = client(control)
        arn = ecs.run_task(**TASK)["tasks"][0]["taskArn"]
        assert wait_for_stop(ecs, arn)["containers"][0]["exitCode"] == 3


def test_a_taken_port_is_reported_at_the_start(control: Control) -> None:
    port = int(control.endpoint_url.rpartition(":")[2])
    with pytest.raises(OSError, match="in use"), serve_in_thread(Options(runtime="simulated", port=port)):
        pass


async def test_many_calls_at_once_each_launch_their_own_task() -> None:
    async with serve(SIMULATED) as control:
        control.set_plan(duration=3600)
        config: Any = Config(retries={"total_max_attempts": 1}, max_pool_connections=20)
        async with get_session().create_client(
            "ecs", endpoint_url=control.endpoint_url, config=config, **CREDENTIALS
        ) as ecs:
            launches = [ecs.run_task(**TASK, startedBy=f"a/{n}") for n in range(100)]
            answers = await asyncio.gather(*launches)
        arns = {answer["tasks"][0]["taskArn"] for answer in answers}
        assert len(arns) == 100
        assert {entry["tasks"] for entry in control.history().values()} == {1}
