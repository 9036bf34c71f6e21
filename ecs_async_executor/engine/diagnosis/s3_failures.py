"""Why a call to S3 failed, and who pays for it. Pure. Source: "Error responses" of the S3 API reference."""

from __future__ import annotations

from dataclasses import replace

import botocore.exceptions as boto

from ecs_async_executor.engine.diagnosis.call_failures import (
    CREDENTIAL_CODES,
    THROTTLE_CODES,
    UNKNOWN_OUTCOME_CODES,
    Failure,
    Kind,
    classify,
    credentials_refused,
    is_clock_error,
    is_foreign_answer,
    request_id_of,
)
from ecs_async_executor.engine.diagnosis.causes.calls import CLOCK
from ecs_async_executor.engine.diagnosis.causes.cause import own_words
from ecs_async_executor.engine.diagnosis.faults import text_of
from ecs_async_executor.engine.diagnosis.iam import arn_of, missing, remedy_of
from ecs_async_executor.messages import Diagnosis
from ecs_async_executor.standby.command import is_standby

_ACTIONS = {"PutObject": "s3:PutObject", "DeleteObject": "s3:DeleteObject", "ListObjectsV2": "s3:ListBucket"}
_ENCRYPTED = (
    "If a customer managed KMS key encrypts the bucket, the role needs kms:GenerateDataKey on that key too. If the bucket's "
    "policy requires an encryption header, use the bucket's default encryption instead."
)
_CREDENTIAL_CODES = CREDENTIAL_CODES | {"TokenRefreshRequired"}
_PASSING_CODES = (
    THROTTLE_CODES
    | UNKNOWN_OUTCOME_CODES
    | {"BadDigest", "IncompleteBody"}  # the request was damaged in transit
    | {"DependencyTimeoutException", "InternalException", "KMSInternalException", "KeyUnavailableException"}
)
_KMS = "KMS."
"""Prefix of KMS's error codes, which S3 passes on."""
_NEVER = "NotImplemented"
"""501, of an S3-compatible store that lacks a header's function, such as If-None-Match: it has done nothing, and never will."""
_PASSING_STATUS = frozenset({408, 409, 429})
_BUCKET_CODES = frozenset({"InvalidBucketName", "NoSuchBucket", "PermanentRedirect"})
_BUCKET_REMEDY = "Set the option `payload_bucket` to a bucket that exists."
_OTHER_REMEDY = (
    "Correct in the bucket what S3 names, or set the option `payload_bucket` to another bucket. An S3-compatible store may "
    "need AWS_REQUEST_CHECKSUM_CALCULATION=when_required."
)
_PASSING_REMEDY = (
    "Nothing to do: the executor tries again. If it lasts, check the network path to S3 and the credentials."
)
_NOT_S3_REMEDY = (
    "The executor tries again. Check the proxy (HTTPS_PROXY, the connection's `proxies`) and the firewall between the "
    "scheduler and S3."
)
_KEY_REMEDY = (
    "Enable the KMS key that encrypts the bucket, or set another one in the bucket's default encryption."
)


def classify_s3(error: BaseException, url: str, region: str = "") -> Failure:
    """Classify an exception that PutObject or DeleteObject raised; `region` is the client's, if there is a client.

    As `CONFIGURATION`, `DENIED`, `CREDENTIALS` (affects only the S3 client), `EXISTS` (a conditional PutObject found an
    object), and otherwise as `PAYLOAD`. The diagnosis doesn't name a standby's object: whoever knows its name can read it.
    """
    failure = _classify(error, url, region)
    if not is_standby(url):
        return failure
    name, said = url.rpartition("/")[2], failure.diagnosis
    masked = (text.replace(name, "*") for text in (said.summary, said.detail, said.remedy))
    return replace(failure, diagnosis=Diagnosis(*masked))


def _classify(error: BaseException, url: str, region: str) -> Failure:
    if isinstance(error, boto.ParamValidationError):
        return Failure(
            Kind.CONFIGURATION,
            Diagnosis("The name of the workload's S3 object is not valid.", url, _BUCKET_REMEDY),
        )
    if isinstance(error, boto.ClientError) and error.operation_name in _ACTIONS:
        return _classify_answer(error, url, region)
    failure = classify(error)
    if failure.kind is Kind.FAULT:
        # Another upload does no harm, and nothing was sent to ECS: the retries are limited as for S3's own failures.
        return replace(failure, kind=Kind.PAYLOAD)
    refused = failure.kind is Kind.CREDENTIALS
    return _passing(Kind.CREDENTIALS if refused else Kind.PAYLOAD, error, url)


def _classify_answer(error: boto.ClientError, url: str, region: str) -> Failure:
    answer = error.response.get("Error", {})
    code, message = str(answer.get("Code", "")), str(answer.get("Message", ""))
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if is_clock_error(code, message):
        return _passing(Kind.CREDENTIALS, error, url, CLOCK.remedy)
    if code in _CREDENTIAL_CODES:
        return _passing(Kind.CREDENTIALS, error, url, credentials_refused(code, "").remedy)
    if code == "PreconditionFailed":
        return Failure(Kind.EXISTS, Diagnosis("The object is in S3 already.", url))
    if is_foreign_answer(code, status) and status < 500:
        return Failure(
            Kind.PAYLOAD,
            Diagnosis(f"Something other than S3 answered, with status {status}.", url, _NOT_S3_REMEDY),
        )
    passes = status >= 500 and code != _NEVER
    if passes or status in _PASSING_STATUS or code.removeprefix(_KMS) in _PASSING_CODES:
        return _passing(Kind.PAYLOAD, error, url)
    facts = f"{code}: {message}; {url}{request_id_of(error.response)}"
    if code == "AccessDenied" or status == 403:
        return Failure(
            Kind.DENIED,
            Diagnosis(
                "S3 denied access to the workload's object.",
                facts,
                remedy_of(message) or _missing(error.operation_name, url, region),
            ),
        )
    if code.startswith(_KMS):
        remedy = _KEY_REMEDY
    else:
        remedy = _BUCKET_REMEDY if code in _BUCKET_CODES else _OTHER_REMEDY
    said = own_words(message)
    return Failure(
        Kind.CONFIGURATION,
        Diagnosis(
            f"S3 refused the workload's object: {said}" if said else "S3 refused the workload's object.",
            f"{code}; {url}{request_id_of(error.response)}",
            remedy,
        ),
    )


def _missing(operation: str, url: str, region: str) -> str:
    needed = missing("the scheduler's role", _ACTIONS[operation], arn_of(url, region))
    return f"{needed} {_ENCRYPTED}" if operation == "PutObject" else needed


def _passing(kind: Kind, error: BaseException, url: str, remedy: str = _PASSING_REMEDY) -> Failure:
    return Failure(
        kind,
        Diagnosis(
            "S3 can't take the workload now.",
            f"{text_of(error.__cause__ or error)}; {url}",
            remedy,
        ),
    )
