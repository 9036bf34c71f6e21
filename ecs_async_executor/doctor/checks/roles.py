"""The task's roles: there where they are needed, ECS may assume them, and they may do what they must."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import unquote

from ecs_async_executor.doctor.effective import EcrImage, Effective, account_of, role_name
from ecs_async_executor.doctor.facts import Facts, Kind, Known, Unknown
from ecs_async_executor.doctor.findings import Finding, error, note, unknown
from ecs_async_executor.doctor.permissions import logs_in_s3, needs
from ecs_async_executor.doctor.policies import grants
from ecs_async_executor.doctor.setup import Setup
from ecs_async_executor.engine.diagnosis.iam import TRUSTS_ECS_TASKS, allow, one_line

_SERVICE = "ecs-tasks.amazonaws.com"
_IN_CHINA = "ecs-tasks.amazonaws.com.cn"


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
    if each.task_role or not each.on_fargate:
        return  # containers on EC2 may have the instance's role
    report = note if setup.local else error  # containers of a local ECS get keys from it
    if setup.settings and setup.settings.payload_bucket:
        yield report(
            f"The task definition {each.definition_name} has no task role, and payload_bucket is set.",
            "Containers can't fetch workloads that are too long for RunTask"
            f"{', and no standby gets a task' if each.target.standby else ''}.",
            "Set taskRoleArn in the task definition, with the policy of docs/iam.md (LongWorkloads).",
        )
    has_own_keys = "AWS_ACCESS_KEY_ID" in each.environment or each.hidden("AWS_ACCESS_KEY_ID")
    if (location := logs_in_s3(setup)) and not has_own_keys:
        yield report(
            f"The task definition {each.definition_name} has no task role, and remote logs go to {location}.",
            "Workers have no credentials to store their logs with: after its end, a task's log page is empty.",
            f"Set taskRoleArn in the task definition, to a role with s3:PutObject, s3:GetObject and s3:ListBucket for {location}.",
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
        if role and arn.startswith("arn:") and role.get("Arn", arn) != arn:
            member = "executionRoleArn" if what == "execution role" else "taskRoleArn"
            yield error(
                f"The {what} {arn} isn't the role that IAM has: {role['Arn']}.",
                "RunTask fails: ECS can't assume a role by an ARN with another path.",
                f"Set {member} in the task definition to {role['Arn']}.",
            )
        if role and not _trusts(role.get("AssumeRolePolicyDocument") or {}, mine, each):
            yield error(
                f"The {what} {name} doesn't trust {_SERVICE}.",
                "ECS can't assume the role: the task stops before it starts.",
                f"aws iam update-assume-role-policy --role-name {name} --policy-document '{one_line(TRUSTS_ECS_TASKS)}'",
            )


def _trusts(document: Any, account: str, each: Effective) -> bool:
    policy: Mapping[str, Any] = json.loads(unquote(document)) if isinstance(document, str) else document
    statements = policy.get("Statement") or ()
    for statement in [statements] if isinstance(statements, Mapping) else statements:
        principal = statement.get("Principal") or {}
        services = principal if isinstance(principal, str) else principal.get("Service") or ()
        actions = statement.get("Action") or ()
        if (
            statement.get("Effect") == "Allow"
            and (_names(services, _SERVICE) or _names(services, _IN_CHINA))
            and any(_names(actions, name) for name in ("sts:AssumeRole", "sts:*", "sts:Assume*"))
            and _fits(statement.get("Condition") or {}, account, each)
        ):
            return True
    return False


def _names(value: Any, wanted: str) -> bool:
    listed = [value] if isinstance(value, str) else list(value)
    return "*" in listed or wanted in listed


def _fits(condition: Mapping[str, Any], account: str, profile: Effective) -> bool:
    """Return False only if a condition names another account or Region than the caller's.

    ECS's `aws:SourceArn` is `arn:aws:ecs:REGION:ACCOUNT:*` ("Amazon ECS task IAM role", confused deputy), so only that part
    of a pattern is compared.
    """
    for operator, values in condition.items():
        if "not" in operator.lower():
            continue
        named = {str(key).lower(): value for key, value in values.items()}
        if account and (accounts := named.get("aws:sourceaccount")) and not _matches(accounts, account):
            return False
        arns = [":".join(str(each).split(":")[:5]) for each in _listed(named.get("aws:sourcearn"))]
        cluster = str((profile.cluster or {}).get("clusterArn") or "") if arns else ""
        if cluster and not _matches(arns, ":".join(cluster.split(":")[:5])):
            return False
    return True


def _matches(patterns: Any, text: str) -> bool:
    return any(fnmatchcase(text, str(each)) for each in _listed(patterns))


def _listed(value: Any) -> list[Any]:
    return [] if value is None else list(value) if isinstance(value, (list, tuple)) else [value]


def permissions(setup: Setup, facts: Facts) -> Iterator[Finding]:
    """IAM lets the roles do what the set-up needs."""
    open_ones: dict[str, dict[str, None]] = {}
    for need in needs(setup, facts):
        found = facts.value(*need.question) or {}
        undecided = [action for action, decision in found.items() if decision == "unknown"]
        open_ones.setdefault(need.who, {}).update(dict.fromkeys(undecided))
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
        own = facts.get(need.policy) if need.policy and rest else None
        if isinstance(own, Known):
            rest = [action for action in rest if not grants(own.value, need.principal, action)]
        if rest and isinstance(own, Unknown):
            yield unknown(
                f"Not known: whether {need.who} may call {', '.join(rest)} on {need.resource}. Its policies don't allow it, and the "
                "resource's own policy can't be read.",
                need.why,
                f"{own.todo or own.why} Or add to the role's policy: {_statement(rest, need.resource)}",
            )
        elif rest:
            yield error(
                f"IAM doesn't let {need.who} call {', '.join(rest)} on {need.resource}.",
                need.why,
                f"Add to its policy (docs/iam.md has all of it): {_statement(rest, need.resource)}",
            )
    for who, actions in open_ones.items():
        if actions:
            yield unknown(
                f"Not known: whether {who} may call {', '.join(actions)}. Its policies allow it, unless a condition, a permissions "
                "boundary or the organization's policies forbid it.",
                "",
                "Allow the doctor's role iam:SimulatePrincipalPolicy (docs/iam.md); or try it: ecs-async doctor --launch",
            )


def _statement(actions: list[str], resource: str) -> str:
    statement = allow(actions[0], resource)
    if len(actions) > 1:
        statement["Action"] = actions
    return one_line(statement)
