"""Why a call to ECS failed, and what that means for the launch: who pays, and what a person should do.

Pure: exceptions and answers in, a `Failure` out. Sources: ECS API reference (RunTask errors), "API failure
reasons" and "API error messages" of the ECS developer guide; botocore's exception classes.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

import aiohttp
import botocore.exceptions as boto

from ecs_async_executor.engine.diagnosis.faults import (
    fault_of,
    in_credentials,
    is_expected,
    text_of,
    without_values,
)
from ecs_async_executor.engine.diagnosis.iam import missing, remedy_of
from ecs_async_executor.engine.diagnosis.refusals import refusal_of
from ecs_async_executor.engine.diagnosis.start_failures import START_FAILURES, Cause, Outlook, find_cause
from ecs_async_executor.engine.responses import TaskFailure
from ecs_async_executor.errors import ConnectError, InvalidRequestError
from ecs_async_executor.messages import Diagnosis


class Kind(Enum):
    """Who pays for a failure (see docs/architecture.md, "Failure classes")."""

    THROTTLE = "throttle"
    """Nobody: slow down, keep the place in the queue."""
    CAPACITY = "capacity"
    """Time, not attempts."""
    UNKNOWN = "unknown outcome"
    """Nobody: send the same bytes with the same clientToken until the outcome is known."""
    CREDENTIALS = "credentials"
    """The whole engine pauses and takes its credentials anew."""
    NETWORK = "network"
    """The whole engine pauses."""
    START = "start failure"
    """One of the run's start attempts."""
    DENIED = "denied"
    """One of the run's start attempts: a change of IAM takes seconds to spread, and may be under way."""
    PAYLOAD = "payload"
    """Time, as capacity: S3 can't take what the container is to fetch just now, and so nothing was sent to ECS."""
    CONFIGURATION = "configuration"
    """The run fails at once: sending it again can't help."""
    EXISTS = "exists"
    """Nobody: the token's task is running already; adopt it."""
    NOT_FOUND = "not found"
    """ECS knows no such task, or no such cluster to look for it. Never of RunTask."""
    FAULT = "fault"
    """The run, after a few replays: code in this process failed around a call, which AWS may have done all the same."""


PAUSING = frozenset({Kind.CREDENTIALS, Kind.NETWORK})


@dataclass(frozen=True, slots=True)
class Failure:
    """What one failed call means."""

    kind: Kind
    diagnosis: Diagnosis
    arns: tuple[str, ...] = ()
    """Of `EXISTS`: the tasks that the clientToken started."""
    members: tuple[str, ...] = ()
    """The members of the request that are to be changed, as paths such as `overrides.cpu`."""
    passed_on: bool = False
    """Somebody between answered, who may have passed the request on to AWS."""

    @property
    def is_unknown_outcome(self) -> bool:
        """Whether AWS may have done what it was asked."""
        return self.passed_on or self.kind is Kind.UNKNOWN or self.kind is Kind.FAULT


_OPERATIONS = frozenset({"RunTask", "DescribeTasks", "ListTasks", "StopTask", "DescribeClusters"})

# --- by error code ----------------------------------------------------------------------------------------

THROTTLE_CODES = frozenset(
    {
        "BandwidthLimitExceeded",
        "PriorRequestNotComplete",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "Throttling",
        "ThrottledException",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
CREDENTIAL_CODES = frozenset(
    {
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "IncompleteSignatureException",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "InvalidToken",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "OptInRequired",
        "RequestExpired",
        "RequestTimeTooSkewed",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
UNKNOWN_OUTCOME_CODES = frozenset(
    {
        "InternalFailure",
        "RequestAbortedException",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServerException",
        "ServiceUnavailable",
    }
)
_DENIED_CODES = frozenset({"AccessDenied", "AccessDeniedException", "NotAuthorized"})
_SIZE_STATUS = frozenset({413, 414, 431})
"""The request is too long for whoever answers; any other request may not be."""
_CREDENTIALS_REMEDY = (
    "Check the AWS connection (`conn_id`), or the scheduler's role, AWS variables and files."
)
CLOCK_REMEDY = (
    "Correct the scheduler's clock (NTP): AWS takes a difference of 5 minutes, and no time zone plays a part."
)
_ENDPOINT_REMEDY = (
    "Check the network, the Region, and the connection's `endpoint_url` or AWS_ENDPOINT_URL_ECS."
)
_NOT_AWS_REMEDY = (
    "Check the proxy (HTTPS_PROXY, the connection's `proxies`) and the firewall between the scheduler and AWS, and the "
    "connection's `endpoint_url` or AWS_ENDPOINT_URL_ECS."
)
_CREDENTIAL_ERRORS = (
    boto.CredentialRetrievalError,
    boto.InvalidConfigError,
    boto.NoAuthTokenError,
    boto.NoCredentialsError,
    boto.PartialCredentialsError,
    boto.ProfileNotFound,
    boto.SSOError,
    boto.TokenRetrievalError,
    boto.UnauthorizedSSOTokenError,
)

# --- by text ----------------------------------------------------------------------------------------------

_CLOCK_TEXT = re.compile(r"signature expired|signature not yet current|^request has expired", re.IGNORECASE)
_CLOCK_CODES = frozenset({"RequestExpired", "RequestTimeTooSkewed"})
# As AWS writes them: the names of somebody's resources may stand around them.
_THROTTLE_TEXT = re.compile(
    r"\bRate exceeded\b|\bRequest limit exceeded\b|\(ErrorCode: (Throttling|RequestLimitExceeded)\)"
)
_NOT_FOUND_TEXT = re.compile(r"The referenced task was not found")
_KIND_BY_OUTLOOK = {
    Outlook.AGAIN: Kind.START,
    Outlook.USELESS: Kind.CONFIGURATION,
    Outlook.CAPACITY: Kind.CAPACITY,
}
_SCHEDULER = "the scheduler's role"
_CONFIGURATION_REMEDY = "Correct the executor's options or this task's executor_config."


class CallError(Exception):
    """A call failed; never leaves the engine."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(str(failure.diagnosis))
        self.failure = failure


def classify(error: BaseException) -> Failure:
    """Say what an exception out of an ECS call means."""
    if isinstance(error, InvalidRequestError):
        return Failure(Kind.CONFIGURATION, Diagnosis(error.problem, remedy=error.remedy))
    if isinstance(error, ConnectError):
        cause = error.__cause__ or error
        inner = classify(cause) if cause is not error else None
        if inner is not None and inner.kind in PAUSING:
            return inner
        remedy = _ENDPOINT_REMEDY if _is_no_endpoint(cause) else _CREDENTIALS_REMEDY
        return Failure(Kind.CREDENTIALS, Diagnosis(str(error), text_of(cause), remedy))
    if isinstance(error, boto.ClientError):
        return _classify_client_error(error)
    if isinstance(error, boto.ParamValidationError):
        return Failure(
            Kind.CONFIGURATION,
            Diagnosis("The RunTask request is not valid.", without_values(str(error)), _CONFIGURATION_REMEDY),
        )
    if isinstance(error, _CREDENTIAL_ERRORS):
        return Failure(
            Kind.CREDENTIALS,
            Diagnosis("The AWS credentials can't be used.", text_of(error), _CREDENTIALS_REMEDY),
        )
    if (failure := _classify_way(error)) is not None:
        return failure
    if not is_expected(error):
        return _classify_fault(error)
    return Failure(
        Kind.UNKNOWN,
        Diagnosis(
            "ECS gave no clear answer.",
            text_of(error),
            "Nothing to do if it passes: it is asked again with the same clientToken. If it lasts, check the endpoint's URL, "
            "and what lies between (a proxy, a firewall).",
        ),
    )


def _classify_way(error: BaseException) -> Failure | None:
    """Say what keeps requests from leaving for AWS: no Region, no trusted connection, or none at all."""
    if isinstance(error, (boto.NoRegionError, boto.InvalidRegionError)):
        is_unset = isinstance(error, boto.NoRegionError)
        return Failure(
            Kind.CREDENTIALS,
            Diagnosis(
                "No AWS Region is set." if is_unset else "The AWS Region is not one.",
                text_of(error),
                "Set the option `region_name`, or AWS_DEFAULT_REGION, to a code such as eu-central-1.",
            ),
        )
    if _has_no_tls(error):
        return Failure(
            Kind.NETWORK,
            Diagnosis(
                "No trusted connection to AWS can be made.",
                text_of(error),
                "Set AWS_CA_BUNDLE, or the connection's `verify`, to a file that the scheduler can read, with the certificate "
                "authority of whoever answers (a proxy may answer in AWS's place); or correct the endpoint's URL.",
            ),
        )
    if _never_connected(error):
        remedy = _NOT_AWS_REMEDY if isinstance(error, boto.ProxyConnectionError) else _ENDPOINT_REMEDY
        return Failure(Kind.NETWORK, Diagnosis("AWS can't be reached.", text_of(error), remedy))
    return None


def _classify_fault(error: BaseException) -> Failure:
    if in_credentials(error):  # nothing was sent: a credential_process that prints no JSON, for example
        return Failure(
            Kind.CREDENTIALS,
            replace(
                fault_of(error), summary="The AWS credentials can't be used.", remedy=_CREDENTIALS_REMEDY
            ),
        )
    return Failure(Kind.FAULT, fault_of(error))


def classify_run_task_failure(failure: TaskFailure) -> Failure:
    """Say what an entry of RunTask's `failures` means (HTTP 200, nothing started)."""
    reason, detail = failure.reason or "no reason given", failure.detail or ""
    facts = "; ".join(part for part in (reason, detail) if part)
    if cause := find_cause(START_FAILURES, reason, detail):
        return _failure(cause, facts)
    return Failure(Kind.START, Diagnosis("ECS refused to start the task.", facts))


def _classify_client_error(error: boto.ClientError) -> Failure:
    answer = error.response
    code = str(answer.get("Error", {}).get("Code", ""))
    message = str(answer.get("Error", {}).get("Message", ""))
    status = int(answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    facts = (f"{code}: {message}" if message else code) + request_id_of(answer)
    if error.operation_name not in _OPERATIONS:
        # Raised on the way to a call of ours, while credentials were fetched (STS, SSO).
        return Failure(
            Kind.CREDENTIALS,
            Diagnosis(
                f"AWS gives no credentials ({error.operation_name}).",
                facts,
                remedy_of(message) or _CREDENTIALS_REMEDY,
            ),
        )
    if code in THROTTLE_CODES or status == 429 or _THROTTLE_TEXT.search(message):
        return Failure(
            Kind.THROTTLE, Diagnosis("AWS throttles the calls.", facts, "Nothing to do: it slows down.")
        )
    if code == "ConflictException":
        return Failure(
            Kind.EXISTS,
            Diagnosis("This launch has been sent before.", facts),
            tuple(answer.get("resourceIds") or ()),
        )
    if (failure := _on_the_way(code, message, status)) is not None:
        return failure
    if status >= 500 or code in UNKNOWN_OUTCOME_CODES:
        return Failure(
            Kind.UNKNOWN,
            Diagnosis("ECS had an internal error.", facts, "Nothing to do: it is asked again."),
        )
    if code in _DENIED_CODES:
        remedy = remedy_of(message) or missing(_SCHEDULER, f"ecs:{error.operation_name}", "*")
        return Failure(Kind.DENIED, Diagnosis("AWS denied the call.", facts, remedy))
    if cause := find_cause(START_FAILURES, message):
        return _failure(cause, facts)
    if _NOT_FOUND_TEXT.search(message):
        return Failure(Kind.NOT_FOUND, Diagnosis("ECS knows no such task.", facts))
    if cause := refusal_of(code, message):
        refused = _failure(cause, facts)
        is_lost = code == "ClusterNotFoundException" and error.operation_name != "RunTask"
        return replace(refused, kind=Kind.NOT_FOUND) if is_lost else refused
    return Failure(Kind.CONFIGURATION, Diagnosis("ECS refused the request.", facts, _CONFIGURATION_REMEDY))


def _failure(cause: Cause, facts: str) -> Failure:
    return Failure(
        _KIND_BY_OUTLOOK[cause.outlook],
        Diagnosis(cause.summary, facts, cause.remedy),
        members=cause.members,
    )


def _on_the_way(code: str, message: str, status: int) -> Failure | None:
    """Say what keeps every call from ECS: credentials, the clock, or whoever answers in its place."""
    facts = f"{code}: {message}" if message else code
    if is_clock_error(code, message):
        summary = "AWS finds the request's time too far from its own."
        return Failure(Kind.CREDENTIALS, Diagnosis(summary, facts, CLOCK_REMEDY))
    if code in CREDENTIAL_CODES:
        return Failure(
            Kind.CREDENTIALS, Diagnosis("AWS refuses the credentials.", facts, _CREDENTIALS_REMEDY)
        )
    if is_foreign_answer(code, status) and status < 500 and status not in _SIZE_STATUS:
        summary = f"Something other than ECS answered, with status {status}."
        # A proxy may pass the request on, and then put its page in the place of the answer.
        return Failure(Kind.NETWORK, Diagnosis(summary, remedy=_NOT_AWS_REMEDY), passed_on=True)
    return None


def is_foreign_answer(code: str, status: int) -> bool:
    """Tell an answer that is not AWS's, but a proxy's or firewall's page: AWS's names an error code.

    botocore gives the status as the code of a page, or none at all.
    """
    return code in {"", str(status)}


def is_clock_error(code: str, message: str) -> bool:
    """Tell credentials that are refused for the time at which the request says it was signed."""
    return code in _CLOCK_CODES or _CLOCK_TEXT.search(message) is not None


def _is_no_endpoint(error: BaseException) -> bool:
    """Tell a URL that is none, of a Region that is none or of a configured endpoint."""
    return isinstance(error, ValueError) and "endpoint" in str(error)


def _has_no_tls(error: BaseException) -> bool:
    """Tell certificates that are not trusted, or can't be read: aiobotocore passes the error of opening them on."""
    if isinstance(error, boto.HTTPClientError) and type(error) is boto.HTTPClientError:
        return isinstance(error.kwargs.get("error"), (FileNotFoundError, IsADirectoryError, PermissionError))
    return isinstance(error, boto.SSLError)


def _never_connected(error: BaseException) -> bool:
    """Tell a connection that could not be made from one that broke: only the latter may have done its work."""
    if isinstance(error, (boto.ConnectTimeoutError, boto.ProxyConnectionError)):
        return True
    if isinstance(error, boto.EndpointConnectionError):
        # aiobotocore uses this class for both; the original tells them apart.
        return isinstance(error.kwargs.get("error"), (aiohttp.ClientConnectorError, socket.gaierror))
    return False


def request_id_of(answer: Mapping[str, Any]) -> str:
    """Give what AWS Support asks for first, as the end of a diagnosis's facts."""
    request_id = answer.get("ResponseMetadata", {}).get("RequestId")
    return f"; request id {request_id}" if request_id else ""
