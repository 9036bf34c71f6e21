"""Asks S3 about a bucket."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from ecs_async_executor.doctor.aws.answers import policy
from ecs_async_executor.doctor.facts import Question


def bucket(client: Any, question: Question) -> Any:
    """Return the bucket's Region."""
    try:
        answer = client.head_bucket(Bucket=question.name)
        headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    except ClientError as error:
        headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        if error.response.get("Error", {}).get("Code") != "301":  # another Region, which the answer names
            raise
    return {"region": headers.get("x-amz-bucket-region", "")}


def bucket_policy(client: Any, question: Question) -> Any:
    """Return the bucket's own policy."""
    return policy(client.get_bucket_policy(Bucket=question.name)["Policy"])


def lifecycle(client: Any, question: Question) -> Any:
    """Return the bucket's lifecycle rules."""
    return client.get_bucket_lifecycle_configuration(Bucket=question.name)["Rules"]


def encryption(client: Any, question: Question) -> Any:
    """Return the bucket's default encryption."""
    rules = client.get_bucket_encryption(Bucket=question.name)["ServerSideEncryptionConfiguration"]["Rules"]
    return rules[0].get("ApplyServerSideEncryptionByDefault") or {}


def versioning(client: Any, question: Question) -> Any:
    """Return `Enabled`, `Suspended`, or an empty text: never enabled."""
    return client.get_bucket_versioning(Bucket=question.name).get("Status", "")
