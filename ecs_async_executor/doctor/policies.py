"""What a principal's own policies say, for where IAM's simulation may not be called. Pure.

Permissions boundaries and the organization's policies are not looked at: they can only take away. So it can tell for certain
that nothing allows an action, and that one is allowed only as far as its own policies go.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any


def decisions(
    documents: Sequence[Mapping[str, Any]], actions: Iterable[str], resource: str
) -> dict[str, str]:
    """Return `implicitDeny`, `explicitDeny`, `allowed` or `unknown` for each action on a resource.

    `unknown` if it depends on a condition, or on which part of the resource it is.
    """
    statements = [each for document in documents for each in _listed(document.get("Statement"))]
    return {action: _decision(statements, action, resource) for action in actions}


def grants(document: Mapping[str, Any], principal: str, action: str) -> bool:
    """Return whether a resource's own policy may allow a principal an action, without looking at conditions.

    To name the account, as a key's default policy does, only leaves it to IAM.
    """
    for statement in _listed(document.get("Statement")):
        named = statement.get("Principal") or ()
        of_aws = named if isinstance(named, str) else named.get("AWS") if isinstance(named, Mapping) else ()
        is_meant = any(each in {"*", principal} for each in _listed(of_aws))
        if statement.get("Effect") == "Allow" and is_meant and _names_action(statement, action):
            return True
    return False


def _decision(statements: Sequence[Mapping[str, Any]], action: str, resource: str) -> str:
    named = [each for each in statements if _names_action(each, action)]
    denials = (each for each in named if each.get("Effect") == "Deny" and not each.get("Condition"))
    if any(_covers(each, resource) for each in denials):
        return "explicitDeny"
    allowances = [each for each in named if each.get("Effect") == "Allow"]
    if not any(_touches(each, resource) for each in allowances):
        return "implicitDeny"
    is_plain = not any(each.get("Effect") == "Deny" and _touches(each, resource) for each in named)
    covered = any(_covers(each, resource) and not each.get("Condition") for each in allowances)
    return "allowed" if is_plain and covered else "unknown"


def _names_action(statement: Mapping[str, Any], action: str) -> bool:
    named = [str(each).lower() for each in _listed(statement.get("Action"))]
    if named:
        return any(_fits(action.lower(), each) for each in named)
    return not any(_fits(action.lower(), str(each).lower()) for each in _listed(statement.get("NotAction")))


def _covers(statement: Mapping[str, Any], resource: str) -> bool:
    """Return whether a statement is about all of a resource, which may be a pattern: all tasks of a cluster."""
    named = [str(each) for each in _listed(statement.get("Resource"))]
    if named:
        return any(_fits(resource, each) for each in named)
    excepted = [str(each) for each in _listed(statement.get("NotResource"))]
    return not any(_fits(resource, each) or _fits(each, resource) or "${" in each for each in excepted)


def _touches(statement: Mapping[str, Any], resource: str) -> bool:
    """Return whether a statement may be about a part of a resource; a policy variable stands for anything."""
    named = [re.sub(r"\$\{[^}]*\}", "*", str(each)) for each in _listed(statement.get("Resource"))]
    if named:
        return any(_fits(resource, each) or _fits(each, resource) for each in named)
    return not any(_fits(resource, str(each)) for each in _listed(statement.get("NotResource")))


def _fits(text: str, pattern: str) -> bool:
    return fnmatchcase(text, pattern.replace("[", "[[]"))


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]
