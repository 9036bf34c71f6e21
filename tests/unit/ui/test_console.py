from __future__ import annotations

import pytest

from ecs_async_executor.logs.location import LogStream
from ecs_async_executor.task_arn import TaskArn
from ecs_async_executor.ui.console import configured_endpoint, is_aws_endpoint, log_url, task_url


def arn(text: str) -> TaskArn:
    found = TaskArn.parse(text)
    assert found is not None
    return found


GERMAN = arn("arn:aws:ecs:eu-central-1:111122223333:task/my-cluster/0a1b")


@pytest.mark.parametrize(
    ("text", "url"),
    [
        (
            "arn:aws:ecs:eu-central-1:111122223333:task/my-cluster/0a1b",
            "https://eu-central-1.console.aws.amazon.com/ecs/v2/clusters/my-cluster/tasks/0a1b/configuration?region=eu-central-1",
        ),
        (
            "arn:aws-cn:ecs:cn-north-1:111122223333:task/my-cluster/0a1b",
            "https://cn-north-1.console.amazonaws.cn/ecs/v2/clusters/my-cluster/tasks/0a1b/configuration?region=cn-north-1",
        ),
        (
            "arn:aws-us-gov:ecs:us-gov-west-1:111122223333:task/my-cluster/0a1b",
            (
                "https://us-gov-west-1.console.amazonaws-us-gov.com/ecs/v2/clusters/my-cluster/tasks/0a1b/configuration"
                "?region=us-gov-west-1"
            ),
        ),
        (
            "arn:aws:ecs:eu-central-1:111122223333:task/0a1b",
            "https://eu-central-1.console.aws.amazon.com/ecs/v2/clusters/default/tasks/0a1b/configuration?region=eu-central-1",
        ),
        ("arn:aws-iso:ecs:us-iso-east-1:111122223333:task/my-cluster/0a1b", None),
        ("arn:aws-eusc:ecs:eusc-de-east-1:111122223333:task/my-cluster/0a1b", None),
        ("arn:aws:ecs:us-east-1:123456789012:task/my-cluster/0a1b", None),
        ("arn:aws:ecs:us-east-1:000000000000:task/my-cluster/0a1b", None),
    ],
)
def test_a_task_has_a_page_in_its_partitions_console(text: str, url: str | None) -> None:
    assert task_url(arn(text)) == url


@pytest.mark.parametrize(
    ("where", "fragment"),
    [
        (
            LogStream("/ecs/airflow", "ecs/airflow/0a1b", "us-west-2"),
            "$252Fecs$252Fairflow/log-events/ecs$252Fairflow$252F0a1b",
        ),
        (LogStream("a.b_c-d#e", "x/$LATEST[y] z", "us-west-2"), "a.b_c-d$2523e/log-events/x$252F$2524LATEST$255By$255D$2520z"),
        (LogStream("gruß", "x", "us-west-2"), "gru$25C3$259F/log-events/x"),
        (LogStream("100%", "a:b*c", "us-west-2"), "100$2525/log-events/a$253Ab$252Ac"),
    ],
)  # fmt: skip
def test_a_log_stream_has_a_page_in_the_region_of_its_group(where: LogStream, fragment: str) -> None:
    url = "https://us-west-2.console.aws.amazon.com/cloudwatch/home?region=us-west-2#logsV2:log-groups/log-group/"
    assert log_url(GERMAN, where) == url + fragment


def test_without_a_known_stream_the_link_leads_to_the_tasks_logs_tab() -> None:
    assert str(log_url(GERMAN, None)).endswith("/tasks/0a1b/logs?region=eu-central-1")


def test_a_log_has_no_link_where_its_task_has_none() -> None:
    local = arn("arn:aws:ecs:us-east-1:123456789012:task/default/0a1b")
    assert log_url(local, LogStream("g", "s", "us-east-1")) is None


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        (None, True),
        ("https://ecs.eu-central-1.amazonaws.com", True),
        ("https://ecs.cn-north-1.amazonaws.com.cn/", True),
        ("https://vpce-1-a.ecs.eu-central-1.vpce.amazonaws.com", True),
        ("https://ecs.eu-central-1.api.aws", True),
        ("http://127.0.0.1:8787", False),
        ("http://localhost.localstack.cloud:4566", False),
        ("https://amazonaws.com.evil.example", False),
    ],
)
def test_only_awss_endpoints_have_a_console(endpoint: str | None, expected: bool) -> None:
    assert is_aws_endpoint(endpoint) is expected


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, None),
        ({"AWS_ENDPOINT_URL": "http://a"}, "http://a"),
        ({"AWS_ENDPOINT_URL": "http://a", "AWS_ENDPOINT_URL_ECS": "http://b"}, "http://b"),
        ({"AWS_ENDPOINT_URL": "http://a", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "True"}, None),
    ],
)
def test_the_endpoint_is_the_one_that_botocore_would_use(
    environment: dict[str, str], expected: str | None
) -> None:
    assert configured_endpoint(environment) == expected
