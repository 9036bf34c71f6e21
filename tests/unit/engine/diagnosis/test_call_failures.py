from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any

import aiohttp
import botocore.exceptions as boto
import pytest
from aiohttp.client_reqrep import ConnectionKey
from botocore.model import DenormalizedStructureBuilder
from botocore.parsers import ResponseParserError
from botocore.validate import ParamValidator

from ecs_async_executor.engine.diagnosis.call_failures import (
    PAUSING,
    Kind,
    classify,
    classify_run_task_failure,
)
from ecs_async_executor.engine.diagnosis.callers import THIS_HOST
from ecs_async_executor.engine.responses import TaskFailure
from ecs_async_executor.errors import ConnectError, InvalidRequestError, UnreadableAnswerError
from tests.support.engine import ELSEWHERE

URL = "https://ecs.us-east-1.amazonaws.com/"
KEY = ConnectionKey("ecs.us-east-1.amazonaws.com", 443, True, True, None, None, None)


def client_error(code: str, message: str = "", status: int = 400, **more: Any) -> boto.ClientError:
    operation = more.pop("operation", "RunTask")
    answer = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status},
        **more,
    }
    return boto.ClientError(answer, operation)


SUBNET_THROTTLE = "Error retrieving subnet information for [subnet-1]: Rate exceeded (ErrorCode: Throttling)"
GROUP_THROTTLE = "Error retrieving security group information for [sg-1]: Request limit exceeded. (ErrorCode: RequestLimitExceeded)"
VCPU_LIMIT = "You've reached the limit on the number of vCPUs you can run concurrently"
TASK_LIMIT = "You've reached the limit on the number of tasks you can run concurrently"
PROVISIONING = "The cluster has reached its provisioning capacity limit: 500 tasks in the PROVISIONING state"


@pytest.mark.parametrize(
    ("code", "message", "status", "kind"),
    [
        ("ThrottlingException", "Rate exceeded", 400, Kind.THROTTLE),
        ("Throttling", "Rate exceeded", 400, Kind.THROTTLE),
        ("RequestLimitExceeded", "", 503, Kind.THROTTLE),
        ("TooManyRequestsException", "", 429, Kind.THROTTLE),
        ("Unheard", "", 429, Kind.THROTTLE),
        ("InvalidParameterException", SUBNET_THROTTLE, 400, Kind.THROTTLE),
        ("InvalidParameterException", GROUP_THROTTLE, 400, Kind.THROTTLE),
        ("ServerException", "Service Unavailable. Please try again later.", 500, Kind.UNKNOWN),
        ("ServerException", "", 400, Kind.UNKNOWN),
        ("RequestTimeout", "Your socket connection was not read in time", 400, Kind.UNKNOWN),
        ("InternalFailure", "", 500, Kind.UNKNOWN),
        ("502", "<html>Bad Gateway</html>", 502, Kind.UNKNOWN),
        ("ServiceUnavailable", "", 503, Kind.UNKNOWN),
        ("504", "", 504, Kind.UNKNOWN),
        ("ConflictException", "", 400, Kind.EXISTS),
        ("ClientException", PROVISIONING, 400, Kind.CAPACITY),
        ("ClientException", TASK_LIMIT, 400, Kind.CAPACITY),
        ("ClientException", VCPU_LIMIT, 400, Kind.CAPACITY),
        (
            "InvalidParameterException",
            "No Container Instances were found in your cluster.",
            400,
            Kind.CAPACITY,
        ),
        (
            "InvalidParameterException",
            "The subnet has insufficient free addresses",
            400,
            Kind.CAPACITY,
        ),
        ("ExpiredTokenException", "The security token is expired", 400, Kind.CREDENTIALS),
        ("ExpiredToken", "", 403, Kind.CREDENTIALS),
        (
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
            400,
            Kind.CREDENTIALS,
        ),
        ("InvalidSignatureException", "Signature expired", 400, Kind.CREDENTIALS),
        ("MissingAuthenticationTokenException", "", 400, Kind.CREDENTIALS),
        (
            "AccessDeniedException",
            "User is not authorized to perform: ecs:RunTask",
            400,
            Kind.DENIED,
        ),
        ("ClusterNotFoundException", "Cluster not found.", 400, Kind.CONFIGURATION),
        ("PlatformUnknownException", "", 400, Kind.CONFIGURATION),
        ("PlatformTaskDefinitionIncompatibilityException", "", 400, Kind.CONFIGURATION),
        ("UnsupportedFeatureException", "", 400, Kind.CONFIGURATION),
        ("BlockedException", "Your account is currently blocked.", 400, Kind.CONFIGURATION),
        (
            "InvalidParameterException",
            "Container Overrides length must be at most 8192",
            400,
            Kind.CONFIGURATION,
        ),
        ("ClientException", "TaskDefinition is inactive", 400, Kind.CONFIGURATION),
        (
            "InvalidParameterException",
            "The referenced task was not found.",
            400,
            Kind.NOT_FOUND,
        ),
    ],
)
def test_an_error_answer_is_classified_by_its_code_status_and_text(
    code: str, message: str, status: int, kind: Kind
):
    failure = classify(client_error(code, message, status))
    assert failure.kind is kind
    assert code in failure.diagnosis.detail
    assert str(failure.diagnosis).count(message) == 1 or not message


@pytest.mark.parametrize("operation", ["DescribeTasks", "StopTask", "ExecuteCommand"])
@pytest.mark.parametrize("words", ELSEWHERE.values(), ids=ELSEWHERE)
def test_a_call_about_a_task_that_is_elsewhere_does_not_blame_the_option_cluster(operation: str, words: str):
    failure = classify(client_error("InvalidParameterException", words, operation=operation))
    assert failure.is_elsewhere
    assert failure.kind is Kind.CONFIGURATION
    assert failure.diagnosis.summary == "ECS is asked about a task of another account, Region or cluster."
    assert failure.diagnosis.detail == f"InvalidParameterException: {words}"
    assert "`cluster`" not in failure.diagnosis.remedy


@pytest.mark.parametrize(
    ("place", "cause"),
    [("account", "other-account"), ("Region", "other-region"), ("cluster", "cluster-mismatch")],
)
def test_a_launch_in_another_account_region_or_cluster_names_what_to_correct(place: str, cause: str):
    failure = classify(client_error("InvalidParameterException", ELSEWHERE[f"another {place}"]))
    assert (failure.kind, failure.cause) == (Kind.CONFIGURATION, cause)
    assert "about a task" not in str(failure.diagnosis)
    assert failure.members


@pytest.mark.parametrize("operation", ["AssumeRole", "AssumeRoleWithWebIdentity", "GetRoleCredentials"])
@pytest.mark.parametrize(
    ("code", "status"), [("AccessDenied", 403), ("Throttling", 400), ("InternalFailure", 500)]
)
def test_an_error_from_fetching_credentials_is_never_taken_for_ecss_answer(
    operation: str, code: str, status: int
):
    assert classify(client_error(code, status=status, operation=operation)).kind is Kind.CREDENTIALS


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (boto.NoCredentialsError(), Kind.CREDENTIALS),
        (boto.PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"), Kind.CREDENTIALS),
        (boto.CredentialRetrievalError(provider="ecs", error_msg="timed out"), Kind.CREDENTIALS),
        (boto.ProfileNotFound(profile="nobody"), Kind.CREDENTIALS),
        (boto.TokenRetrievalError(provider="sso", error_msg="expired"), Kind.CREDENTIALS),
        (boto.UnauthorizedSSOTokenError(), Kind.CREDENTIALS),
        (boto.NoAuthTokenError(), Kind.CREDENTIALS),
        (boto.NoRegionError(), Kind.CREDENTIALS),
        (boto.ConnectTimeoutError(endpoint_url=URL), Kind.NETWORK),
        (boto.ProxyConnectionError(proxy_url="http://proxy"), Kind.NETWORK),
        (boto.SSLError(endpoint_url=URL, error="certificate verify failed"), Kind.NETWORK),
        (
            boto.EndpointConnectionError(
                endpoint_url=URL, error=aiohttp.ClientConnectorError(KEY, OSError(111, "refused"))
            ),
            Kind.NETWORK,
        ),
        (
            boto.EndpointConnectionError(
                endpoint_url=URL,
                error=aiohttp.ClientConnectorDNSError(
                    KEY, OSError(-3, "Temporary failure in name resolution")
                ),
            ),
            Kind.NETWORK,
        ),
        (
            boto.EndpointConnectionError(endpoint_url=URL, error=aiohttp.ClientOSError(104, "reset by peer")),
            Kind.UNKNOWN,
        ),
        (boto.EndpointConnectionError(endpoint_url=URL, error=ssl.SSLError("bad record")), Kind.UNKNOWN),
        (boto.EndpointConnectionError(endpoint_url=URL), Kind.UNKNOWN),
        (boto.ConnectionClosedError(endpoint_url=URL), Kind.UNKNOWN),
        (boto.ReadTimeoutError(endpoint_url=URL), Kind.UNKNOWN),
        (boto.HTTPClientError(error=OSError("odd")), Kind.UNKNOWN),
        (TimeoutError(), Kind.UNKNOWN),
        (UnreadableAnswerError("ECS's answer can't be read"), Kind.UNKNOWN),
        (ResponseParserError("the answer is no XML"), Kind.UNKNOWN),
        (KeyError("ResponseMetadata"), Kind.FAULT),
        (boto.HTTPClientError(error=KeyError("ResponseMetadata")), Kind.FAULT),
        (boto.ParamValidationError(report="Unknown parameter in input"), Kind.CONFIGURATION),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else value.name,
)
def test_an_exception_without_an_answer_is_classified_by_whether_aws_may_have_carried_out_the_call(
    error: Exception, kind: Kind
):
    failure = classify(error)
    assert failure.kind is kind
    assert failure.diagnosis.summary


@pytest.mark.parametrize(
    ("cause", "kind"),
    [
        (RuntimeError("the metadata database is down"), Kind.CREDENTIALS),
        (TimeoutError(), Kind.CREDENTIALS),
        (client_error("AccessDenied", status=403, operation="AssumeRole"), Kind.CREDENTIALS),
        (boto.NoRegionError(), Kind.CREDENTIALS),
        (boto.ConnectTimeoutError(endpoint_url=URL), Kind.NETWORK),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else value.name,
)
def test_a_connection_that_can_not_be_made_pauses_the_engine_whatever_the_cause(cause: Exception, kind: Kind):
    error = ConnectError("The AWS connection can't be made.")
    error.__cause__ = cause
    failure = classify(error)
    assert failure.kind is kind
    assert failure.kind in PAUSING
    assert type(cause).__name__ in failure.diagnosis.detail or "AccessDenied" in failure.diagnosis.detail


def test_a_conflict_names_the_tasks_that_the_token_started():
    assert classify(client_error("ConflictException", resourceIds=["arn:1", "arn:2"])).arns == (
        "arn:1",
        "arn:2",
    )
    assert classify(client_error("ConflictException")).arns == ()


def test_a_request_that_can_not_be_built_keeps_its_remedy():
    failure = classify(InvalidRequestError("The tags are too many.", "Remove some."))
    assert failure.kind is Kind.CONFIGURATION
    assert str(failure.diagnosis) == "The tags are too many. Remove some."


@pytest.mark.parametrize(
    ("code", "message", "remedy"),
    [
        ("AccessDeniedException", "not authorized", '"Action": "ecs:RunTask"'),
        ("ClientException", "Something new", "options"),
    ],
)
def test_a_refusals_remedy_says_what_to_correct(code: str, message: str, remedy: str):
    assert remedy in classify(client_error(code, message)).diagnosis.remedy


@pytest.mark.parametrize(
    ("reason", "detail", "kind"),
    [
        ("RESOURCE:CPU", None, Kind.CAPACITY),
        ("RESOURCE:MEMORY", None, Kind.CAPACITY),
        ("RESOURCE:PORTS", None, Kind.CAPACITY),
        ("RESOURCE:ENI", None, Kind.CAPACITY),
        ("RESOURCE:GPU", None, Kind.CAPACITY),
        ("RESOURCE:FARGATE", None, Kind.CAPACITY),
        ("AGENT", None, Kind.CAPACITY),
        (
            "Capacity is unavailable at this time. Please try again later or in a different availability zone",
            None,
            Kind.CAPACITY,
        ),
        ("UNKNOWN", "Capacity is unavailable at this time", Kind.CAPACITY),
        ("EMPTY CAPACITY PROVIDER", None, Kind.CAPACITY),
        ("NO ACTIVE INSTANCES", None, Kind.CAPACITY),
        (VCPU_LIMIT, None, Kind.CAPACITY),
        ("ATTRIBUTE", None, Kind.CAPACITY),
        ("LOCATION", None, Kind.CAPACITY),
        ("MemberOf placement constraint unsatisfied", None, Kind.CAPACITY),
        ("AGENTS ARE TIRED", None, Kind.START),
        ("Something new", "with a detail", Kind.START),
        (None, None, Kind.START),
    ],
)
def test_an_entry_of_failures_is_classified_by_its_reason(reason: str | None, detail: str | None, kind: Kind):
    failure = classify_run_task_failure(TaskFailure(reason=reason, detail=detail))
    assert failure.kind is kind
    assert str(failure.diagnosis).count(reason or "ECS gives no reason") == 1
    assert (detail or "") in str(failure.diagnosis)


def test_a_request_that_botocore_rejects_shows_no_values():
    shape = (
        DenormalizedStructureBuilder()
        .with_members({"command": {"type": "list", "member": {"type": "string"}}})
        .build_model()
    )
    report = ParamValidator().validate({"command": "run --token the-secret, type: of one\nline"}, shape)
    failure = classify(boto.ParamValidationError(report=report.generate_report()))
    assert "the-secret" not in str(failure)
    assert "line" not in failure.diagnosis.detail
    assert "Invalid type for parameter command" in failure.diagnosis.detail
    assert "valid types: <class 'list'>, <class 'tuple'>" in failure.diagnosis.detail


def test_an_error_answer_shows_the_request_id_that_aws_support_asks_for():
    answer = {
        "Error": {"Code": "ServerException", "Message": "sorry"},
        "ResponseMetadata": {"HTTPStatusCode": 500, "RequestId": "5e2c"},
    }
    failure = classify(boto.ClientError(answer, "RunTask"))
    assert failure.diagnosis.detail == "ServerException: sorry; request id 5e2c"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 407])
@pytest.mark.parametrize("as_code", [str, lambda _: ""], ids=["status as code", "no code"])
def test_a_page_instead_of_an_answer_pauses_the_engine_and_fails_no_task(
    status: int, as_code: Callable[[int], str]
):
    failure = classify(client_error(as_code(status), "<html>blocked by policy</html>", status))
    assert failure.kind is Kind.NETWORK
    assert str(status) in failure.diagnosis.summary
    assert "proxy" in failure.diagnosis.remedy
    assert "html" not in str(failure.diagnosis)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(413, Kind.CONFIGURATION), (429, Kind.THROTTLE), (502, Kind.UNKNOWN), (504, Kind.UNKNOWN)],
)
def test_a_page_about_one_request_or_an_overload_does_not_pause_the_engine(status: int, kind: Kind):
    assert classify(client_error(str(status), "<html>", status)).kind is kind


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (
            "InvalidSignatureException",
            "Signature expired: 20260204T205323Z is now earlier than 20260205T141250Z",
        ),
        ("InvalidSignatureException", "Signature not yet current: 20260204T205323Z is still later than ..."),
        ("RequestExpired", "Request has expired."),
        ("RequestTimeTooSkewed", ""),
    ],
)
def test_a_wrong_clock_is_distinguished_from_wrong_credentials(code: str, message: str):
    failure = classify(client_error(code, message))
    assert failure.kind is Kind.CREDENTIALS
    assert "clock" in failure.diagnosis.remedy
    assert "conn_id" not in failure.diagnosis.remedy


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("AccessDenied", 403, Kind.DENIED),
        ("NotAuthorized", 401, Kind.DENIED),
        ("OptInRequired", 403, Kind.CREDENTIALS),
        ("RequestAbortedException", 400, Kind.UNKNOWN),
    ],
)
def test_awss_common_errors_are_not_blamed_on_the_request(code: str, status: int, kind: Kind):
    assert classify(client_error(code, "why", status)).kind is kind


@pytest.mark.parametrize(
    "error", [FileNotFoundError(2, "No such file"), PermissionError(13, "Permission denied")]
)
def test_unreadable_certificates_pause_the_engine_and_the_remedy_names_them(error: OSError):
    failure = classify(boto.HTTPClientError(error=error))
    assert failure.kind is Kind.NETWORK
    assert "AWS_CA_BUNDLE" in failure.diagnosis.remedy


@pytest.mark.parametrize(
    ("cause", "remedy"),
    [
        (boto.InvalidRegionError(region_name="EU (Frankfurt)"), "region_name"),
        (ValueError("Invalid endpoint: localhost:4566"), "endpoint_url"),
    ],
    ids=["Region", "endpoint"],
)
def test_an_invalid_region_or_endpoint_is_not_blamed_on_the_credentials(cause: Exception, remedy: str):
    error = ConnectError("The AWS connection can't be made.")
    error.__cause__ = cause
    failure = classify(error)
    assert failure.kind in PAUSING
    assert remedy in failure.diagnosis.remedy
    assert "role" not in failure.diagnosis.remedy


def test_a_request_to_sts_that_botocore_rejects_shows_no_values():
    error = ConnectError("AWS gives no credentials.")
    error.__cause__ = boto.ParamValidationError(
        report="Invalid type for parameter ExternalId, value: 8731946, type: <class 'int'>, valid types: <class 'str'>"
    )
    failure = classify(error)
    assert failure.kind is Kind.CREDENTIALS
    assert "ExternalId" in failure.diagnosis.detail
    assert "8731946" not in str(failure.diagnosis)


@pytest.mark.parametrize(
    "error",
    [
        client_error("AccessDeniedException", "Denied."),
        client_error("ExpiredTokenException", "The security token included in the request is expired"),
        client_error("RequestExpired", "Request has expired."),
        boto.NoCredentialsError(),
        boto.ConnectTimeoutError(endpoint_url=URL),
    ],
)
def test_a_diagnosis_names_who_called(error: Exception) -> None:
    ours, theirs = classify(error).diagnosis, classify(error, THIS_HOST).diagnosis
    assert "scheduler" in f"{ours.summary} {ours.remedy}"
    assert "scheduler" not in f"{theirs.summary} {theirs.remedy}"
    assert "his host" in f"{theirs.summary} {theirs.remedy}"
    assert ours.detail == theirs.detail
