"""What an error of a call means: there is no such thing, or nobody knows, and what to do. Pure."""

from __future__ import annotations

import botocore.exceptions as boto
from botocore.parsers import ResponseParserError

from ecs_async_executor.doctor.aws.actions import ACTIONS
from ecs_async_executor.doctor.facts import Absent, Cause, Fact, Kind, Question, Unknown
from ecs_async_executor.engine.diagnosis.call_failures import (
    CREDENTIAL_CODES,
    CREDENTIAL_ERRORS,
    classify,
    is_clock_error,
)
from ecs_async_executor.engine.diagnosis.callers import THIS_HOST
from ecs_async_executor.engine.diagnosis.faults import text_of
from ecs_async_executor.engine.diagnosis.iam import missing, remedy_of
from ecs_async_executor.tokens import without_tokens

ABSENT = frozenset(
    {
        "404",
        "ClusterNotFoundException",
        "ImageNotFoundException",
        "InvalidGroup.NotFound",
        "InvalidGroupId.Malformed",
        "InvalidGroup.Malformed",
        "InvalidSecurityGroupID.NotFound",
        "InvalidSubnetID.Malformed",
        "InvalidSubnetID.NotFound",
        "NoSuchBucket",
        "NoSuchBucketPolicy",
        "NoSuchEntity",
        "NoSuchLifecycleConfiguration",
        "NotFoundException",
        "RepositoryNotFoundException",
        "ResourceNotFoundException",
        "ServerSideEncryptionConfigurationNotFoundError",
    }
)
"""AWS's error codes for something that doesn't exist."""
_OF_CREDENTIALS = frozenset(
    {
        "AssumeRole",
        "AssumeRoleWithSAML",
        "AssumeRoleWithWebIdentity",
        "CreateToken",
        "GetRoleCredentials",
        "GetSessionToken",
    }
)
"""Operations that fetch credentials, before the call that was meant is sent."""
_DENIED = frozenset(
    {"403", "AccessDenied", "AccessDeniedException", "AuthFailure", "NotAuthorized", "UnauthorizedOperation"}
)


def fact_of(error: Exception, question: Question) -> Fact:
    """Return what an exception of a call means."""
    if isinstance(error, boto.ClientError):
        code = str(error.response.get("Error", {}).get("Code", ""))
        message = _first_line(without_tokens(str(error.response.get("Error", {}).get("Message", ""))))
        of_credentials = error.operation_name in _OF_CREDENTIALS
        if of_credentials or code in CREDENTIAL_CODES or is_clock_error(code, message):
            # Every service refuses credentials alike; a call that isn't ECS's would be taken for one that provides them.
            refused = error if of_credentials else boto.ClientError(error.response, "DescribeClusters")
            diagnosis = classify(refused, THIS_HOST).diagnosis
            return Unknown(f"{diagnosis.summary} ({code}: {message})", Cause.CREDENTIALS, diagnosis.remedy)
        if code in ABSENT or (question.kind is Kind.DEFINITION and code == "ClientException"):
            return Absent(f"{code}: {message}")
        if code in _DENIED:
            action = ACTIONS[question.kind]
            todo = remedy_of(message) or missing("the role that runs the doctor", action, "*")
            return Unknown(f"AWS denies {action}.", Cause.DENIED, todo)
        return Unknown(f"{error.operation_name} answered {code}: {message}".rstrip(": .") + ".", Cause.OTHER)
    if isinstance(error, (boto.HTTPClientError, boto.ConnectionError)):
        return _unreached(error)
    if isinstance(error, (*CREDENTIAL_ERRORS, boto.NoRegionError, boto.InvalidRegionError)):
        diagnosis = classify(error, THIS_HOST).diagnosis
        return Unknown(
            f"{diagnosis.summary} ({_first_line(text_of(error))})", Cause.CREDENTIALS, diagnosis.remedy
        )
    if isinstance(error, ResponseParserError):
        todo = "Check this host's proxy (HTTPS_PROXY), the connection's `endpoint_url` and AWS_ENDPOINT_URL*."
        return Unknown(
            "What answers instead of AWS can't be read: it is no answer of AWS.", Cause.NETWORK, todo
        )
    return Unknown(f"{_first_line(text_of(error)).rstrip('.')}.", Cause.OTHER)


def _unreached(error: boto.BotoCoreError) -> Unknown:
    """Return what a call means that got no answer: its endpoint, and what to check."""
    where = str(error.kwargs.get("endpoint_url") or "AWS") if hasattr(error, "kwargs") else "AWS"
    if isinstance(error, boto.SSLError):
        todo = "Set AWS_CA_BUNDLE, or the connection's `verify`, to a file with the certificate authority of the server or proxy."
        return Unknown(f"This host can't make a trusted TLS connection to {where}.", Cause.NETWORK, todo)
    is_late = isinstance(error, boto.ReadTimeoutError)
    why = f"{where} doesn't answer in time." if is_late else f"This host can't reach {where}."
    return Unknown(
        why,
        Cause.NETWORK,
        "Check the Region's name, this host's network and proxy (HTTPS_PROXY, VPC endpoints), the connection's `endpoint_url` and "
        "AWS_ENDPOINT_URL*.",
    )


def _first_line(text: str) -> str:
    """Return the beginning of an error's text: a proxy's page may be long."""
    return "" if text.lstrip().startswith("<") else text.partition("\n")[0][:300]
