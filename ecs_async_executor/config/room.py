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
_WHERE = ("cluster", "launchType", "capacityProviderStrategy", "overrides")
DECISIVE = frozenset(fold(each) for each in (*_OF_CONTAINER, *_OF_TASK, *_OF_REQUEST, *_WHERE))
"""The members of an executor_config that may change the room, as `fold` spells them."""


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
    overrides = body.get("overrides") or {}
    for name in _OF_TASK:
        if name in overrides:
            yield name, overrides[name]
    for container in overrides.get("containerOverrides") or ():
        for name in _OF_CONTAINER:
            if name in container:
                yield f"{container.get('name')}.{name}", container[name]
