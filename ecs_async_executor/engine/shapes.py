"""botocore's model of a request, compiled: is this a valid one? In a fraction of the time of botocore's validator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

Check: TypeAlias = Callable[[Any], bool]


def checker(shape: Any) -> Check:
    """Compile what botocore's ParamValidator holds of this shape. False means: ask the validator."""
    least = shape.metadata.get("min", 0)
    if shape.type_name == "string":
        return lambda value: type(value) is str and len(value) >= least
    if shape.type_name == "boolean":
        return lambda value: type(value) is bool
    if shape.type_name == "integer":
        return lambda value: type(value) is int and value >= least
    if shape.type_name == "list":
        item = checker(shape.member)
        return lambda value: type(value) is list and len(value) >= least and all(map(item, value))
    if shape.type_name == "structure" and not (shape.is_document_type or shape.is_tagged_union):
        return _structure_checker(shape)
    return lambda _: False


def _structure_checker(shape: Any) -> Check:
    required, members = frozenset(shape.required_members), shape.members
    checks: dict[str, Check] = {}

    def check(value: Any) -> bool:
        if type(value) is not dict or not required <= value.keys():
            return False
        for name, item in value.items():
            if name not in checks:
                if name not in members:
                    return False
                checks[name] = checker(members[name])
            if not checks[name](item):
                return False
        return True

    return check
