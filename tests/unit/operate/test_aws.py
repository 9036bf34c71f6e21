"""The calls of the commands of operation, and what their errors say."""

from __future__ import annotations

from collections.abc import Iterator

import boto3
import botocore.exceptions as boto
import pytest
from botocore.stub import Stubber

from ecs_async_executor.config.settings import Settings
from ecs_async_executor.errors import OperationError
from ecs_async_executor.operate.aws import Aws, explain
from ecs_async_executor.operate.pace import Pace
from tests.support.engine import ELSEWHERE
from tests.support.operation import TOKEN, arn_of, container, document_of

SETTINGS = Settings(cluster="default", container_name="airflow", task_definition="t")
URL = "https://ecs.us-east-1.amazonaws.com"


@pytest.fixture
def ecs() -> Iterator[tuple[Aws, Stubber]]:
    client = boto3.client("ecs", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
    aws = Aws(SETTINGS, Pace(0.001, 1000.0, sleep=lambda _: pytest.fail("it waited")))
    aws._clients["ecs"] = client
    with Stubber(client) as stubber:
        yield aws, stubber
        stubber.assert_no_pending_responses()


def test_all_pages_of_a_cluster_are_listed(ecs: tuple[Aws, Stubber]) -> None:
    aws, stubber = ecs
    first = {"cluster": "c", "maxResults": 100}
    stubber.add_response("list_tasks", {"taskArns": ["a", "b"], "nextToken": "n"}, first)
    stubber.add_response("list_tasks", {"taskArns": ["c"]}, {**first, "nextToken": "n"})
    assert list(aws.list_tasks("c")) == ["a", "b", "c"]


def test_tasks_are_described_by_the_hundred_and_without_their_commands(ecs: tuple[Aws, Stubber]) -> None:
    aws, stubber = ecs
    arns = [arn_of(str(index)) for index in range(150)]
    for part in (arns[:100], arns[100:]):
        found = {"tasks": [document_of(part[0])], "failures": [{"arn": part[1], "reason": "MISSING"}]}
        stubber.add_response("describe_tasks", found, {"cluster": "c", "tasks": part})
    described = aws.describe("c", arns)
    assert [task.arn for task in described] == [arns[0], arns[100]]
    assert TOKEN not in repr(described)


def test_arns_of_a_cluster_that_is_gone_are_left_out_but_a_wrong_cluster_is_an_error(
    ecs: tuple[Aws, Stubber],
) -> None:
    aws, stubber = ecs
    for _ in range(2):
        stubber.add_client_error("describe_tasks", "ClusterNotFoundException", "Cluster not found.", 400)
    assert aws.describe("c", [arn_of("a", "c")]) == []
    with pytest.raises(OperationError, match="luster"):
        aws.describe("c", ["a"])


@pytest.mark.parametrize("words", ELSEWHERE.values(), ids=ELSEWHERE)
def test_tasks_of_another_account_are_left_out_and_spoil_the_call_for_no_other(
    ecs: tuple[Aws, Stubber], words: str
) -> None:
    aws, stubber = ecs
    ours, foreign = arn_of("a", "c"), "arn:aws:ecs:eu-west-1:222222222222:task/c/b"
    stubber.add_client_error(
        "describe_tasks",
        "InvalidParameterException",
        words,
        400,
        expected_params={"cluster": "c", "tasks": [foreign]},
    )
    stubber.add_response("describe_tasks", {"tasks": [document_of(ours)]}, {"cluster": "c", "tasks": [ours]})
    assert [task.arn for task in aws.describe("c", [foreign, ours])] == [ours]


def test_a_refused_description_for_any_other_reason_is_an_error(ecs: tuple[Aws, Stubber]) -> None:
    aws, stubber = ecs
    stubber.add_client_error("describe_tasks", "InvalidParameterException", "taskId length", 400)
    with pytest.raises(OperationError, match="taskId length"):
        aws.describe("c", ["a"])


def test_the_latest_revision_of_a_family_is_told_and_a_family_of_elsewhere_has_none(
    ecs: tuple[Aws, Stubber],
) -> None:
    aws, stubber = ecs
    found = {"taskDefinition": {"taskDefinitionArn": "arn:aws:ecs:us-east-1:1:task-definition/etl:7"}}
    stubber.add_response("describe_task_definition", found, {"taskDefinition": "etl", "include": ["TAGS"]})
    stubber.add_client_error(
        "describe_task_definition", "ClientException", "Unable to describe task definition.", 400
    )
    stubber.add_client_error("describe_task_definition", "AccessDeniedException", DENIED, 400)
    assert (aws.latest("etl"), aws.latest("theirs")) == ("etl:7", None)
    with pytest.raises(OperationError):
        aws.latest("denied")


def test_a_session_is_opened_with_the_command(ecs: tuple[Aws, Stubber]) -> None:
    aws, stubber = ecs
    task = container()
    wanted = {
        "cluster": task.cluster_arn,
        "task": task.arn,
        "container": "airflow",
        "command": "ls",
        "interactive": True,
    }
    session = {"sessionId": "s", "streamUrl": "wss://x", "tokenValue": "secret"}
    stubber.add_response("execute_command", {"session": session}, wanted)
    assert aws.open_session(task, "airflow", "ls") == session


def test_an_error_becomes_a_sentence_without_its_request(ecs: tuple[Aws, Stubber]) -> None:
    aws, stubber = ecs
    stubber.add_client_error(
        "stop_task", "InvalidParameterException", "The referenced task was not found.", 400
    )
    with pytest.raises(OperationError, match="ECS knows no such task") as caught:
        aws.stop(container(), "why")
    assert caught.value.__cause__ is None


def answer(code: str, message: str = "", call: str = "ListTasks", status: int = 400) -> boto.ClientError:
    return boto.ClientError(
        {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}, call
    )


DENIED = "User: arn:aws:iam::1:user/ada is not authorized to perform: ecs:StopTask on resource: arn:aws:ecs:eu-central-1:1:task/c/abc"


@pytest.mark.parametrize(
    ("error", "url", "words"),
    [
        (answer("ThrottlingException", "Rate exceeded"), None, "Others use up the rate"),
        (answer("AccessDeniedException", DENIED, "StopTask"), None, '"Action": "ecs:StopTask"'),
        (answer("AccessDeniedException", call="ExecuteCommand"), None, '"Action": "ecs:ExecuteCommand"'),
        (answer("AccessDeniedException"), None, "your role or user"),
        (answer("AccessDenied", call="ListObjectsV2", status=403), "s3://b", '"Action": "s3:ListBucket"'),
        (answer("AccessDenied", call="ListObjectsV2", status=403), "s3://b", "arn:aws:s3:::b"),
        (answer("NoSuchBucket", call="ListObjectsV2", status=404), "s3://b", "payload_bucket"),
        (
            answer("ExpiredTokenException", "expired"),
            None,
            "this host's role, AWS_* variables and AWS files. (ExpiredTokenException",
        ),
        (answer("ClusterNotFoundException", "Cluster not found."), None, "luster"),
        (answer("TargetNotConnectedException", "not connected", "ExecuteCommand"), None, "ECS Exec's agent"),
        (boto.EndpointConnectionError(endpoint_url=URL), None, "This host can't reach ECS"),
        (boto.ConnectTimeoutError(endpoint_url=URL), None, "This host can't reach ECS"),
        (boto.ReadTimeoutError(endpoint_url=URL), None, "did not answer in time"),
        (boto.NoCredentialsError(), None, "credentials can't be used"),
        (boto.NoRegionError(), None, "No AWS Region is set."),
    ],
)
def test_each_error_says_what_to_do_here(error: Exception, url: str | None, words: str) -> None:
    said = str(explain(error, "S3" if url else "ECS", URL, "eu-central-1", url))
    assert words in said
    assert "scheduler" not in said


def test_the_missing_statement_is_for_the_partition_of_the_clients_region() -> None:
    denied = answer("AccessDenied", call="ListObjectsV2", status=403)
    assert "arn:aws-cn:s3:::b" in str(explain(denied, "S3", URL, "cn-north-1", "s3://b"))


SPOILED = {
    "InvalidParameterException": ELSEWHERE["another account"],
    "ClusterNotFoundException": "Cluster not found.",
    "AccessDeniedException": DENIED.replace("StopTask", "DescribeTasks"),
}


@pytest.mark.parametrize("code", SPOILED)
def test_of_arns_that_others_wrote_a_refused_group_is_elsewhere_and_the_others_are_told(
    ecs: tuple[Aws, Stubber], code: str
) -> None:
    aws, stubber = ecs
    ours, old = arn_of("a" * 32, "c"), f"arn:aws:ecs:us-east-1:123456789012:task/{'b' * 32}"
    foreign = [f"arn:aws:ecs:us-east-1:222222222222:task/c/{each:032x}" for each in range(101)]
    refused = {"cluster": "c", "tasks": foreign[:100]}
    stubber.add_client_error("describe_tasks", code, SPOILED[code], 400, expected_params=refused)
    stubber.add_response("describe_tasks", {"tasks": [document_of(ours)]}, {"cluster": "c", "tasks": [ours]})
    stubber.add_response("describe_tasks", {"tasks": []}, {"cluster": "default", "tasks": [old]})
    sought = aws.seek(
        [*foreign, ours, old, "arn:aws:batch:us-east-1:222222222222:job/x", arn_of("cut-off", "c")]
    )
    assert [task.arn for task in sought.tasks] == [ours]
    assert sought.elsewhere == frozenset(foreign), "the old one is MISSING: ECS has told"


def test_an_answer_that_says_nothing_about_the_arns_is_an_error(ecs: tuple[Aws, Stubber]) -> None:
    aws, stubber = ecs
    stubber.add_client_error("describe_tasks", "ExpiredTokenException", "expired", 400)
    with pytest.raises(OperationError, match="expired"):
        aws.seek([arn_of("a" * 32)])


@pytest.mark.parametrize("code", ["ClusterNotFoundException", "AccessDeniedException"])
def test_a_cluster_of_the_options_that_is_refused_is_an_error(ecs: tuple[Aws, Stubber], code: str) -> None:
    aws, stubber = ecs
    stubber.add_client_error("describe_tasks", code, SPOILED[code], 400)
    with pytest.raises(OperationError):
        aws.describe("c", ["a"])
