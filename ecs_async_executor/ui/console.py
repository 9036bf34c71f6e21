"""URLs of the AWS console. Pure."""

from __future__ import annotations

import os
from collections.abc import Mapping
from urllib.parse import quote, urlsplit

from ecs_async_executor.logs.location import LogStream
from ecs_async_executor.task_arn import TaskArn

_DOMAINS: Mapping[str, str] = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
}
"""The console's domain in each partition that has a public one."""
_AWS_ENDPOINTS = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws", ".api.amazonwebservices.com.cn")
_EXAMPLE_ACCOUNTS = frozenset({"000000000000", "123456789012"})
"""What a local ECS, LocalStack and moto name as the account; AWS's own documentation uses the second."""
_DEFAULT_CLUSTER = "default"


def task_url(arn: TaskArn, tab: str = "configuration") -> str | None:
    """Return the URL of a task's page; None if its partition has no public console, or AWS has no such account."""
    domain = _domain(arn)
    if domain is None:
        return None
    cluster = quote(arn.cluster or _DEFAULT_CLUSTER, safe="")
    task = quote(arn.task_id, safe="")
    return f"https://{arn.region}.{domain}/ecs/v2/clusters/{cluster}/tasks/{task}/{tab}?region={arn.region}"


def log_url(arn: TaskArn, where: LogStream | None) -> str | None:
    """Return the URL of a task's log stream; if that isn't known, of the Logs tab on the task's page."""
    domain = _domain(arn)
    if domain is None or where is None:
        return task_url(arn, "logs")
    group, stream = _in_fragment(where.group), _in_fragment(where.stream)
    return (
        f"https://{where.region}.{domain}/cloudwatch/home?region={where.region}"
        f"#logsV2:log-groups/log-group/{group}/log-events/{stream}"
    )


def is_aws_endpoint(endpoint: str | None) -> bool:
    """Return whether an endpoint's URL is AWS's own, a VPC endpoint included. None means AWS's default."""
    host = urlsplit(endpoint).hostname if endpoint else None
    return endpoint is None or (host or "").endswith(_AWS_ENDPOINTS)


def configured_endpoint(environment: Mapping[str, str] = os.environ) -> str | None:
    """Return the endpoint of ECS that AWS's environment variables set, if any."""
    if environment.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() == "true":
        return None
    return environment.get("AWS_ENDPOINT_URL_ECS") or environment.get("AWS_ENDPOINT_URL") or None


def _domain(arn: TaskArn) -> str | None:
    return None if arn.account in _EXAMPLE_ACCOUNTS else _DOMAINS.get(arn.partition)


def _in_fragment(name: str) -> str:
    """Encode a name as CloudWatch's console does: percent-encoded twice, with `$` for the outer `%` (/ is $252F)."""
    return quote(quote(name, safe=""), safe="").replace("%", "$")
