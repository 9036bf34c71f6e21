"""Asks CloudWatch Logs."""

from __future__ import annotations

from typing import Any

from ecs_async_executor.doctor.facts import Absent, Question, Unknown


def log_group(client: Any, question: Question) -> Any:
    """Return DescribeLogGroups' document."""
    answer = client.describe_log_groups(logGroupNamePrefix=question.name)
    found = [each for each in answer["logGroups"] if each["logGroupName"] == question.name]
    if found:
        return found[0]
    return Absent() if not answer.get("nextToken") else Unknown("Too many log groups begin with this name.")
