"""Which members of a request decide what room it needs, so that ECS may refuse it and take another. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from ecs_async_executor.config.folding import fold
from ecs_async_executor.messages import Room

_OF_CONTAINER = ("cpu", "memory", "memoryReservation", "resourceRequirements")
_OF_TASK = ("cpu", "memory", "ephemeralStorage", "inferenceAcceleratorOverrides")
_OF_REQUEST = ("taskDefinition", "placementConstraints", "platformVersion")
_WHERE = ("cluster", "launchType", "capacityProviderStrategy", "networkConfiguration")


def _folded(*names: str) -> frozenset[str]:
    return frozenset(map(fold, names))


_CONTAINER = _folded("name", *_OF_CONTAINER)
_OVERRIDES = _folded("containerOverrides", *_OF_TASK)
_TOP = _folded("overrides", *_OF_CONTAINER, *_OF_REQUEST, *_WHERE)


def decisive(executor_config: object) -> dict[Any, Any]:
    """Return the members of an executor_config that may change the room, in whatever spelling; empty if it is wrong."""
    members = _among(executor_config, _TOP)
    return {key: _of_overrides(each) if fold(key) == "overrides" else each for key, each in members.items()}


def _of_overrides(value: Any) -> Any:
    members = _among(value, _OVERRIDES)
    return {
        key: [_among(item, _CONTAINER) for item in each] if fold(key) == "containeroverrides" else each
        for key, each in members.items()
    }


def _among(value: Any, names: frozenset[str]) -> dict[Any, Any]:
    return (
        {key: each for key, each in value.items() if fold(key) in names} if isinstance(value, Mapping) else {}
    )


def room_of(body: Mapping[str, Any]) -> Room:
    """Return what a request needs room for; `body` has RunTask members in AWS's spelling, and may be wrong."""
    strategy = body.get("capacityProviderStrategy") or ()
    providers = sorted({str(each["capacityProvider"]) for each in strategy})
    launch_type = body.get("launchType")
    if not providers and launch_type:
        providers = [str(launch_type)]
    size = json.dumps(dict(_size(body)), sort_keys=True, default=str)
    return Room(str(body.get("cluster", "default")), tuple(providers), size)


def _size(body: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name in _OF_REQUEST:
        if name in body:
            yield name, body[name]
    network = (body.get("networkConfiguration") or {}).get("awsvpcConfiguration") or {}
    if "subnets" in network:
        yield "subnets", sorted(network["subnets"])
    overrides = body.get("overrides") or {}
    for name in _OF_TASK:
        if name in overrides:
            yield name, overrides[name]
    for container in overrides.get("containerOverrides") or ():
        for name in _OF_CONTAINER:
            if name in container:
                yield f"{container.get('name')}.{name}", container[name]
