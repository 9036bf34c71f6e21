"""Reads AWS's denials, and writes the policy statement that is missing. Pure.

Source: "Troubleshoot access denied error messages" of the IAM user guide. The complete policies are in docs/iam.md.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from ecs_async_executor.engine.diagnosis.causes.masks import masked

TRUSTS_ECS_TASKS: Mapping[str, Any] = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "ecs-tasks.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}
"""The trust policy of a task role and of an execution role."""

_DENIAL = re.compile(
    r"User: (?P<user>\S+) is not authorized to perform: (?P<action>[a-z0-9-]+:\w+)"
    r"(?: on resource: \"?(?P<resource>[^\s\"]+)\"?)?"
    r"(?P<why>(?: because | with an explicit deny)[^.;]*)?"
)
_ENCODED = re.compile(r"Encoded authorization failure message: ?(?P<message>\S+)")
_ROLE = re.compile(r"arn:[\w-]+:sts::\d+:assumed-role/(?P<role>[^/\s]+)/")
_REVISION = re.compile(r"(:task-definition/[^:]+):\d+$")
_OBJECT = re.compile(r"(:s3:::[^/]+/(?:.*/)?)[^/]*$")
_TASK = re.compile(r"(:task/[^/]+/)[^/]+$")
_LOG_STREAM = re.compile(r"(:log-group:[^:]+):log-stream:.*$")

_BY_SCP = "The organization's service control policy must allow it: ask its administrator. An Allow in a role can't help."
# What AWS says after the action. For these policies, an Allow in the caller's own policy wouldn't help.
_ALLOW_ELSEWHERE = (
    ("service control policy", _BY_SCP),
    ("SCP", _BY_SCP),
    (
        "resource control policy",
        "The organization's resource control policy must allow it: ask its administrator.",
    ),
    ("permissions boundary", "The permissions boundary of {who} must allow it."),
    ("session policy", "The session policy that {who} was assumed with must allow it."),
    ("VPC endpoint policy", "The policy of the VPC endpoint that the call goes through must allow it."),
    ("resource-based policy", "The policy of the resource must allow it to {who}."),
)
_IMAGES = re.compile(r"(:task-definition/ecs-async-image-)[^:]*(?::\S*)?$")
"""Families of engine/images.py: each image has one of its own, and all of them have one statement."""
_CONDITIONS: Mapping[str, Mapping[str, Any]] = {
    "iam:PassRole": {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
    "ecs:TagResource": {"StringEquals": {"ecs:CreateAction": "RunTask"}},
}
_REGISTERING = {"StringEquals": {"ecs:CreateAction": "RegisterTaskDefinition"}}
"""The condition of ecs:TagResource for task definitions."""


_PARTITIONS = (
    ("cn-", "aws-cn"),
    ("us-gov-", "aws-us-gov"),
    ("us-iso-", "aws-iso"),
    ("us-isob-", "aws-iso-b"),
    ("eu-isoe-", "aws-iso-e"),
    ("us-isof-", "aws-iso-f"),
    ("eusc-", "aws-eusc"),
)
"""How the names of Regions begin, outside of the partition `aws`."""


def allow(action: str, resource: str) -> dict[str, Any]:
    """Return the statement that allows an action, on all that is like the one resource that was denied.

    That is all revisions of a task definition, tasks of a cluster, objects of a folder, streams of a log group.
    """
    resource = _OBJECT.sub(r"\1*", _REVISION.sub(r"\1:*", resource))
    resource = _LOG_STREAM.sub(r"\1:*", _TASK.sub(r"\1*", _IMAGES.sub(r"\1*", resource)))
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    tags_definition = action == "ecs:TagResource" and ":task-definition/" in resource
    condition = _REGISTERING if tags_definition else _CONDITIONS.get(action)
    return {**statement, "Condition": condition} if condition else statement


def partition_of(region: str) -> str:
    """Return the partition of a Region, by its name (botocore's partitions.json)."""
    return next((partition for start, partition in _PARTITIONS if region.startswith(start)), "aws")


def arn_of(url: str, region: str) -> str:
    """Return the ARN of the object `s3://bucket/key`, in the partition of a Region; of `aws` if that is empty."""
    return f"arn:{partition_of(region)}:s3:::{url.removeprefix('s3://')}"


def remedy_of(message: str) -> str | None:
    """Return who must allow what; None if AWS's message doesn't tell."""
    if encoded := _ENCODED.search(message):
        return (
            "See what was denied: aws sts decode-authorization-message --query DecodedMessage --output text "
            f"--encoded-message {encoded['message']}"
        )
    denial = _DENIAL.search(message)
    if denial is None:
        said = masked(message)
        texts = (text for policy, text in _ALLOW_ELSEWHERE if re.search(rf"\b{policy}\b", said))
        return next((text.format(who="the caller") for text in texts), None)
    who, action, why = _name(denial["user"]), denial["action"], denial["why"] or ""
    if "explicit deny" in why:
        policy = why.partition("explicit deny in ")[2] or "a policy"
        return f"Remove the Deny of {action} from {policy}: no Allow overrides it."
    for policy, elsewhere in _ALLOW_ELSEWHERE:
        if policy in why:
            return f"{elsewhere.format(who=who)} At the moment it denies {action}."
    return missing(who, action, denial["resource"] or "*")


def summary_of(message: str) -> str | None:
    """Return who may not do what; None if AWS's message doesn't tell."""
    denial = _DENIAL.search(message)
    if denial is None:
        return None
    who, action, resource = _name(denial["user"]), denial["action"], denial["resource"]
    if action == "iam:PassRole" and resource:
        return f"AWS does not let {who} pass the role {resource} to ECS (iam:PassRole)."
    return f"AWS does not let {who} call {action}" + (f" on {resource}." if resource else ".")


def missing(who: str, action: str, resource: str) -> str:
    """Return a remedy that adds a statement to `who`'s policy."""
    return f"Add to the policy of {who} (docs/iam.md has all of it): {one_line(allow(action, resource))}"


def one_line(policy: Mapping[str, Any]) -> str:
    """Return a policy, or a statement, as JSON on one line that people can paste."""
    return json.dumps(policy)


def _name(user: str) -> str:
    role = _ROLE.match(user)
    return f"the role {role['role']}" if role else user
