"""What a principal's own policies surely deny, for where IAM's simulation may not be called. Pure.

Conditions, boundaries and service control policies are not looked at. So it can tell for certain that nothing allows an
action, and never that one is allowed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any


def decisions(
    documents: Sequence[Mapping[str, Any]], actions: Iterable[str], resource: str
) -> dict[str, str]:
    """Return `implicitDeny`, `explicitDeny` or `unknown` for each action on a resource."""
    statements = [each for document in documents for each in _listed(document.get("Statement"))]
    return {action: _decision(statements, action, resource) for action in actions}


def _decision(statements: Sequence[Mapping[str, Any]], action: str, resource: str) -> str:
    fits = [each for each in statements if _names_action(each, action) and _names_resource(each, resource)]
    if any(each.get("Effect") == "Deny" and not each.get("Condition") for each in fits):
        return "explicitDeny"
    return "unknown" if any(each.get("Effect") == "Allow" for each in fits) else "implicitDeny"


def _names_action(statement: Mapping[str, Any], action: str) -> bool:
    named = [str(each).lower() for each in _listed(statement.get("Action"))]
    if named:
        return any(_fits(action.lower(), each) for each in named)
    return not any(_fits(action.lower(), str(each).lower()) for each in _listed(statement.get("NotAction")))


def _names_resource(statement: Mapping[str, Any], resource: str) -> bool:
    named = [str(each) for each in _listed(statement.get("Resource"))]
    if named:
        # What is asked for may be a pattern itself: every revision of a family, all tasks of a cluster.
        return any(_fits(resource, each) or _fits(each, resource) for each in named)
    return not any(_fits(resource, str(each)) for each in _listed(statement.get("NotResource")))


def _fits(text: str, pattern: str) -> bool:
    return fnmatchcase(text, pattern.replace("[", "[[]"))


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]
