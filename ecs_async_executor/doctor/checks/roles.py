"""The task's roles: there where they are needed, ECS may assume them, and they may do what they must."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from ecs_async_executor.doctor.effective import EcrImage, Effective, account_of, role_name
from ecs_async_executor.doctor.facts import Facts, Kind
from ecs_async_executor.doctor.findings import Finding, error
from ecs_async_executor.doctor.permissions import needs
from ecs_async_executor.doctor.setup import Setup
from ecs_async_executor.engine.diagnosis.iam import TRUSTS_ECS_TASKS, allow, one_line

_SERVICE = "ecs-tasks.amazonaws.com"


def present(setup: Setup, each: Effective) -> Iterator[Finding]:
    """An execution role where ECS needs one, a task role where tasks do."""
    if each.definition is None:
        return
    reasons = []
    if any(True for _ in each.secrets):
        reasons.append("reads its secrets")
    if each.on_fargate and any(EcrImage.parse(image) for image in each.images):
        reasons.append("pulls its image from Amazon ECR")
    if each.on_fargate and any(True for _ in each.log_groups):
        reasons.append("writes its log")
    if reasons and not each.execution_role:
        yield error(
            f"The task definition {each.definition_name} has no execution role.",
            f"ECS {' and '.join(reasons)} with it: RunTask fails.",
            "Set executionRoleArn in the task definition; docs/iam.md has its policy.",
        )
    if setup.settings and setup.settings.payload_bucket and not each.task_role and each.on_fargate:
        yield error(
            f"The task definition {each.definition_name} has no task role, and payload_bucket is set.",
            "Containers can't fetch workloads that are too long for RunTask.",
            "Set taskRoleArn in the task definition, with the policy of docs/iam.md (LongWorkloads).",
        )


def trust(_: Setup, each: Effective, facts: Facts) -> Iterator[Finding]:
    """The roles exist, and ECS may assume them."""
    mine = str((facts.value(Kind.IDENTITY) or {}).get("Account") or "")
    for what, arn in each.roles:
        name = role_name(arn)
        if mine and account_of(arn) not in {"", mine}:
            continue  # `connection.own_account`
        if facts.absent(Kind.ROLE, name):
            yield error(
                f"IAM has no role {name}, the {what} of {each.definition_name}.",
                "The task doesn't start: ECS can't assume the role.",
                f"Correct {'executionRoleArn' if what == 'execution role' else 'taskRoleArn'}, or create it: "
                f"aws iam create-role --role-name {name} --assume-role-policy-document '{one_line(TRUSTS_ECS_TASKS)}'",
            )
        role = facts.value(Kind.ROLE, name)
        if role and not _trusts(role.get("AssumeRolePolicyDocument") or {}, mine):
            yield error(
                f"The {what} {name} doesn't trust {_SERVICE}.",
                "ECS can't assume the role: the task stops before it starts.",
                f"aws iam update-assume-role-policy --role-name {name} --policy-document '{one_line(TRUSTS_ECS_TASKS)}'",
            )


def _trusts(document: Any, account: str) -> bool:
    policy: Mapping[str, Any] = json.loads(unquote(document)) if isinstance(document, str) else document
    statements = policy.get("Statement") or ()
    for statement in [statements] if isinstance(statements, Mapping) else statements:
        principal = statement.get("Principal") or {}
        services = principal if isinstance(principal, str) else principal.get("Service") or ()
        actions = statement.get("Action") or ()
        if (
            statement.get("Effect") == "Allow"
            and _names(services, _SERVICE)
            and any(_names(actions, each) for each in ("sts:AssumeRole", "sts:*", "sts:Assume*"))
            and _fits_account(statement.get("Condition") or {}, account)
        ):
            return True
    return False


def _names(value: Any, wanted: str) -> bool:
    listed = [value] if isinstance(value, str) else list(value)
    return "*" in listed or wanted in listed


def _fits_account(condition: Mapping[str, Any], account: str) -> bool:
    """Return False only if a condition names another account than the caller's."""
    for values in condition.values():
        named = values.get("aws:SourceAccount")
        if named and account and not _names(named, account):
            return False
    return True


def permissions(setup: Setup, facts: Facts) -> Iterator[Finding]:
    """IAM lets the roles do what the set-up needs."""
    for need in needs(setup, facts):
        found = facts.value(*need.question) or {}
        denied = [
            action for action, decision in found.items() if decision in {"implicitDeny", "explicitDeny"}
        ]
        if not denied:
            continue
        explicit = [action for action in denied if found[action] == "explicitDeny"]
        if explicit:
            yield error(
                f"A policy explicitly denies {', '.join(explicit)} on {need.resource} to {need.who}.",
                need.why,
                "Remove the Deny: no Allow overrides it. It may be in the role's policies, its permissions boundary or the "
                "organization's service control policies.",
            )
        rest = [action for action in denied if action not in explicit]
        if rest:
            statement = allow(rest[0], need.resource)
            if len(rest) > 1:
                statement["Action"] = rest
            yield error(
                f"IAM doesn't let {need.who} call {', '.join(rest)} on {need.resource}.",
                need.why,
                f"Add to its policy (docs/iam.md has all of it): {one_line(statement)}",
            )
