from __future__ import annotations

from typing import Any

import pytest

from ecs_async_executor.logs.location import Elsewhere, LogStream, airflow_container, locate
from ecs_async_executor.task_arn import TaskArn

ARN = TaskArn.parse("arn:aws:ecs:eu-central-1:111122223333:task/my-cluster/0a1b2c")
DEFINITION_ARN = "arn:aws:ecs:eu-central-1:111122223333:task-definition/airflow-task:7"


def located(driver: str | None, options: dict[str, str] | None = None, runtime_id: str | None = None) -> Any:
    configuration = {"logDriver": driver, "options": options} if driver else None
    containers = [{"name": "airflow", "logConfiguration": configuration}, {"name": "sidecar"}]
    definition = {"taskDefinitionArn": DEFINITION_ARN, "containerDefinitions": containers}
    assert ARN is not None
    return locate(ARN, definition, "airflow", runtime_id)


def awslogs(**options: str) -> dict[str, str]:
    return {f"awslogs-{name.replace('_', '-')}": value for name, value in options.items()}


@pytest.mark.parametrize(
    ("options", "runtime_id", "expected"),
    [
        pytest.param(
            awslogs(group="/ecs/airflow", region="us-west-2", stream_prefix="ecs"),
            None,
            LogStream("/ecs/airflow", "ecs/airflow/0a1b2c", "us-west-2"),
            id="a prefix",
        ),
        pytest.param(
            awslogs(group="/ecs/airflow", stream_prefix="a/b"),
            "docker-id",
            LogStream("/ecs/airflow", "a/b/airflow/0a1b2c", "eu-central-1"),
            id="no Region: the task's own; the prefix wins over Docker's id",
        ),
        pytest.param(
            awslogs(group="/ecs/airflow", region="eu-central-1"),
            "d0c4e4",
            LogStream("/ecs/airflow", "d0c4e4", "eu-central-1"),
            id="no prefix: Docker's id of the container",
        ),
    ],
)
def test_awslogs_names_the_stream(
    options: dict[str, str], runtime_id: str | None, expected: LogStream
) -> None:
    assert located("awslogs", options, runtime_id) == expected


@pytest.mark.parametrize(
    ("driver", "options", "words"),
    [
        (None, None, ["airflow-task:7 has no logConfiguration", "Set its log driver to awslogs"]),
        ("awslogs", {}, ["name no awslogs-group"]),
        ("awsfirelens", {"Name": "kinesis_firehose", "delivery_stream": "logs"}, ["output kinesis_firehose (logs)"]),
        ("awsfirelens", {"Name": "cloudwatch", "log_group_name": "/x"}, ["output cloudwatch (/x)"]),
        ("awsfirelens", {"@type": "es", "host": "https://me:pass@es.local/"}, ["output es (https://es.local/)"]),
        ("awsfirelens", {}, ["to where its own configuration file says"]),
        ("splunk", {"splunk-url": "https://splunk:8088", "splunk-token": "s3cret"}, ["splunk", "to https://splunk:8088"]),
        ("splunk", None, ["The log driver splunk sends the lines of the container airflow: look there."]),
        ("fluentd", {"fluentd-address": "fluent:24224"}, ["to fluent:24224: look there"]),
        ("gelf", {"gelf-address": "udp://graylog:12201"}, ["to udp://graylog:12201"]),
        ("syslog", {"syslog-address": "tcp://user:pass@log:514?key=1"}, ["to tcp://log:514: look there"]),
        ("logentries", {"logentries-token": "s3cret"}, ["log driver logentries"]),
        ("json-file", {}, ["`docker logs`", "Set it to awslogs in airflow-task:7"]),
        ("local", {}, ["`docker logs`"]),
        ("journald", {}, ["in the journal of its EC2 instance"]),
        ("none", {}, ["nothing keeps its lines"]),
    ],
)  # fmt: skip
def test_every_other_driver_says_where_the_lines_are(
    driver: str | None, options: dict[str, str] | None, words: list[str]
) -> None:
    found = located(driver, options)
    assert isinstance(found, Elsewhere)
    assert found.for_good
    for each in words:
        assert each in str(found)


def test_no_secret_of_a_driver_is_shown() -> None:
    for driver, name in (
        ("splunk", "splunk-token"),
        ("logentries", "logentries-token"),
        ("awsfirelens", "apikey"),
    ):
        assert "s3cret" not in str(located(driver, {name: "s3cret"}))


def test_a_container_that_has_not_started_may_have_a_stream_later() -> None:
    found = located("awslogs", awslogs(group="/ecs/airflow"))
    assert isinstance(found, Elsewhere)
    assert not found.for_good
    assert "has not started yet" in str(found)


def test_an_unknown_container_is_reported_with_those_that_exist() -> None:
    assert ARN is not None
    definition = {"taskDefinitionArn": DEFINITION_ARN, "containerDefinitions": [{"name": "a"}, {"name": "b"}]}
    found = locate(ARN, definition, "airflow", None)
    assert "has no container airflow. It has: a, b." in str(found)


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ([{"name": "airflow", "command": ["x"]}], "airflow"),
        ([{"name": "of-a-queue", "command": ["x"]}, {"name": "airflow", "cpu": 1}], "of-a-queue"),
        ([{"name": "other", "command": ["x"]}, {"name": "airflow", "command": ["x"]}], "airflow"),
        ([{"name": "other", "cpu": 1}], "airflow"),
        ([], "airflow"),
    ],
)
def test_the_container_is_the_one_that_got_a_command(overrides: list[dict[str, Any]], expected: str) -> None:
    assert airflow_container({"overrides": {"containerOverrides": overrides}}, "airflow") == expected
