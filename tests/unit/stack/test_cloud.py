"""How AWS is asked: pages, errors, whose stack it is."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import botocore.exceptions as boto
import pytest
from botocore.parsers import ResponseParserError

from ecs_async_executor.errors import OperationError
from ecs_async_executor.stack.cloud import Cloud, Stack, UnreachableError
from ecs_async_executor.stack.template import read_template


class FakePages:
    """DescribeStackEvents: pages of three events, the newest first; counts those that were asked for."""

    def __init__(self, count: int) -> None:
        self.numbers = list(range(count))[::-1]
        self.asked = 0

    def get_paginator(self, operation: str) -> FakePages:
        assert operation == "describe_stack_events"
        return self

    def paginate(self, **_: Any) -> Any:
        for start in range(0, len(self.numbers), 3):
            self.asked += 1
            yield {"StackEvents": [self._event(number) for number in self.numbers[start : start + 3]]}

    @staticmethod
    def _event(number: int) -> dict[str, Any]:
        return {
            "EventId": str(number),
            "Timestamp": datetime.fromtimestamp(number, timezone.utc),
            "LogicalResourceId": "Cluster",
            "ResourceType": "AWS::ECS::Cluster",
            "ResourceStatus": "CREATE_COMPLETE",
        }


def cloud(client: Any) -> Cloud:
    return Cloud(None, {"cloudformation": client})


def test_events_that_are_known_are_not_asked_for_again():
    pages = FakePages(30)
    found = cloud(pages).events("id", {str(number) for number in range(26)})
    assert pages.asked == 2
    assert [each.id for each in found] == ["24", "25", "26", "27", "28", "29"]


def test_without_known_events_all_are_read_the_oldest_first():
    assert [each.id for each in cloud(FakePages(7)).events("id")] == [str(number) for number in range(7)]


def failing(error: Exception) -> Any:
    class Client:
        def describe_stacks(self, **_: Any) -> Any:
            raise error

    return Client()


@pytest.mark.parametrize(
    "error",
    [
        boto.ClientError({"Error": {"Code": "Throttling", "Message": "Rate exceeded"}}, "DescribeStacks"),
        boto.EndpointConnectionError(endpoint_url="https://cloudformation"),
        boto.ReadTimeoutError(endpoint_url="https://cloudformation"),
        ResponseParserError("Unable to parse response: <html>"),
    ],
    ids=["throttled", "no network", "slow", "a proxy's page"],
)
def test_what_passes_by_itself_is_told_apart(error: Exception):
    with pytest.raises(UnreachableError):
        cloud(failing(error)).stack("airflow")


@pytest.mark.parametrize(
    "error",
    [
        boto.ClientError({"Error": {"Code": "ExpiredToken", "Message": "expired"}}, "DescribeStacks"),
        boto.NoCredentialsError(),
        boto.UnauthorizedSSOTokenError(),
    ],
    ids=["expired", "none", "SSO"],
)
def test_what_does_not_pass_is_no_reason_to_wait(error: Exception):
    with pytest.raises(OperationError) as raised:
        cloud(failing(error)).stack("airflow")
    assert not isinstance(raised.value, UnreachableError)


def test_a_configuration_that_cannot_be_read_is_a_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Any):
    path = tmp_path / "config"
    path.write_text("[default\nregion", encoding="utf-8")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(path))
    with pytest.raises(OperationError, match="can't be read"):
        Cloud.connect("eu-central-1")


def test_a_stack_is_ours_by_its_templates_description():
    def described(text: str) -> Stack:
        return Stack("id", "airflow", "CREATE_COMPLETE", {}, (), text)

    assert described(read_template().document["Description"]).ours
    assert not described("A shop").ours
    assert not described("").ours
