"""Answers a question by one function of its service."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ecs_async_executor.doctor.aws import ec2, ecr, ecs, iam, logs, quotas, s3, secrets, sts
from ecs_async_executor.doctor.aws.actions import region_of, service_of
from ecs_async_executor.doctor.aws.clients import Aws, is_set
from ecs_async_executor.doctor.aws.errors import fact_of
from ecs_async_executor.doctor.facts import Absent, Cause, Fact, Kind, Known, Question, Unknown

_ASK: Mapping[Kind, Callable[[Any, Question], Any]] = {
    Kind.IDENTITY: sts.identity,
    Kind.CLUSTER: ecs.cluster,
    Kind.DEFINITION: ecs.definition,
    Kind.PROVIDER: ecs.provider,
    Kind.LIST_TASKS: ecs.list_tasks,
    Kind.DESCRIBE_TASKS: ecs.describe_tasks,
    Kind.SUBNET: ec2.subnet,
    Kind.GROUP: ec2.group,
    Kind.DEFAULT_GROUP: ec2.default_group,
    Kind.ROUTES: ec2.routes,
    Kind.ENDPOINTS: ec2.endpoints,
    Kind.DNS: ec2.dns,
    Kind.ROLE: iam.role,
    Kind.PERMISSIONS: iam.permissions,
    Kind.KEY_POLICY: secrets.key_policy,
    Kind.BUCKET_POLICY: s3.bucket_policy,
    Kind.SECRET_POLICY: secrets.secret_policy,
    Kind.LOG_GROUP: logs.log_group,
    Kind.SECRET: secrets.secret,
    Kind.PARAMETER: secrets.parameter,
    Kind.IMAGE: ecr.image,
    Kind.PLATFORMS: ecr.platforms,
    Kind.CACHE_RULES: ecr.cache_rules,
    Kind.QUOTA: quotas.quota,
    Kind.RATES: quotas.rates,
    Kind.BUCKET: s3.bucket,
    Kind.LIFECYCLE: s3.lifecycle,
    Kind.ENCRYPTION: s3.encryption,
    Kind.VERSIONING: s3.versioning,
}
"""Each takes a client and the question, and returns the value, Absent or Unknown; it may raise what botocore raises."""


def answer(aws: Aws, question: Question) -> Fact:
    """Answer a question about AWS; raises nothing."""
    try:
        service = service_of(question.kind)
        client = aws.client(service, region_of(question))
        if service != "ecs" and aws.local and not is_set(client):
            # A local ECS takes any credentials; real AWS would see them, and knows none of its resources.
            text = f"ECS is on this machine, and no endpoint is set for {service}."
            return Unknown(text, Cause.NOT_ASKED)
        found = _ASK[question.kind](client, question)
    except Exception as error:  # noqa: BLE001  botocore, the provider and credential processes raise anything
        return fact_of(error, question)
    return found if isinstance(found, (Absent, Unknown)) else Known(found)
