"""Normalises layers of configuration to AWS's spelling and merges them. Pure.

Lists whose items have names are merged by name, tags by key; `null` removes a key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from ecs_async_executor.config.folding import fold
from ecs_async_executor.config.placement import EXCLUSIVE
from ecs_async_executor.config.spelling import (
    IDENTITY,
    Body,
    container_shape,
    normalise,
    run_task_shape,
    spellings,
)

_AIRFLOWS = {
    "name": "name can't be configured: write other containers in overrides.containerOverrides.",
    "command": "command can't be configured: it is Airflow's.",
}


@dataclass(frozen=True, slots=True)
class Layer:
    """Members of RunTask, or of a container's override, in any spelling."""

    name: str
    """Where the members come from, for `ecs-async config` and messages."""
    value: Mapping[str, Any]
    beside: tuple[str, ...] = ()
    """Other names allowed in the same place, for suggestions; they are not part of the layer."""

    def __repr__(self) -> str:
        """Omit the value: it may contain secrets."""
        return f"Layer({self.name!r})"


def normalise_layer(
    value: Mapping[Any, Any], container: str, problems: list[str], beside: tuple[str, ...] = ()
) -> tuple[Body, ...]:
    """Normalise a layer to AWS's spelling; adds each wrong key to `problems` and drops it.

    Members of a container's override (`cpu`, `environment` ...) at the top level, and overrides without a name, apply to
    the Airflow container. The former are returned first, as a separate body, so that the caller merges the spelled-out
    overrides over them.
    """
    of_container = _short_spellings()
    short = {key: item for key, item in value.items() if fold(key) in of_container}
    rest = {key: item for key, item in value.items() if key not in short} if short else value
    bodies = []
    if short:
        problems += [why for key, why in _AIRFLOWS.items() if any(fold(each) == key for each in short)]
        own = {key: item for key, item in short.items() if fold(key) not in _AIRFLOWS}
        bodies.append(_override(normalise(own, container_shape(), problems)))
    if rest or not short:
        bodies.append(normalise(rest, run_task_shape(), problems, beside=beside))
    for body in bodies:
        _name_containers(body, container)
    return tuple(bodies)


def short_members(value: Mapping[Any, Any]) -> frozenset[str]:
    """Return the members of the Airflow container's override that a layer has at its top level and nowhere else."""
    keys = {fold(key) for key in value}
    known = spellings(container_shape())
    return frozenset(known[key] for key in keys & _short_spellings() if "overrides" not in keys)


def _override(container: Body) -> Body:
    return {"overrides": {"containerOverrides": [container]}}


def _name_containers(body: Body, container: str) -> None:
    overrides = body.get("overrides")
    items = overrides.get("containerOverrides") if isinstance(overrides, dict) else None
    for item in items if isinstance(items, list) else []:
        if isinstance(item, dict) and item.get("name") is None:
            item["name"] = container


def merge(lower: Body, upper: Body, shape: Any = None) -> Body:
    """Merge `upper` over `lower`. Both must be normalised; neither is changed."""
    shape = shape or run_task_shape()
    result = dict(lower)
    for one, other in (EXCLUSIVE, EXCLUSIVE[::-1]):
        if upper.get(one) is not None and upper.get(other) is None:
            result.pop(other, None)
    for key, item in upper.items():
        if item is None:
            result.pop(key, None)
        else:
            result[key] = _merge_value(result.get(key), item, shape.members[key])
    return result


def _merge_value(low: Any, high: Any, shape: Any) -> Any:
    # Merge even if `low` is missing, so that a null inside `high` still means "absent".
    if shape.type_name == "structure" and isinstance(high, dict):
        return merge(low if isinstance(low, dict) else {}, high, shape)
    identity = IDENTITY.get(shape.member.name) if shape.type_name == "list" else None
    if identity is None or not isinstance(high, list):
        return high
    return _merge_by(identity, low if isinstance(low, list) else [], high, shape.member)


def _merge_by(identity: str, low: list[Any], high: list[Any], shape: Any) -> list[Any]:
    result: dict[Any, Any] = {}
    for index, item in enumerate(low):
        result.setdefault(_name_of(item, identity, index), item)
    for index, item in enumerate(high, start=len(low)):
        name = _name_of(item, identity, index)
        if name != index and item.get("value", ...) is None:
            # {"environment": {"A": null}}: null removes the item, just as it removes a key.
            result.pop(name, None)
        elif name in result:
            result[name] = merge(result[name], item, shape)
        else:
            result[name] = _merge_value(None, item, shape)
    return [*result.values()]


def _name_of(item: Any, identity: str, index: int) -> str | int:
    """Return the item's name, or its index if it has none."""
    name = item.get(identity) if isinstance(item, dict) else None
    return name if isinstance(name, str) else index


def leaves(value: Any, shape: Any = None, path: str = "") -> dict[str, Any]:
    """Map the path of each value in a normalised body to the value: `overrides.containerOverrides[airflow].cpu`.

    A list whose items have no names is a single value.
    """
    shape = shape or run_task_shape()
    if shape.type_name == "structure" and isinstance(value, dict):
        found: dict[str, Any] = {}
        for key, item in value.items():
            found |= leaves(item, shape.members[key], f"{path}.{key}" if path else key)
        return found
    identity = IDENTITY.get(shape.member.name) if shape.type_name == "list" else None
    if identity and isinstance(value, list) and all(isinstance(item, dict) for item in value):
        found = {}
        for item in value:
            at, rest = f"{path}[{item.get(identity)}]", {k: v for k, v in item.items() if k != identity}
            found |= {at: rest["value"]} if "value" in rest else leaves(rest, shape.member, at)
        return found
    return {path: value}


@cache
def _short_spellings() -> frozenset[str]:
    return frozenset(spellings(container_shape()).keys() - spellings(run_task_shape()).keys())
