"""Asks Service Quotas."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from ecs_async_executor.doctor.aws.answers import all_pages
from ecs_async_executor.doctor.facts import Question


def quota(client: Any, question: Question) -> Any:
    """Return a quota of Fargate's, by its code."""
    request = {"ServiceCode": "fargate", "QuotaCode": question.name}
    try:
        answer = client.get_service_quota(**request)
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") != "NoSuchResourceException":
            raise
        # The account has no value of its own, so AWS's default holds.
        answer = client.get_aws_default_service_quota(**request)
    return float(answer["Quota"]["Value"])


def rates(client: Any, _: Question) -> Any:
    """Return Fargate's quotas as they are granted to this account, by name."""
    quotas = all_pages(client, "list_service_quotas", "Quotas", {"ServiceCode": "fargate"})
    return {str(each["QuotaName"]): float(each["Value"]) for each in quotas if "Value" in each}
