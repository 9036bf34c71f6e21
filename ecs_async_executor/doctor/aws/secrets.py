"""Asks Secrets Manager, the Parameter Store and KMS; never for a secret's value."""

from __future__ import annotations

from typing import Any

from ecs_async_executor.doctor.aws.answers import policy
from ecs_async_executor.doctor.facts import Absent, Question


def secret(client: Any, question: Question) -> Any:
    """Return its `arn`, whether it is scheduled for deletion, and its KMS key's ARN."""
    answer = client.describe_secret(SecretId=question.name)
    return {
        "arn": answer.get("ARN") or "",
        "deleted": answer.get("DeletedDate") is not None,
        "key": answer.get("KmsKeyId") or "",
    }


def parameter(client: Any, question: Question) -> Any:
    """Return its type."""
    # Its metadata: GetParameters would return the value.
    filters = [{"Key": "Name", "Option": "Equals", "Values": [question.name]}]
    found = client.describe_parameters(ParameterFilters=filters).get("Parameters")
    return {"type": found[0].get("Type", "")} if found else Absent()


def secret_policy(client: Any, question: Question) -> Any:
    """Return a secret's own policy."""
    found = client.get_resource_policy(SecretId=question.name).get("ResourcePolicy")
    return policy(found) if found else Absent()


def key_policy(client: Any, question: Question) -> Any:
    """Return a KMS key's own policy."""
    return policy(client.get_key_policy(KeyId=question.name, PolicyName="default")["Policy"])
