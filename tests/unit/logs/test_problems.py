from __future__ import annotations

import botocore.exceptions as boto
import pytest

from ecs_async_executor.errors import ConfigurationError
from ecs_async_executor.logs.location import LogStream
from ecs_async_executor.logs.problems import problem_of

WHERE = LogStream("/ecs/airflow", "ecs/airflow/abc", "eu-central-1")
_DENIED = (
    "User: arn:aws:sts::111122223333:assumed-role/airflow-api/i-1 is not authorized to perform: logs:GetLogEvents on resource: "
    "arn:aws:logs:eu-central-1:111122223333:log-group:/ecs/airflow:log-stream:ecs/airflow/abc because no identity-based policy "
    "allows the logs:GetLogEvents action"
)
_OTHER = "Identifier is for 222222222222. Your accountId is 111111111111"


def client_error(code: str, message: str = "", call: str = "GetLogEvents") -> boto.ClientError:
    return boto.ClientError({"Error": {"Code": code, "Message": message}}, call)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (client_error("ThrottlingException", "Rate exceeded"), "AWS throttles GetLogEvents"),
        (client_error("AccessDeniedException", _DENIED), "the role airflow-api"),
        (client_error("AccessDeniedException", _DENIED), '"arn:aws:logs:eu-central-1:111122223333:log-group:/ecs/airflow:*"'),
        (client_error("AccessDeniedException"), '"Action": "logs:GetLogEvents"'),
        (client_error("AccessDeniedException", call="DescribeTasks"), '"Action": "ecs:DescribeTasks"'),
        (client_error("ResourceNotFoundException", "The specified log group does not exist."), "check that the log group exists"),
        (client_error("ResourceNotFoundException", "The specified log stream does not exist."), "has not written anything"),
        (client_error("ExpiredTokenException", "expired"), "AWS rejected the API server's credentials"),
        (client_error("AccessDenied", "not allowed", call="AssumeRole"), "credentials (AssumeRole: AccessDenied)"),
        (client_error("ClusterNotFoundException", "Cluster not found.", "DescribeTasks"), "may ask in another account"),
        (client_error("InvalidParameterException", _OTHER, "DescribeTasks"), "belongs to another account than the API server asks"),
        (client_error("InvalidParameterException", _OTHER, "DescribeTasks"), "compare `conn_id` and the roles"),
        (client_error("ServiceUnavailableException", "busy"), "AWS refused GetLogEvents (ServiceUnavailableException: busy)"),
        (boto.NoCredentialsError(), "no usable AWS credentials (NoCredentialsError)"),
        (boto.ProfileNotFound(profile="x"), "no usable AWS credentials"),
        (boto.NoRegionError(), "Check awslogs-region"),
        (boto.ConnectTimeoutError(endpoint_url="https://x"), "did not answer in time"),
        (boto.ReadTimeoutError(endpoint_url="https://x"), "did not answer in time"),
        (boto.EndpointConnectionError(endpoint_url="https://x"), "can't reach AWS (EndpointConnectionError)"),
        (ConfigurationError("The API server finds no Airflow connection 'x'."), "no Airflow connection 'x'"),
        (ValueError("x=secret"), "can't be read: ValueError"),
    ],
)  # fmt: skip
def test_each_error_says_what_is_the_matter_and_what_to_do(error: Exception, words: str) -> None:
    text = str(problem_of(error, WHERE))
    assert words in text
    assert "\n" not in text
    assert "secret" not in text


@pytest.mark.parametrize(
    ("error", "throttled", "renew", "restart", "usual"),
    [
        (client_error("ThrottlingException"), True, False, False, True),
        (client_error("ExpiredTokenException"), False, True, False, False),
        (client_error("InvalidParameterException", "The specified nextToken is invalid."), False, False, True, True),
        (client_error("ResourceNotFoundException", "The specified log stream does not exist."), False, False, False, True),
        (client_error("AccessDeniedException"), False, False, False, False),
        (boto.NoCredentialsError(), False, True, False, False),
    ],
)  # fmt: skip
def test_each_error_says_what_the_reader_does_next(
    error: Exception, throttled: bool, renew: bool, restart: bool, usual: bool
) -> None:
    problem = problem_of(error, WHERE)
    assert (problem.throttled, problem.renew, problem.restart, problem.usual) == (
        throttled,
        renew,
        restart,
        usual,
    )


def test_the_missing_statement_is_for_the_partition_of_the_log_group() -> None:
    where = LogStream("/ecs/airflow", "ecs/airflow/abc", "us-gov-west-1")
    text = str(problem_of(client_error("AccessDeniedException"), where))
    assert '"arn:aws-us-gov:logs:us-gov-west-1:*:log-group:/ecs/airflow:*"' in text
