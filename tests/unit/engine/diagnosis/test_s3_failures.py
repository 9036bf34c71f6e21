from __future__ import annotations

import aiohttp
import botocore.exceptions as boto
import pytest

from ecs_async_executor.engine.diagnosis.call_failures import Kind
from ecs_async_executor.engine.diagnosis.s3_failures import classify_s3
from ecs_async_executor.errors import ConnectError
from tests.support.engine import error

URL = "s3://bucket/airflow/run-001.json"
NONCE = "0123456789abcdef" * 2
STANDBY_URL = f"s3://bucket/airflow/standby/{NONCE}.json"

USER = "User: arn:aws:sts::1:assumed-role/scheduler/i-1 is not authorized to perform"
KEY_DENIED = (
    f"{USER}: kms:GenerateDataKey on resource: arn:aws:kms:eu-west-1:1:key/k because no identity-based policy allows the"
    " kms:GenerateDataKey action"
)
DENY = f'{USER}: s3:PutObject on resource: "{URL}" with an explicit deny in a resource-based policy'


def refusal(code: str, status: int = 400, operation: str = "PutObject") -> Exception:
    made: Exception = error(code, "why", status=status, operation=operation)
    return made


@pytest.mark.parametrize(
    ("raised", "remedy"),
    [
        (refusal("NoSuchBucket", 404), "`payload_bucket`"),
        (refusal("PermanentRedirect", 301), "`payload_bucket`"),
        (refusal("NotImplemented", 501), "S3-compatible"),
        (refusal("KMS.DisabledException"), "KMS key"),
        (refusal("KMS.NotFoundException"), "KMS key"),
        (refusal("KMS.KMSInvalidStateException"), "KMS key"),
        (boto.ParamValidationError(report="Invalid bucket name"), "`payload_bucket`"),
    ],
)
def test_a_permanent_refusal_is_configuration_with_its_remedy(raised: Exception, remedy: str):
    failure = classify_s3(raised, URL)
    assert failure.kind is Kind.CONFIGURATION
    assert URL in failure.diagnosis.detail
    assert remedy in failure.diagnosis.remedy


@pytest.mark.parametrize(
    ("raised", "remedy"),
    [
        (refusal("AccessDenied", 403), "s3:PutObject"),
        (refusal("AccessDenied", 403), "default encryption"),
        (refusal("AccessDenied", 403, "DeleteObject"), "s3:DeleteObject"),
        (
            refusal("AccessDenied", 403),
            '{"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::bucket/airflow/*"}',
        ),
        (
            error("AccessDenied", KEY_DENIED, status=403, operation="PutObject"),
            '{"Effect": "Allow", "Action": "kms:GenerateDataKey", "Resource": "arn:aws:kms:eu-west-1:1:key/k"}',
        ),
        (
            error("AccessDenied", DENY, status=403, operation="PutObject"),
            "Remove the Deny of s3:PutObject from a resource-based policy",
        ),
        (refusal("AllAccessDisabled", 403), "s3:PutObject"),
    ],
)
def test_a_denial_is_its_own_kind_and_comes_with_its_remedy(raised: Exception, remedy: str):
    failure = classify_s3(raised, URL)
    assert failure.kind is Kind.DENIED
    assert URL in failure.diagnosis.detail
    assert remedy in failure.diagnosis.remedy


def test_the_missing_statement_is_for_the_partition_of_the_clients_region():
    failure = classify_s3(refusal("AccessDenied", 403), URL, "us-gov-west-1")
    assert '"Resource": "arn:aws-us-gov:s3:::bucket/airflow/*"' in failure.diagnosis.remedy


@pytest.mark.parametrize(
    "raised",
    [
        refusal("SlowDown", 503),
        refusal("InternalError", 500),
        refusal("RequestTimeout"),
        refusal("KMS.ThrottlingException"),
        refusal("KMS.KeyUnavailableException"),
        refusal("IncompleteBody"),
        refusal("BadDigest"),
        refusal("OperationAborted", 409),
        refusal("", 429),
        TimeoutError(),
        boto.EndpointConnectionError(endpoint_url="http://s3", error=aiohttp.ClientOSError()),
        boto.ConnectTimeoutError(endpoint_url="http://s3"),
    ],
)
def test_a_temporary_failure_makes_the_run_wait(raised: Exception):
    failure = classify_s3(raised, URL)
    assert failure.kind is Kind.PAYLOAD
    assert URL in failure.diagnosis.detail


@pytest.mark.parametrize(
    "raised",
    [
        refusal("ExpiredToken"),
        refusal("TokenRefreshRequired"),
        refusal("InvalidAccessKeyId", 403),
        refusal("AccessDenied", 403, "AssumeRole"),
        boto.NoCredentialsError(),
        ConnectError("The AWS connection can't be made."),
    ],
)
def test_refused_credentials_are_distinguished_from_denied_permissions(raised: Exception):
    assert classify_s3(raised, URL).kind is Kind.CREDENTIALS


def test_a_proxys_page_instead_of_s3s_answer_makes_the_run_wait():
    failure = classify_s3(refusal("", 403), URL)
    assert failure.kind is Kind.PAYLOAD
    assert "403" in failure.diagnosis.summary
    assert "proxy" in failure.diagnosis.remedy


def test_a_wrong_clocks_remedy_names_the_clock():
    assert "clock" in classify_s3(refusal("RequestTimeTooSkewed", 403), URL).diagnosis.remedy


def test_a_refusal_that_is_not_about_the_bucket_does_not_blame_the_bucket():
    failure = classify_s3(refusal("InvalidRequest"), URL)
    assert failure.kind is Kind.CONFIGURATION
    assert "that exists" not in failure.diagnosis.remedy
    assert "AWS_REQUEST_CHECKSUM_CALCULATION" in failure.diagnosis.remedy


def test_an_object_that_is_there_is_neither_a_refusal_nor_a_failure_to_try_again():
    raised = error("PreconditionFailed", status=412, operation="PutObject")
    assert classify_s3(raised, URL).kind is Kind.EXISTS


def test_a_conflict_of_two_conditional_puts_is_tried_again():
    raised = error("ConditionalRequestConflict", status=409, operation="PutObject")
    assert classify_s3(raised, URL).kind is Kind.PAYLOAD


@pytest.mark.parametrize(
    "raised",
    [
        refusal("AccessDenied", 403),
        error("AccessDenied", DENY.replace(URL, STANDBY_URL), status=403, operation="PutObject"),
        refusal("InternalError", 500),
        refusal("NotImplemented", 501),
        refusal("PreconditionFailed", 412),
        boto.ParamValidationError(report="Invalid bucket name"),
        TimeoutError(),
    ],
)
def test_the_object_of_a_standby_is_not_named(raised: Exception):
    failure = classify_s3(raised, STANDBY_URL)
    assert failure.kind is classify_s3(raised, URL).kind
    assert NONCE not in str(failure.diagnosis)
    assert "s3://bucket/airflow/standby/*" in failure.diagnosis.detail
