"""Asks IAM."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ecs_async_executor.doctor.aws.answers import all_pages, policy
from ecs_async_executor.doctor.aws.errors import fact_of
from ecs_async_executor.doctor.effective import region_of
from ecs_async_executor.doctor.facts import Fact, Question
from ecs_async_executor.doctor.policies import decisions


def role(client: Any, question: Question) -> Any:
    """Return GetRole's document."""
    return client.get_role(RoleName=question.name)["Role"]


def permissions(client: Any, question: Question) -> Any:
    """Simulate; where that isn't allowed, read the policies, which can tell that no statement allows an action."""
    simulated: dict[str, str] | None = None
    unknown: Fact | None = None
    try:
        simulated = _simulate(client, question)
    except Exception as error:  # noqa: BLE001  as in `answer`
        unknown = fact_of(error, question)
    if simulated is not None and "unknown" not in simulated.values():
        return simulated
    try:
        read = _by_policies(client, question)
    except Exception:  # noqa: BLE001  what the simulation said counts
        return unknown if simulated is None else simulated
    if simulated is None:
        return read
    return {name: read[name] if told == "unknown" else told for name, told in simulated.items()}


def _simulate(client: Any, question: Question) -> dict[str, str]:
    actions, resource, cluster = (*question.of.split(" "), "")[:3]
    context = {
        "iam:PassedToService": "ecs-tasks.amazonaws.com",
        "ecs:CreateAction": "RegisterTaskDefinition" if ":task-definition/" in resource else "RunTask",
        "aws:SecureTransport": "true",
        "aws:RequestedRegion": region_of(resource),
        "ecs:cluster": cluster,
    }
    entries = [
        {"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": "string"}
        for key, value in context.items()
        if value
    ]
    answer = client.simulate_principal_policy(
        PolicySourceArn=question.name,
        ActionNames=actions.split(","),
        ResourceArns=[resource],
        ContextEntries=entries,
    )
    return {each["EvalActionName"]: _decision(each) for each in answer["EvaluationResults"]}


def _decision(result: Mapping[str, Any]) -> str:
    """Return IAM's decision; `unknown` where it depends on a condition whose value the simulation doesn't have."""
    decision = str(result["EvalDecision"])
    return "unknown" if decision != "allowed" and result.get("MissingContextValues") else decision


def _by_policies(client: Any, question: Question) -> dict[str, str]:
    actions, resource, *_ = question.of.split(" ")
    name = question.name.rpartition("/")[2]
    kind = "role" if ":role/" in question.name else "user"
    own = {f"{kind.title()}Name": name}
    names = all_pages(client, f"list_{kind}_policies", "PolicyNames", own)
    read = getattr(client, f"get_{kind}_policy")
    documents = [policy(read(**own, PolicyName=each)["PolicyDocument"]) for each in names]
    for each in all_pages(client, f"list_attached_{kind}_policies", "AttachedPolicies", own):
        version = client.get_policy(PolicyArn=each["PolicyArn"])["Policy"]["DefaultVersionId"]
        answer = client.get_policy_version(PolicyArn=each["PolicyArn"], VersionId=version)
        documents.append(policy(answer["PolicyVersion"]["Document"]))
    if kind == "user" and client.list_groups_for_user(**own)["Groups"]:
        raise LookupError("The user's groups may allow it.")
    return decisions(documents, actions.split(","), resource)
