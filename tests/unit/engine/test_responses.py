from __future__ import annotations

import gc
import json
from functools import cache
from typing import Any

import pytest
from aiobotocore.parsers import AioResponseParserFactory
from botocore.awsrequest import HeadersDict
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.parsers import JSONParser
from hypothesis import given
from hypothesis import strategies as st
from msgspec import MsgspecError

from ecs_async_executor.engine.responses import (
    EcsResponseParser,
    EcsResponseParserFactory,
    Task,
    parse_clusters,
    parse_task_arns,
    parse_task_definition,
    parse_tasks,
)
from ecs_async_executor.errors import UnreadableAnswerError

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
    assert task.started_at == 1700000001.0
    assert [(c.name, c.exit_code, c.reason) for c in task.containers] == [
        ("airflow", 3, "OutOfMemoryError"),
        ("proxy", None, None),
    ]
    assert (answer.failures[0].reason, answer.failures[0].detail) == ("MISSING", None)


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
def test_a_malformed_record_is_left_out_and_affects_no_other(record: Any):
    answer = parse_tasks(body(tasks=[record, FULL], failures=[3, {"reason": "MISSING"}]))
    assert [task.task_arn for task in answer.tasks] == [f"{ARN}1"]
    assert [failure.reason for failure in answer.failures] == ["MISSING"]


def test_half_a_character_invalidates_no_record():
    halved = {**FULL, "taskArn": f"{ARN}2", "stoppedReason": "half a pair: \ud83d"}
    answer = parse_tasks(body(tasks=[halved, FULL]))
    assert [task.task_arn for task in answer.tasks] == [f"{ARN}2", f"{ARN}1"]
    assert answer.tasks[0].stopped_reason == "half a pair: ?"


def test_an_invalid_byte_invalidates_no_record():
    answer = parse_tasks(body(tasks=[FULL, {**FULL, "stopCode": "odd"}]).replace(b"odd", b"\xff"))
    assert [task.stop_code for task in answer.tasks] == [
        "EssentialContainerExited",
        "\N{REPLACEMENT CHARACTER}",
    ]


def test_a_record_is_immutable():
    with pytest.raises(AttributeError):
        Task(task_arn=ARN).last_status = "STOPPED"  # type: ignore[misc]  # deliberately


def test_the_garbage_collector_tracks_only_the_tuples_of_an_answer():
    answer = parse_tasks(body(tasks=[FULL] * 100))
    assert not any(map(gc.is_tracked, [answer, *answer.tasks, answer.tasks[0].containers[0]]))


TEXTS = st.text(max_size=5)
TIMES = st.floats(0, 4e9).map(lambda seconds: round(seconds, 3)) | st.integers(0, 4_000_000_000)
RECORDS = st.fixed_dictionaries(
    {"taskArn": TEXTS},
    optional={
        **dict.fromkeys(["clusterArn", "lastStatus", "desiredStatus", "stopCode", "stoppedReason"], TEXTS),
        **dict.fromkeys(["createdAt", "startedAt", "stoppedAt"], TIMES),
        "containers": st.lists(
            st.fixed_dictionaries(
                {"name": TEXTS},
                optional={
                    "lastStatus": TEXTS,
                    "reason": TEXTS,
                    "exitCode": st.integers(-1, 255),
                    "networkInterfaces": st.just([{"attachmentId": "1"}]),
                },
            ),
            max_size=2,
        ),
        "overrides": st.just(FULL["overrides"]),
        "startedBy": TEXTS,
        "version": st.integers(0, 9),
    },
)


@cache
def model() -> Any:
    return ServiceModel(Loader().load_service_model("ecs", "service-2"), "ecs")


@given(st.lists(RECORDS, max_size=3), st.booleans())
def test_records_are_read_as_botocore_reads_them(records: list[dict[str, Any]], plain: bool):
    text = json.dumps({"tasks": records}, ensure_ascii=plain).encode()
    response = {"status_code": 200, "headers": {}, "body": text}
    theirs = JSONParser(timestamp_parser=float).parse(
        response, model().operation_model("DescribeTasks").output_shape
    )["tasks"]
    ours = [
        {
            "taskArn": task.task_arn,
            "lastStatus": task.last_status or None,
            "desiredStatus": task.desired_status,
            "startedAt": task.started_at,
            "stopCode": task.stop_code,
            "stoppedReason": task.stopped_reason,
            "containers": [(c.name, c.exit_code, c.reason) for c in task.containers],
        }
        for task in parse_tasks(text).tasks
    ]
    for record in theirs:
        record["lastStatus"] = record.get("lastStatus") or None
        record["containers"] = [
            (c["name"], c.get("exitCode"), c.get("reason")) for c in record.get("containers", ())
        ]
    assert ours == [{key: record.get(key) for key in ours[0]} for record in theirs]


def test_values_that_are_no_lists_are_read_as_empty():
    assert parse_tasks(body(tasks=None, failures={"reason": "odd"})).tasks == ()


@pytest.mark.parametrize("garbage", [b"", b"<html>captive portal</html>", b'{"tasks": [{"taskArn": "a'])
def test_an_answer_that_is_not_json_is_an_error(garbage: bytes):
    with pytest.raises(ValueError, match=r"Expecting|Unterminated") as caught:
        parse_tasks(garbage)
    assert "portal" not in str(caught.value)


@pytest.mark.parametrize("garbage", [b"[]", b"7", b'["the-token"]'])
def test_an_answer_that_is_not_an_object_is_an_error_that_quotes_none_of_it(garbage: bytes):
    with pytest.raises(MsgspecError, match="Expected `object`") as caught:
        parse_tasks(garbage)
    assert "the-token" not in str(caught.value)


def test_a_page_of_arns_is_read():
    page = parse_task_arns(body(taskArns=["arn:1", "arn:2"], nextToken="more"))
    assert (page.task_arns, page.next_token) == (("arn:1", "arn:2"), "more")


ANSWERS: dict[str, dict[str, Any]] = {
    "RunTask": {"tasks": [FULL], "failures": []},
    "DescribeTasks": {"tasks": [FULL, {**FULL, "taskArn": f"{ARN}2"}], "failures": [{"reason": "MISSING"}]},
    "ListTasks": {"taskArns": ["arn:1"]},
    "StopTask": {"task": FULL},
    "DescribeClusters": {"clusters": [{"clusterName": "c"}]},
    "DescribeTaskDefinition": {"taskDefinition": {"family": "f"}, "tags": []},
    "RegisterTaskDefinition": {"taskDefinition": {"family": "f"}},
}
HEADERS = {"X-Amzn-RequestId": "5e2c", "Content-Type": "application/x-amz-json-1.1", "DATE": "now"}


@pytest.mark.parametrize("headers", [HEADERS, {}], ids=["headers", "no headers"])
@pytest.mark.parametrize("operation", ANSWERS)
async def test_an_answers_metadata_comes_from_the_stock_parser(operation: str, headers: dict[str, str]):
    """ddtrace, X-Ray and OpenTelemetry wrap the client's calls and read it."""
    response = {
        "status_code": 200,
        "headers": HeadersDict(headers),
        "body": body(**ANSWERS[operation]),
        "context": {"operation_name": operation, "checksum": {"response_algorithm": "crc32"}},
    }
    shape = model().operation_model(operation).output_shape
    ours = await EcsResponseParserFactory().create_parser("json").parse(response, shape)
    theirs = await AioResponseParserFactory().create_parser("json").parse(response, shape)
    assert ours["ResponseMetadata"] == theirs["ResponseMetadata"]
    assert theirs["ResponseMetadata"]["HTTPHeaders"] == {k.lower(): v for k, v in headers.items()}
    assert ours.keys() == {"parsed", "ResponseMetadata"}


@pytest.mark.parametrize("garbage", [b"<html>captive portal</html>", b'["the-token"]', b"\xff"])
async def test_an_unreadable_answer_is_not_a_fault_of_this_process(garbage: bytes):
    response = {"status_code": 200, "headers": HeadersDict(), "body": garbage}
    parser = EcsResponseParserFactory().create_parser("json")
    with pytest.raises(UnreadableAnswerError) as caught:
        await parser.parse(response, model().operation_model("RunTask").output_shape)
    assert "portal" not in str(caught.value)
    assert "the-token" not in str(caught.value)


def test_only_ecss_protocol_gets_our_parser():
    factory = EcsResponseParserFactory()
    assert isinstance(factory.create_parser("json"), EcsResponseParser)
    assert not isinstance(factory.create_parser("query"), EcsResponseParser)


def test_a_clusters_default_strategy_is_read():
    strategy = [{"capacityProvider": "FARGATE_SPOT", "weight": 1, "base": 0}]
    answer = {"clusters": [{"clusterName": "c", "defaultCapacityProviderStrategy": strategy}], "failures": []}
    (cluster,) = parse_clusters(json.dumps(answer).encode()).clusters
    assert [item.capacity_provider for item in cluster.default_capacity_provider_strategy] == ["FARGATE_SPOT"]
    assert parse_clusters(b'{"failures": [{"reason": "MISSING"}]}').clusters == ()


def test_a_task_definition_is_read_as_it_is_with_its_tags():
    document = {
        "taskDefinitionArn": "arn:aws:ecs:us-east-1:123456789012:task-definition/f:7",
        "status": "INACTIVE",
        "registeredAt": 1700000000.5,
        "containerDefinitions": [{"name": "a", "environment": [{"name": "A", "value": "secret \u00e4"}]}],
        "unknown": {"member": [1, None]},
    }
    tags = [{"key": "team", "value": "data"}]
    found = parse_task_definition(body(taskDefinition=document, tags=tags))
    assert found.task_definition == document
    assert list(found.tags) == tags
    assert (found.name, found.is_active) == ("f:7", False)
    assert "secret" not in repr(found)
    assert parse_task_definition(body(taskDefinition={})).is_active
