"""Why lines can't be read, for the log page: a line what is the matter, and a line what to do. Pure.

No text holds more of an error than AWS's own words and the class of an exception: never a request, a token or a credential.
"""

from __future__ import annotations

from dataclasses import dataclass

import botocore.exceptions as boto

from ecs_async_executor.engine.diagnosis.call_failures import (
    CREDENTIAL_CODES,
    CREDENTIAL_ERRORS,
    THROTTLE_CODES,
    classify,
)
from ecs_async_executor.engine.diagnosis.iam import missing, partition_of, remedy_of
from ecs_async_executor.errors import ConfigurationError
from ecs_async_executor.logs.location import LogStream

CALLS = {
    "DescribeTasks": "ecs:DescribeTasks",
    "DescribeTaskDefinition": "ecs:DescribeTaskDefinition",
    "GetLogEvents": "logs:GetLogEvents",
}
"""The calls this package makes, and the action that allows each. docs/iam.md has the policy."""
_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "NotAuthorized"})
API_SERVER, SCHEDULER = "API server", "scheduler"
"""Who reads: the log page of a running task, or the keeper of a dead container's last lines."""
_CREDENTIALS = (
    "Give the {asker} access to AWS: a role, AWS_* variables, or the connection in the option `conn_id`."
)
_NO_GROUP = (
    "If it lasts, check that the log group exists: awslogs-group and awslogs-region of the task definition."
)


@dataclass(frozen=True, slots=True)
class Problem:
    """Why nothing new is shown."""

    summary: str
    """What is the matter, in one sentence."""
    remedy: str = ""
    """What to do about it."""
    throttled: bool = False
    renew: bool = False
    """Whether a new client, with new credentials, may help."""
    restart: bool = False
    """Whether the stream must be read anew: its token is not valid."""
    fault: bool = False
    """Whether it is neither AWS's nor the network's, so that its traceback is worth logging."""
    nothing_printed: bool = False
    """Whether the container's stream doesn't exist: it has printed nothing so far."""
    usual: bool = False
    """Whether it passes by itself, so that asking again soon is right."""

    def __str__(self) -> str:
        """Return both parts."""
        return f"{self.summary} {self.remedy}".rstrip()


_REFRESH = "Refresh in a few seconds."
SLOW = Problem("The lines are being read: AWS has not answered yet.", _REFRESH, usual=True)
BUSY = Problem(
    "Too many log pages are open for the rate at which CloudWatch Logs may be read: this one waits its turn.",
    _REFRESH,
    usual=True,
)


def gone(asker: str) -> Problem:
    """Return the problem that ECS knows no such task."""
    return Problem(
        "ECS does not know this task: it forgets a task about an hour after its end.",
        f"If the task is younger, the {asker} may ask in another account or Region: compare `conn_id` and the roles.",
    )


def problem_of(error: BaseException, where: LogStream | None = None, asker: str = API_SERVER) -> Problem:
    """Return what an exception of a call means; `where` is the stream that the `asker` read."""
    if isinstance(error, ConfigurationError):
        return Problem(str(error))
    if isinstance(error, boto.ClientError):
        return _of_answer(error, where, asker)
    if isinstance(error, (boto.NoRegionError, boto.InvalidRegionError)):
        return Problem(
            f"The {asker} knows no valid AWS Region.",
            "Check awslogs-region in the task definition, and AWS_DEFAULT_REGION.",
        )
    if isinstance(error, (boto.ConnectTimeoutError, boto.ReadTimeoutError)):
        return Problem(
            "AWS did not answer in time.",
            f"If it lasts, check the network between the {asker} and AWS: VPC endpoints of ecs and logs, NAT gateway, "
            "security group.",
        )
    if isinstance(error, (boto.ConnectionError, boto.HTTPClientError, OSError)):
        return Problem(
            f"The {asker} can't reach AWS ({type(error).__name__}).",
            "Check its network, the Region, AWS_ENDPOINT_URL_* and the connection's endpoint_url.",
        )
    if isinstance(error, CREDENTIAL_ERRORS):
        return Problem(
            f"The {asker} has no usable AWS credentials ({type(error).__name__}).",
            _CREDENTIALS.format(asker=asker),
            renew=True,
        )
    return Problem(
        f"The lines can't be read: {type(error).__name__}.",
        f"The {asker}'s log has the traceback.",
        renew=True,
        fault=True,
    )


def _of_answer(error: boto.ClientError, where: LogStream | None, asker: str) -> Problem:
    code = str(error.response.get("Error", {}).get("Code", ""))
    message = str(error.response.get("Error", {}).get("Message", ""))
    call = error.operation_name
    if code in THROTTLE_CODES or code == "LimitExceededException":
        return Problem(
            f"AWS throttles {call}: its rate for this account and Region is used up.",
            "Nothing to do: new lines come when there is room.",
            throttled=True,
            usual=True,
        )
    if code in CREDENTIAL_CODES or call not in CALLS:
        return Problem(
            f"AWS rejected the {asker}'s credentials ({call}: {code}).",
            _CREDENTIALS.format(asker=asker),
            renew=True,
        )
    if code in _DENIED:
        return Problem(f"AWS denied {call}.", _allow(call, message, where, asker))
    if code == "ResourceNotFoundException" and where is not None:
        # "The specified log group does not exist.", or "log stream".
        remedy = _NO_GROUP if "log group" in message else _REFRESH
        return Problem(
            f"CloudWatch Logs has no {where} yet: the container has not written anything.",
            remedy,
            nothing_printed=True,
            usual=True,
        )
    if code == "InvalidParameterException" and "token" in message.lower():
        return Problem(
            "CloudWatch Logs does not know the place to go on from.", _REFRESH, restart=True, usual=True
        )
    if code == "ClusterNotFoundException":
        return gone(asker)
    if call == "DescribeTasks" and classify(error).is_elsewhere:  # the calls go to the task's own Region
        return Problem(
            f"ECS does not know this task: it belongs to another account than the {asker} asks ({code}: {message}).",
            "A task from before this Airflow moved is read in the console of its own account. Otherwise compare `conn_id` and the roles.",
        )
    return Problem(f"AWS refused {call} ({code}: {message}).")


def _allow(call: str, message: str, where: LogStream | None, asker: str) -> str:
    """Name the statement that is missing, by AWS's own words if they tell."""
    if remedy := remedy_of(message):
        return remedy
    resource = "*"
    if where is not None:
        resource = f"arn:{partition_of(where.region)}:logs:{where.region}:*:log-group:{where.group}:*"
    return missing(f"the {asker}'s role", CALLS[call], resource)
