from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.validate import ParamValidator

from ecs_async_executor.local.rules.protocol import ACTIONS, AwsError, action_of, input_shape, parse, validate

SECRET = "eyJhbGciOi.a-token"
COMMAND = {"taskDefinition": "x", "overrides": {"containerOverrides": [{"name": "a", "command": [SECRET]}]}}


@pytest.mark.parametrize(
    ("target", "action"),
    [
        ("AmazonEC2ContainerServiceV20141113.RunTask", "RunTask"),
        ("AmazonEC2ContainerServiceV20141113.TagResource", "TagResource"),
    ],
)
def test_the_action_is_read_from_the_target_header(target: str, action: str) -> None:
    assert action_of(target) == action


@pytest.mark.parametrize(
    "target", ["", "RunTask", "AmazonEC2ContainerServiceV20141113.CreateService", "Logs.RunTask"]
)
def test_an_unknown_action_is_an_unknown_operation(target: str) -> None:
    with pytest.raises(AwsError) as caught:
        action_of(target)
    assert caught.value.code == "UnknownOperationException"


@pytest.mark.parametrize("body", [b"{", b"[]", b"3", b"\xff"])
def test_a_body_that_is_no_json_object_is_a_serialization_error(body: bytes) -> None:
    with pytest.raises(AwsError) as caught:
        parse(body)
    assert caught.value.code == "SerializationException"


def test_null_means_absent() -> None:
    assert parse(b'{"cluster": null, "overrides": {"cpu": null}, "count": 1}') == {
        "overrides": {},
        "count": 1,
    }


def test_an_error_answer_carries_its_type_and_extra_members() -> None:
    error = AwsError("ConflictException", "why", resourceIds=["arn"])
    assert json.loads(error.body()) == {
        "__type": "ConflictException",
        "message": "why",
        "resourceIds": ["arn"],
    }


REQUESTS: list[tuple[str, dict[str, Any], str]] = [
    ("RunTask", COMMAND, ""),
    (
        "RunTask",
        {**COMMAND, "count": 2, "enableExecuteCommand": True, "tags": [{"key": "a", "value": "b"}]},
        "",
    ),
    ("RunTask", {}, "InvalidParameterException"),
    ("RunTask", {**COMMAND, "count": "2"}, "SerializationException"),
    ("RunTask", {**COMMAND, "count": True}, "SerializationException"),
    ("RunTask", {**COMMAND, "cluster": 3}, "SerializationException"),
    ("RunTask", {**COMMAND, "enableExecuteCommand": "yes"}, "SerializationException"),
    ("RunTask", {**COMMAND, "overrides": []}, "SerializationException"),
    ("RunTask", {**COMMAND, "overrides": {"containerOverrides": {}}}, "SerializationException"),
    (
        "RunTask",
        {**COMMAND, "overrides": {"containerOverrides": [{"command": SECRET}]}},
        "SerializationException",
    ),
    ("RunTask", {**COMMAND, "nope": 1}, "SerializationException"),
    (
        "RunTask",
        {**COMMAND, "networkConfiguration": {"awsvpcConfiguration": {}}},
        "InvalidParameterException",
    ),
    ("DescribeTasks", {"tasks": ["a"], "include": ["TAGS"]}, ""),
    ("DescribeTasks", {"tasks": "a"}, "SerializationException"),
    ("DescribeTasks", {}, "InvalidParameterException"),
    (
        "RegisterTaskDefinition",
        {"family": "a", "containerDefinitions": [{"dockerLabels": {"a": 1}}]},
        "SerializationException",
    ),
]


@pytest.mark.parametrize(("action", "params", "code"), REQUESTS)
def test_requests_are_checked_against_botocores_model(action: str, params: dict[str, Any], code: str) -> None:
    if not code:
        validate(action, params)
        return
    with pytest.raises(AwsError) as caught:
        validate(action, params)
    assert caught.value.code == code
    assert SECRET not in caught.value.message


@pytest.mark.parametrize(
    ("action", "params", "code"), [row for row in REQUESTS if row[1].get("count") is not True]
)
def test_the_checks_agree_with_botocores_own_validator(
    action: str, params: dict[str, Any], code: str
) -> None:
    report = ParamValidator().validate(params, input_shape(action))
    assert report.has_errors() is bool(code)


def test_values_outside_an_enum_are_invalid() -> None:
    with pytest.raises(AwsError) as caught:
        validate("RunTask", {**COMMAND, "launchType": "NOPE"})
    assert caught.value.code == "InvalidParameterException"


@pytest.mark.parametrize("action", ACTIONS)
def test_every_action_has_a_shape(action: str) -> None:
    assert input_shape(action).members
