"""Validates a request by botocore's model in a fraction of its validator's time, and says what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from botocore.validate import ParamValidator

Check: TypeAlias = Callable[[Any], bool]
_KINDS: dict[str, tuple[tuple[type, ...], str]] = {
    "string": ((str,), "text"),
    "boolean": ((bool,), "true or false"),
    "integer": ((int,), "a whole number"),
    "list": ((list, tuple), "a list"),
    "structure": ((dict,), "an object"),
}
_BIGGEST = 2**31 - 1
"""The largest value of ECS's Integer (API reference: data types)."""


def checker(shape: Any) -> Check:
    """Compile botocore's ParamValidator for this shape into a check; if that returns False, ask `why_not`."""
    least = shape.metadata.get("min", 0)
    if shape.type_name == "string":
        return lambda value: type(value) is str and len(value) >= least
    if shape.type_name == "boolean":
        return lambda value: type(value) is bool
    if shape.type_name == "integer":
        return lambda value: type(value) is int and least <= value <= _BIGGEST
    if shape.type_name == "list":
        item = checker(shape.member)
        return lambda value: type(value) is list and len(value) >= least and all(map(item, value))
    if shape.type_name == "structure" and not _is_special(shape):
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


def why_not(value: Any, shape: Any) -> list[str]:
    """Say what is wrong with a request, in sentences that show no values; none if nothing is wrong.

    It accepts what botocore's ParamValidator accepts, except where it takes a number: then no booleans, no
    negative values, and nothing beyond 32 bits.
    """
    return [*_problems(value, shape, "")]


def _problems(value: Any, shape: Any, path: str) -> Iterator[str]:
    if shape.type_name not in _KINDS or _is_special(shape):
        if ParamValidator().validate(value, shape).has_errors():
            yield f"{path} is not valid."
        return
    types, kind = _KINDS[shape.type_name]
    fits = isinstance(value, types) and not (type(value) is bool and shape.type_name == "integer")
    if not fits:
        yield f"{path} is {_kind_of(value)}; ECS takes {kind}."
    elif shape.type_name == "structure":
        yield from _problems_of_members(value, shape, f"{path}." if path else "")
    elif shape.type_name != "boolean":
        size = value if shape.type_name == "integer" else len(value)
        if size < (least := shape.metadata.get("min", 0)):
            yield f"{path} is too {'small' if shape.type_name == 'integer' else 'short'}: ECS takes {least} at least."
        if size > _BIGGEST:
            yield f"{path} is too big: ECS takes {_BIGGEST} at most."
        for index, item in enumerate(value if shape.type_name == "list" else ()):
            yield from _problems(item, shape.member, f"{path}[{index}]")


def _problems_of_members(value: dict[str, Any], shape: Any, at: str) -> Iterator[str]:
    yield from (f"{at}{name} is missing." for name in shape.required_members if name not in value)
    for name, item in value.items():
        if name in shape.members:
            yield from _problems(item, shape.members[name], f"{at}{name}")
        else:
            yield f"{at}{name} is unknown to ECS."


def _is_special(shape: Any) -> bool:
    return bool(shape.type_name == "structure" and (shape.is_document_type or shape.is_tagged_union))


def _kind_of(value: Any) -> str:
    if value is None:
        return "null"
    known = (words for types, words in _KINDS.values() if type(value) in types)
    return next(known, f"a {type(value).__name__}")
