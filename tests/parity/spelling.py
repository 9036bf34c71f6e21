"""The ways a RunTask member can be written, by botocore's own model of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from botocore import xform_name
from botocore.loaders import Loader
from botocore.model import ServiceModel


@cache
def shape_of_run_task() -> Any:
    model = ServiceModel(Loader().load_service_model("ecs", "service-2"))
    return model.operation_model("RunTask").input_shape


def shape_of_a_container() -> Any:
    return shape_of_run_task().members["overrides"].members["containerOverrides"].member


def snake(name: str) -> str:
    """Spell `enableECSManagedTags` as boto3 spells Python names: `enable_ecs_managed_tags`."""
    return str(xform_name(name))


def in_snake_case(value: Any, shape: Any = None) -> Any:
    """Spell all members of a request, at every depth, in snake_case."""
    return _respell(value, shape or shape_of_run_task(), snake)


def as_aws_spells(value: Any, shape: Any = None) -> Any:
    """Spell all members of a request, at every depth, as AWS does."""
    return _respell(value, shape or shape_of_run_task(), str)


def as_aws_types(value: Any, shape: Any = None) -> Any:
    """Write numbers as text, or whole numbers in text as numbers, where RunTask takes the other."""
    shape = shape or shape_of_run_task()
    if shape.type_name == "structure" and isinstance(value, dict):
        names = {key: _members(shape).get(_folded(key)) for key in value}
        return {
            key: as_aws_types(item, shape.members[names[key]]) if names[key] else item
            for key, item in value.items()
        }
    if shape.type_name == "list" and isinstance(value, list):
        return [as_aws_types(item, shape.member) for item in value]
    if shape.type_name == "string" and type(value) in {int, float}:
        return str(value)
    return int(value) if shape.type_name == "integer" and str(value).isdecimal() else value


def as_aws_cases(value: Any, shape: Any = None) -> Any:
    """Write values of enums as AWS does, in a request whose members are in AWS's spelling."""
    shape = shape or shape_of_run_task()
    if shape.type_name == "structure" and isinstance(value, dict):
        return {
            key: as_aws_cases(item, shape.members[key]) if key in shape.members else item
            for key, item in value.items()
        }
    if shape.type_name == "list" and isinstance(value, list):
        return [as_aws_cases(item, shape.member) for item in value]
    if shape.type_name == "string" and isinstance(value, str):
        return next((each for each in shape.enum if each.lower() == value.lower()), value)
    return value


_TYPES = {"string": str, "boolean": bool, "integer": int, "list": list, "structure": dict}


def has_wrong_type(value: Any, shape: Any = None) -> bool:
    """Tell whether botocore refuses a type in a request that AWS's way spells; null and missing members are fine."""
    shape = shape or shape_of_run_task()
    if value is None:
        return False
    if type(value) is not _TYPES[shape.type_name]:
        return True
    if isinstance(value, list):
        return any(item is None or has_wrong_type(item, shape.member) for item in value)
    if isinstance(value, dict):
        known = [key for key in value if key in shape.members]
        return any(has_wrong_type(value[key], shape.members[key]) for key in known)
    return False


def has_unknown_member(value: Any, shape: Any = None) -> bool:
    """Tell whether RunTask knows a member, at any depth, in AWS's spelling."""
    shape = shape or shape_of_run_task()
    if shape.type_name == "structure" and isinstance(value, dict):
        return any(
            key not in shape.members or has_unknown_member(item, shape.members[key])
            for key, item in value.items()
        )
    if shape.type_name == "list" and isinstance(value, list):
        return any(has_unknown_member(item, shape.member) for item in value)
    return False


def _respell(value: Any, shape: Any, spell: Callable[[str], str]) -> Any:
    if shape.type_name == "structure" and isinstance(value, dict):
        members = _members(shape)
        result = {}
        for key, item in value.items():
            name = members.get(_folded(key))
            result[spell(name) if name else key] = (
                _respell(item, shape.members[name], spell) if name else item
            )
        return result
    if shape.type_name == "list" and isinstance(value, list):
        return [_respell(item, shape.member, spell) for item in value]
    return value


@cache
def _members(shape: Any) -> dict[str, str]:
    return {_folded(name): name for name in shape.members}


def _folded(key: str) -> str:
    return key.replace("_", "").lower()
