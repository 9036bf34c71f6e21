"""Why a call to ECS failed: who pays for it, and what a person should do about it.

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

from ecs_async_executor.engine.diagnosis.callers import SCHEDULER, Caller, named
from ecs_async_executor.engine.diagnosis.causes.calls import (
    CLOCK,
    CREDENTIALS,
    DENIED,
    FAULT,
    REFUSALS,
    THROTTLED,
)
from ecs_async_executor.engine.diagnosis.causes.cause import (
    Finding,
    Outlook,
    Shortage,
    find,
    own_words,
)
from ecs_async_executor.engine.diagnosis.causes.table import ANSWERS
from ecs_async_executor.engine.diagnosis.faults import (
    fault_of,
    in_credentials,
    is_expected,
    text_of,
    without_values,
)
from ecs_async_executor.engine.diagnosis.iam import missing, remedy_of, summary_of
from ecs_async_executor.engine.responses import TaskFailure
from ecs_async_executor.errors import ConnectError, InvalidRequestError
from ecs_async_executor.messages import Diagnosis
from ecs_async_executor.tokens import without_tokens


class Kind(Enum):
    """Who pays for a failure (see docs/architecture.md, "Failure classes")."""

    THROTTLE = "throttle"
    """Nobody: the launch slows down and keeps its position in the queue."""
    CAPACITY = "capacity"
    """The run's time, not its start attempts."""
    UNKNOWN = "unknown outcome"
    """Nobody: the launcher sends the same bytes with the same clientToken until the outcome is known."""
    CREDENTIALS = "credentials"
    """The whole engine: it pauses, and fetches its credentials again."""
    NETWORK = "network"
    """The whole engine: it pauses."""
    START = "start failure"
    """One of the run's start attempts."""
    DENIED = "denied"
    """One of the run's start attempts: an IAM change takes seconds to spread, and one may be under way."""
    PAYLOAD = "payload"
    """The run's time, as for capacity: S3 can't take its payload at the moment, so nothing was sent to ECS."""
    CONFIGURATION = "configuration"
    """The run: it fails at once, because sending it again can't help."""
    EXISTS = "exists"
    """Nobody: this clientToken has already started a task, which the engine adopts."""
    NOT_FOUND = "not found"
    """ECS knows no such task, or not the cluster to search in. RunTask never fails like this."""
    FAULT = "fault"
    """The run, after a few replays: code in this process raised around a call that AWS may have carried out anyway."""


PAUSING = frozenset({Kind.CREDENTIALS, Kind.NETWORK})
_ELSEWHERE = frozenset({"cluster-mismatch", "other-account", "other-region"})
"""The causes by which ECS refuses a call because of an ARN in it, whatever else the call names."""
_ABOUT_TASKS = frozenset({"DescribeTasks", "ExecuteCommand", "StopTask"})


@dataclass(frozen=True, slots=True)
class Failure:
    """What one failed call means."""

    kind: Kind
    diagnosis: Diagnosis
    arns: tuple[str, ...] = ()
    """For `EXISTS`: the tasks the clientToken started."""
    members: tuple[str, ...] = ()
    """The members of the request to correct, as paths such as `overrides.cpu`."""
    cause: str = ""
    """The name of its row in the table of causes; empty if none fits."""
    shortage: Shortage = Shortage.ROOM
    """For `CAPACITY`: what there isn't enough of."""
    passed_on: bool = False
    """Something between the scheduler and AWS answered, and may have passed the request on."""

    @property
    def is_elsewhere(self) -> bool:
        """Whether the call names something of another account, Region or cluster than ECS is asked in."""
        return self.cause in _ELSEWHERE

    @property
    def is_unknown_outcome(self) -> bool:
        """Whether AWS may have carried out the call."""
        return self.passed_on or self.kind is Kind.UNKNOWN or self.kind is Kind.FAULT


_OPERATIONS = frozenset(
    {
        "DeregisterTaskDefinition",
        "DescribeClusters",
        "DescribeTaskDefinition",
        "DescribeTasks",
        "ExecuteCommand",
        "ListTaskDefinitionFamilies",
        "ListTasks",
        "RegisterTaskDefinition",
        "RunTask",
        "StopTask",
    }
)

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
        "SubscriptionRequiredException",
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
"""Something rejects this one request for its length; other requests may pass."""
_CREDENTIALS_REMEDY = (
    "Check the AWS connection (`conn_id`), or the scheduler's role, AWS_* variables and AWS files."
)
_ENDPOINT_REMEDY = (
    "Check the network, the Region, and the connection's `endpoint_url` or AWS_ENDPOINT_URL_ECS."
)
_NOT_AWS_REMEDY = (
    "Check the proxy (HTTPS_PROXY, the connection's `proxies`) and the firewall between the scheduler and AWS, and the "
    "connection's `endpoint_url` or AWS_ENDPOINT_URL_ECS."
)
CREDENTIAL_ERRORS = (
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

_CLOCK_CODES = frozenset({"RequestExpired", "RequestTimeTooSkewed"})
# AWS's exact wording at the end of its message, because a message may quote the names of a user's resources.
_THROTTLE_TEXT = re.compile(
    r"(?:^|: )(?:Rate|Request limit) exceeded[.]?$|\(ErrorCode: (?:Throttling|RequestLimitExceeded)\)[.]?$"
    r"|^Too many concurrent attempts to create a new revision of the specified family[.]?$"
)
_NOT_FOUND_TEXT = re.compile(r"The referenced task was not found")
_KIND_BY_OUTLOOK = {
    Outlook.AGAIN: Kind.START,
    Outlook.USELESS: Kind.CONFIGURATION,
    Outlook.CAPACITY: Kind.CAPACITY,
    Outlook.PAUSE: Kind.UNKNOWN,
}
_UNKNOWN_REASON = (
    "The executor tries again. AWS explains its reasons at "
    "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/api_failures_messages.html"
)
_TASK_ELSEWHERE = Diagnosis(
    "ECS is asked about a task of another account, Region or cluster.",
    remedy="Nothing to do for tasks from before this Airflow moved: their heartbeats decide. Otherwise correct `conn_id` or "
    "`region_name`.",
)
_CONFIGURATION_REMEDY = "Correct the executor's options or this task's executor_config."


class CallError(Exception):
    """A call failed. Never leaves the engine."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(str(failure.diagnosis))
        self.failure = failure


def classify(error: BaseException, who: Caller = SCHEDULER) -> Failure:
    """Classify an exception that an ECS call of `who` raised."""
    failure = _classify(error)
    return replace(failure, diagnosis=named(failure.diagnosis, who))


def _classify(error: BaseException) -> Failure:
    if isinstance(error, InvalidRequestError):
        return Failure(Kind.CONFIGURATION, Diagnosis(error.problem, remedy=error.remedy))
    if isinstance(error, ConnectError):
        cause = error.__cause__ or error
        inner = _classify(cause) if cause is not error else None
        if inner is not None and inner.kind in PAUSING:
            return inner
        remedy = _ENDPOINT_REMEDY if _is_invalid_endpoint(cause) else _CREDENTIALS_REMEDY
        return Failure(Kind.CREDENTIALS, Diagnosis(str(error), text_of(cause), remedy))
    if isinstance(error, boto.ClientError):
        return _classify_client_error(error)
    if isinstance(error, boto.ParamValidationError):
        return Failure(
            Kind.CONFIGURATION,
            Diagnosis("The RunTask request is not valid.", without_values(str(error)), _CONFIGURATION_REMEDY),
        )
    if isinstance(error, CREDENTIAL_ERRORS):
        return Failure(
            Kind.CREDENTIALS,
            Diagnosis("The AWS credentials can't be used.", text_of(error), _CREDENTIALS_REMEDY),
        )
    if (failure := _classify_connection_failure(error)) is not None:
        return failure
    if not is_expected(error):
        return _classify_fault(error)
    return Failure(
        Kind.UNKNOWN,
        Diagnosis(
            "The call to ECS got no usable answer.",
            text_of(error),
            "Nothing to do if it passes: the executor repeats the call. If it lasts, check the endpoint's URL and whatever "
            "is between it and the scheduler (a proxy, a firewall).",
        ),
    )


def _classify_connection_failure(error: BaseException) -> Failure | None:
    """Classify an error that kept the request from being sent: no Region, no trusted connection, or no connection."""
    if isinstance(error, (boto.NoRegionError, boto.InvalidRegionError)):
        is_unset = isinstance(error, boto.NoRegionError)
        return Failure(
            Kind.CREDENTIALS,
            Diagnosis(
                "No AWS Region is set." if is_unset else "The AWS Region is not valid.",
                text_of(error),
                "Set the option `region_name`, or AWS_DEFAULT_REGION, to a Region code such as eu-central-1.",
            ),
        )
    if _has_no_tls(error):
        return Failure(
            Kind.NETWORK,
            Diagnosis(
                "The scheduler can't make a trusted TLS connection to AWS.",
                text_of(error),
                "Set AWS_CA_BUNDLE, or the connection's `verify`, to a file that the scheduler can read and that holds the "
                "certificate authority of the server (a proxy may answer in AWS's place), or correct the endpoint's URL.",
            ),
        )
    if _never_connected(error):
        remedy = _NOT_AWS_REMEDY if isinstance(error, boto.ProxyConnectionError) else _ENDPOINT_REMEDY
        return Failure(Kind.NETWORK, Diagnosis("The scheduler can't reach AWS.", text_of(error), remedy))
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
    """Classify an entry of RunTask's `failures` (HTTP 200, but nothing started)."""
    reason, detail = failure.reason or "", without_tokens(failure.detail or "")
    facts = "; ".join(part for part in (reason, detail) if part)
    if found := find(ANSWERS, reason, detail):
        return _failure(found, facts)
    summary = own_words(": ".join(part for part in (reason, detail) if part))
    return Failure(
        Kind.START,
        Diagnosis(summary or "RunTask started no task, and ECS gives no reason.", remedy=_UNKNOWN_REASON),
    )


def _classify_client_error(error: boto.ClientError) -> Failure:
    answer = error.response
    code = str(answer.get("Error", {}).get("Code", ""))
    message = without_tokens(str(answer.get("Error", {}).get("Message", "")))  # AWS may quote a member
    status = int(answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    facts = (f"{code}: {message}" if message else code) + request_id_of(answer)
    if error.operation_name not in _OPERATIONS:
        # A call that fetches credentials (STS, SSO) raised this, before the call to ECS was sent.
        return Failure(
            Kind.CREDENTIALS,
            Diagnosis(
                f"AWS did not provide credentials ({error.operation_name}).",
                facts,
                remedy_of(message) or _CREDENTIALS_REMEDY,
            ),
        )
    if code in THROTTLE_CODES or status == 429 or _THROTTLE_TEXT.search(message):
        return Failure(
            Kind.THROTTLE,
            Diagnosis(THROTTLED.summary, facts, THROTTLED.remedy),
        )
    if code == "ConflictException":
        return Failure(
            Kind.EXISTS,
            Diagnosis(
                "This launch was already sent, with a different request.",
                facts,
                "Nothing to do: the executor takes over the task that it started.",
            ),
            tuple(answer.get("resourceIds") or ()),
        )
    if (failure := _classify_rejection_of_all_calls(code, message, status)) is not None:
        return failure
    if status >= 500 or code in UNKNOWN_OUTCOME_CODES:
        return Failure(
            Kind.UNKNOWN,
            Diagnosis(FAULT.summary, facts, FAULT.remedy),
        )
    if code in _DENIED_CODES:
        return _denied(error.operation_name, code, message, request_id_of(answer))
    if found := find(REFUSALS, message, code=code):
        refused = _failure(found, code + request_id_of(answer) if found.quotes else facts)
        is_lost = code == "ClusterNotFoundException" and error.operation_name != "RunTask"
        return replace(refused, kind=Kind.NOT_FOUND) if is_lost else refused
    if _NOT_FOUND_TEXT.search(message):
        return Failure(Kind.NOT_FOUND, Diagnosis("ECS knows no such task.", facts))
    if found := find(ANSWERS, message):
        refused = _failure(found, code + request_id_of(answer) if found.quotes else facts)
        is_lost = refused.is_elsewhere and error.operation_name in _ABOUT_TASKS
        return replace(refused, diagnosis=replace(_TASK_ELSEWHERE, detail=facts)) if is_lost else refused
    summary = own_words(message)
    return Failure(
        Kind.CONFIGURATION,
        Diagnosis(
            f"ECS refused the request: {summary}" if summary else "ECS refused the request.",
            code + request_id_of(answer),
            _CONFIGURATION_REMEDY,
        ),
    )


def _denied(operation: str, code: str, message: str, request_id: str) -> Failure:
    remedy = remedy_of(message) or missing(SCHEDULER.role, f"ecs:{operation}", "*")
    if summary := summary_of(message):
        return Failure(Kind.DENIED, Diagnosis(summary, f"{code}: {message}{request_id}", remedy))
    said = own_words(message)
    summary = f"AWS denied the call: {said}" if said else DENIED.summary
    return Failure(Kind.DENIED, Diagnosis(summary, code + request_id, remedy))


def _failure(found: Finding, facts: str) -> Failure:
    cause = found.cause
    return Failure(
        _KIND_BY_OUTLOOK[cause.outlook],
        Diagnosis(found.summary, facts, found.remedy),
        members=cause.members,
        cause=cause.name,
        shortage=cause.shortage,
    )


def _classify_rejection_of_all_calls(code: str, message: str, status: int) -> Failure | None:
    """Classify an answer that every call would get: refused credentials, a wrong clock, or a proxy's page."""
    facts = f"{code}: {message}" if message else code
    if is_clock_error(code, message):
        return Failure(Kind.CREDENTIALS, Diagnosis(CLOCK.summary, facts, CLOCK.remedy))
    if code in CREDENTIAL_CODES:
        return Failure(Kind.CREDENTIALS, credentials_refused(code, facts))
    if is_foreign_answer(code, status) and status < 500 and status not in _SIZE_STATUS:
        summary = f"Something other than ECS answered, with status {status}."
        # A proxy may have passed the request on, and then replaced the answer with its own page.
        return Failure(Kind.NETWORK, Diagnosis(summary, remedy=_NOT_AWS_REMEDY), passed_on=True)
    return None


def is_foreign_answer(code: str, status: int) -> bool:
    """Return whether the answer is not AWS's, but a proxy's or firewall's page: AWS always names an error code.

    For such a page, botocore sets the code to the HTTP status or to nothing.
    """
    return code in {"", str(status)}


def is_clock_error(code: str, message: str) -> bool:
    """Return whether AWS rejected the request because of the time at which it was signed."""
    return code in _CLOCK_CODES or find((CLOCK,), message) is not None


def credentials_refused(code: str, facts: str) -> Diagnosis:
    """Return what an error code says about the credentials."""
    if found := find(CREDENTIALS, facts, code=code):
        return Diagnosis(found.summary, facts, found.remedy)
    return Diagnosis("AWS rejected the credentials.", facts, _CREDENTIALS_REMEDY)


def _is_invalid_endpoint(error: BaseException) -> bool:
    """Return whether the endpoint's URL is invalid, because of the Region or of a configured endpoint."""
    return isinstance(error, ValueError) and "endpoint" in str(error)


def _has_no_tls(error: BaseException) -> bool:
    """Return whether certificates aren't trusted or can't be read: aiobotocore wraps the error from opening them."""
    if isinstance(error, boto.HTTPClientError) and type(error) is boto.HTTPClientError:
        return isinstance(error.kwargs.get("error"), (FileNotFoundError, IsADirectoryError, PermissionError))
    return isinstance(error, boto.SSLError)


def _never_connected(error: BaseException) -> bool:
    """Return whether no connection was made; one that broke may have carried the call to AWS."""
    if isinstance(error, (boto.ConnectTimeoutError, boto.ProxyConnectionError)):
        return True
    if isinstance(error, boto.EndpointConnectionError):
        # aiobotocore raises this class for both cases; the wrapped error distinguishes them.
        return isinstance(error.kwargs.get("error"), (aiohttp.ClientConnectorError, socket.gaierror))
    return False


def request_id_of(answer: Mapping[str, Any]) -> str:
    """Return the request id, which AWS Support asks for first, as the end of a diagnosis's facts."""
    request_id = answer.get("ResponseMetadata", {}).get("RequestId")
    return f"; request id {request_id}" if request_id else ""
