"""Normalises members of RunTask to AWS's spelling and types, using botocore's model of the request. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from functools import cache
from math import isfinite
from typing import Any, TypeAlias

from botocore.loaders import Loader
from botocore.model import ServiceModel, Shape

from ecs_async_executor.config.folding import fold
from ecs_async_executor.config.foreign import FOREIGN, TASK_DEFINITION
from ecs_async_executor.config.parsing import parse_strategy
from ecs_async_executor.ecs_rules import FARGATE_PROVIDERS

Body: TypeAlias = dict[str, Any]
IDENTITY = {"KeyValuePair": "name", "ContainerOverride": "name", "Tag": "key"}
"""Shapes whose lists are merged, and the member that identifies an item."""
OURS = {
    "clientToken": "The executor sets it, so that no task is started twice.",
    "count": "One Airflow task is one ECS task.",
    "startedBy": "The executor sets it; choose its middle part with the option `deployment`.",
}
"""Members that users can't configure, and why."""
IMAGE = "image"
"""The image that the Airflow container runs in place of its task definition's."""
_BITS = 64
"""Longer numbers aren't sizes, and Python refuses to print integers of more than 4,300 digits."""
_KNOWN = {"capacityProvider": FARGATE_PROVIDERS, "platformVersion": ("LATEST",)}
"""Values that AWS defines for members that aren't enums."""
_WHOLE = re.compile(r"[0-9]{1,9}", re.ASCII)


@cache
def run_task_shape() -> Any:
    """Load botocore's model of the RunTask request, and add what only the executor takes: `image`."""
    return _model().operation_model("RunTask").input_shape


@cache
def _model() -> ServiceModel:
    model = Loader().load_service_model("ecs", "service-2")
    shapes = model["shapes"]
    request = shapes["RunTaskRequest"]
    members = {**request["members"], IMAGE: {"shape": "String"}}
    return ServiceModel({**model, "shapes": {**shapes, "RunTaskRequest": {**request, "members": members}}})


@cache
def container_shape() -> Any:
    """Return the shape of one container's override."""
    return run_task_shape().members["overrides"].members["containerOverrides"].member


def normalise(value: Any, shape: Any, problems: list[str], *, beside: tuple[str, ...] = ()) -> Any:
    """Normalise keys to AWS's spelling, dicts of tags and environment to lists, and numbers or text to AWS's type.

    Adds unknown names to `problems`, with suggestions from `shape`'s members and the names in `beside`. The validator
    reports other wrong types.
    """
    return _Normaliser(problems, beside).of(value, shape, "")


class _Normaliser:
    def __init__(self, problems: list[str], beside: tuple[str, ...]) -> None:
        self._problems = problems
        self._beside = beside

    def of(self, value: Any, shape: Any, path: str) -> Any:
        if shape.type_name == "structure" and isinstance(value, Mapping):
            return self._structure(value, shape, path)
        if shape.type_name == "list":
            return self._list(value, shape, path)
        if shape.type_name == "string":
            return _spelled(_text(value), shape.enum)
        if shape.type_name == "integer" and isinstance(value, str) and _WHOLE.fullmatch(value):
            return int(value)
        return value

    def _structure(self, value: Mapping[Any, Any], shape: Any, path: str) -> Body:
        result: Body = {}
        for key, item in value.items():
            member = spellings(shape).get(fold(key))
            if member is None:
                self._problems.append(self._unknown(key, shape, path))
            elif member in result:
                self._problems.append(f"{path}{member} appears twice, in two spellings.")
            else:
                result[member] = self.of(item, shape.members[member], f"{path}{member}.")
                result[member] = _spelled(result[member], _KNOWN.get(member))
        return result

    def _list(self, value: Any, shape: Any, path: str) -> Any:
        if isinstance(value, str) and shape.name == "CapacityProviderStrategy":
            try:
                value = parse_strategy(value)
            except ValueError as error:
                self._problems.append(f"{path.removesuffix('.')}: {error}.")
        identity = IDENTITY.get(shape.member.name)
        if isinstance(value, Mapping) and identity and "value" in shape.member.members:
            value = self._pairs(value, identity, path)
        if isinstance(value, (list, tuple)):
            return [self.of(item, shape.member, path) for item in value]
        return value

    def _pairs(self, value: Mapping[Any, Any], identity: str, path: str) -> list[Body]:
        """Convert {"team": "data"}, and also {"key": "team", "value": "data"}, to a list."""
        if set(value) == {identity, "value"}:
            return [dict(value)]
        self._problems += [
            f"{path}{_shown(key)} is not a name: put it in quotes (YAML reads on, off, yes and no as booleans)."
            for key in value
            if not isinstance(_text(key), str)
        ]
        return [
            {identity: _text(key), "value": str(item) if isinstance(item, bool) else _text(item)}
            for key, item in value.items()
        ]

    def _unknown(self, key: object, shape: Any, path: str) -> str:
        name = "RunTask request" if shape is run_task_shape() else shape.name
        hint = self._hint(key, shape) if isinstance(key, str) else "Write it in quotes."
        return f"{path}{_shown(key)} is not a member of ECS's {name}. {hint}".rstrip()

    def _hint(self, key: str, shape: Any) -> str:
        known = {fold(name): name for name in self._beside} | spellings(shape)
        if path_of_member := _paths().get(fold(key)):
            return f"Write it as {path_of_member}."
        if shape is run_task_shape():
            known = spellings(container_shape()) | known
        if elsewhere := _elsewhere(fold(key)):
            return elsewhere
        if near := difflib.get_close_matches(fold(key)[:80], known, n=1):
            return f"Did you mean {known[near[0]]}?"
        members = f"It has: {', '.join(sorted({*shape.members, *self._beside} - OURS.keys()))}."
        return "" if any(members in problem for problem in self._problems) else members


def _text(value: object) -> object:
    """Convert a number to text; return anything else unchanged."""
    is_number = (type(value) is int and value.bit_length() < _BITS) or (
        type(value) is float and isfinite(value)
    )
    return str(value) if is_number else value


def _spelled(value: object, known: Sequence[str] | None) -> object:
    """Return AWS's spelling of the value if `known` has it in another case, otherwise the value."""
    if not known or not isinstance(value, str) or value in known:
        return value
    return next((each for each in known if fold(each) == fold(value)), value)


def _elsewhere(name: str) -> str | None:
    """Say where a member that RunTask lacks belongs, and what to write instead; None if unknown."""
    return FOREIGN.get(name) or (TASK_DEFINITION if name in _of_task_definitions() else None)


@cache
def _of_task_definitions() -> frozenset[str]:
    request = _model().operation_model("RegisterTaskDefinition").input_shape
    container = request.members["containerDefinitions"].member
    return frozenset({*spellings(request), *spellings(container)})


def _shown(key: object) -> str:
    return key[:80] if isinstance(key, str) else f"A name that is a {type(key).__name__}"


@cache
def spellings(shape: Shape) -> dict[str, str]:
    """Map a structure's members by the form that their spellings share."""
    return {str(member).lower(): str(member) for member in shape.members}


@cache
def _paths() -> dict[str, str]:
    """Map each member to its path in a request, for people who write it elsewhere, such as `subnets` at the top."""
    paths: dict[str, str] = {}
    ways = [(run_task_shape(), "")]
    for shape, path in ways:
        for name, member in shape.members.items():
            if name not in {*OURS, "name"}:
                paths.setdefault(str(name).lower(), f"{path}{name}")
            if member.type_name == "structure":
                ways.append((member, f"{path}{name}."))
            elif name == "containerOverrides":
                ways.append((member.member, f"{path}{name}[]."))
    return paths
