"""May a standby serve a launch? Only if their requests are the same, apart from the command. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ecs_async_executor.messages import Request

_OVERRIDES = "overrides"
_CONTAINERS = "containerOverrides"


def differences(request: Request, standby: Request) -> tuple[str, ...]:
    """Return the RunTask members, and `image`, in which two requests of one profile differ; the command doesn't count."""
    if request.container != standby.container:
        return ("container_name",)
    names = list(_differing(_without_command(request), _without_command(standby)))
    if request.image != standby.image:
        names.append("image")
    if (request.settle is None) != (standby.settle is None):
        names.append("capacityProviderStrategy")
    return tuple(names)


def _differing(one: Mapping[str, Any], other: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for name in sorted(one.keys() | other.keys()):
        mine, its = one.get(name), other.get(name)
        if mine == its:
            continue
        if name == _OVERRIDES and isinstance(mine, Mapping) and isinstance(its, Mapping):
            yield from _differing(mine, its, f"{_OVERRIDES}.")
        else:
            yield f"{prefix}{name}"


def _without_command(request: Request) -> dict[str, Any]:
    overrides = request.body.get(_OVERRIDES, {})
    containers = [
        {name: value for name, value in each.items() if name != "command"}
        if each.get("name") == request.container
        else each
        for each in overrides.get(_CONTAINERS, ())
    ]
    return {**request.body, _OVERRIDES: {**overrides, _CONTAINERS: containers}}
