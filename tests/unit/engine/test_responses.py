from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from ecs_async_executor.engine.responses import (
    EcsResponseParser,
    EcsResponseParserFactory,
    TaskArns,
    parse_tasks,
)

ARN = "arn:aws:ecs:us-east-1:123456789012:task/default/"
FULL: dict[str, Any] = {
    "attachments": [{"id": "1", "type": "ElasticNetworkInterface", "status": "DELETED", "details": []}],
    "attributes": [{"name": "ecs.cpu-architecture", "value": "x86_64"}],
    "availabilityZone": "us-east-1a",
    "clusterArn": "arn:aws:ecs:us-east-1:123456789012:cluster/default",
    "connectivity": "CONNECTED",
    "connectivityAt": 1700000000.5,
    "containers": [
        {
            "containerArn": "arn:aws:ecs:us-east-1:123456789012:container/default/1/2",
            "name": "airflow",
            "image": "apache/airflow",
            "lastStatus": "STOPPED",
            "exitCode": 3,
            "reason": "OutOfMemoryError",
            "networkBindings": [],
            "networkInterfaces": [{"attachmentId": "1", "privateIpv4Address": "10.0.0.1"}],
            "healthStatus": "UNKNOWN",
            "cpu": "256",
        },
        {"name": "proxy"},
    ],
    "cpu": "256",
    "createdAt": 1700000000.123,
    "startedAt": 1700000001,
    "stoppedAt": 1700000002.5,
    "desiredStatus": "STOPPED",
    "lastStatus": "STOPPED",
    "overrides": {"containerOverrides": [{"name": "airflow", "command": ["the", "token"]}]},
    "startedBy": "airflow/default/1",
    "stopCode": "EssentialContainerExited",
    "stoppedReason": "Essential container in task exited",
    "tags": [],
    "taskArn": f"{ARN}1",
    "version": 5,
    "aMemberOfTomorrow": {"of": ["any", "kind"]},
}


def body(**members: Any) -> bytes:
    return json.dumps(members).encode()


def test_a_hundred_full_records_are_read():
    records = [{**FULL, "taskArn": f"{ARN}{number}"} for number in range(100)]
    answer = parse_tasks(body(tasks=records, failures=[{"arn": "arn:x", "reason": "MISSING"}]))
    assert [task.task_arn for task in answer.tasks] == [record["taskArn"] for record in records]
    task = answer.tasks[7]
    assert (task.last_status, task.desired_status, task.stop_code) == (
        "STOPPED",
        "STOPPED",
        "EssentialContainerExited",
    )
    assert (task.created_at, task.started_at, task.stopped_at) == (1700000000.123, 1700000001.0, 1700000002.5)
    assert [(c.name, c.exit_code, c.reason) for c in task.containers] == [
        ("airflow", 3, "OutOfMemoryError"),
        ("proxy", None, None),
    ]
    assert (answer.failures[0].arn, answer.failures[0].reason, answer.failures[0].detail) == (
        "arn:x",
        "MISSING",
        None,
    )


def test_a_record_needs_no_more_than_its_arn():
    assert parse_tasks(body(tasks=[{"taskArn": ARN}])).tasks[0].last_status == ""
    assert parse_tasks(body()).tasks == ()


@pytest.mark.parametrize(
    "record",
    [
        {"taskArn": 7, "lastStatus": {}, "containers": "malformed"},
        {"lastStatus": "RUNNING"},
        {"taskArn": ARN, "containers": [{"name": "airflow", "exitCode": "many"}]},
        None,
        "text",
    ],
)
def test_a_malformed_record_is_left_out_and_spoils_no_other(record: Any):
    answer = parse_tasks(body(tasks=[record, FULL], failures=[3, {"reason": "MISSING"}]))
    assert [task.task_arn for task in answer.tasks] == [f"{ARN}1"]
    assert [failure.reason for failure in answer.failures] == ["MISSING"]


def test_lists_that_are_none_are_empty():
    assert parse_tasks(body(tasks=None, failures={"reason": "odd"})).tasks == ()


@pytest.mark.parametrize("garbage", [b"", b"<html>captive portal</html>", b'{"tasks": [{"taskArn": "a'])
def test_an_answer_that_is_no_json_is_an_error(garbage: bytes):
    with pytest.raises(ValueError, match=r"JSON|EOF|expected"):
        parse_tasks(garbage)


@pytest.mark.parametrize("garbage", [b"[]", b"7", b'["the-token"]'])
def test_an_answer_that_is_no_object_is_an_error_which_shows_nothing_of_it(garbage: bytes):
    with pytest.raises(ValidationError) as caught:
        parse_tasks(garbage)
    assert "the-token" not in str(caught.value)


def test_a_page_of_arns_is_read():
    page = TaskArns.model_validate_json(body(taskArns=["arn:1", "arn:2"], nextToken="more"))
    assert (page.task_arns, page.next_token) == (("arn:1", "arn:2"), "more")


def test_only_the_protocol_of_ecs_is_parsed_our_way():
    factory = EcsResponseParserFactory()
    assert isinstance(factory.create_parser("json"), EcsResponseParser)
    assert not isinstance(factory.create_parser("query"), EcsResponseParser)
