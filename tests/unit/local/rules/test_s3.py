from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from ecs_async_executor.local.rules.s3 import S3_ACTIONS, S3Call, call_of, error_body, outcome_of


@pytest.mark.parametrize(
    ("method", "target", "action", "bucket", "key"),
    [
        ("PUT", "/b/a/k.json", "s3:PutObject", "b", "a/k.json"),
        ("GET", "/b/k", "s3:GetObject", "b", "k"),
        ("GET", "/b/k?x-id=GetObject", "s3:GetObject", "b", "k"),
        ("HEAD", "/b/k", "s3:HeadObject", "b", "k"),
        ("DELETE", "/b/k", "s3:DeleteObject", "b", "k"),
        ("GET", "/b/sp%20ace%2F%C3%BC%2B", "s3:GetObject", "b", "sp ace/ü+"),
        ("GET", "/b?list-type=2&prefix=a%2F", "s3:ListObjects", "b", ""),
        ("GET", "/b/", "s3:ListObjects", "b", ""),
        ("GET", "/b?location", "s3:Other", "b", ""),
        ("PUT", "/b", "s3:Other", "b", ""),
        ("GET", "/", "s3:Other", "", ""),
        ("PUT", "/b/k?uploadId=1&partNumber=2", "s3:Other", "b", "k"),
        ("GET", "/b/k?tagging", "s3:Other", "b", "k"),
        ("POST", "/b/k?uploads", "s3:Other", "b", "k"),
        ("OPTIONS", "/b/k", "s3:Other", "b", "k"),
    ],
)
def test_a_request_is_read_as_the_action_it_is(
    method: str, target: str, action: str, bucket: str, key: str
) -> None:
    call = call_of(method, target)
    assert call == S3Call(action, bucket, key)
    assert call.action in S3_ACTIONS


def test_an_error_is_xml_whatever_its_key_holds() -> None:
    body = error_body("SlowDown", "Please <wait> & see", S3Call("s3:GetObject", "b", "k<&>"), "id")
    error = ET.fromstring(body)  # noqa: S314  our own text
    assert {each.tag: each.text for each in error} == {
        "Code": "SlowDown",
        "Message": "Please <wait> & see",
        "Resource": "/b/k<&>",
        "RequestId": "id",
    }


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (200, b"<Code>in an object</Code>", "ok"),
        (304, b"", "ok"),
        (412, b"<Error><Code>PreconditionFailed</Code></Error>", "PreconditionFailed"),
        (404, b"", "404"),
    ],
)
def test_a_response_counts_by_the_code_of_its_error(status: int, body: bytes, outcome: str) -> None:
    assert outcome_of(status, body) == outcome
