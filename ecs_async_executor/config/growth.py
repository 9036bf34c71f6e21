"""The sizes of a profile that grows: its `memory` is a list, each item for a task that was killed at the one before. Pure.

The list stands where a single size would: at the top, for the Airflow container, or in `overrides`, for the ECS task. On
Fargate the size of the ECS task is what counts and what is paid, so there a list at the top is the task's too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from ecs_async_executor.config.folding import fold
from ecs_async_executor.task_sizes import FARGATE, cpu_units, mebibytes

_LARGEST = 2**31
"""Sizes are Integers in ECS's API (API reference: ContainerOverride)."""


@dataclass(frozen=True, slots=True)
class Size:
    """One size of a profile."""

    memory: int
    """MiB."""
    layer: Mapping[Any, Any]
    """The profile's members of RunTask, with this size alone."""


@dataclass(frozen=True, slots=True)
class _Place:
    """The top of a profile, or its `overrides`: the sizes in it, and what else it has."""

    sizes: Mapping[str, Any]
    rest: Mapping[Any, Any]

    @classmethod
    def of(cls, value: Mapping[Any, Any]) -> _Place:
        named = {key: name for key in value for name in ("cpu", "memory") if fold(key) == name}
        sizes: dict[str, Any] = {name: value[key] for key, name in named.items()}
        return cls(sizes, {key: item for key, item in value.items() if key not in named})

    def grows(self, name: str) -> bool:
        return isinstance(self.sizes.get(name), (list, tuple))


def grows(layer: Mapping[Any, Any]) -> bool:
    """Return whether a profile's members of RunTask have a list where ECS takes one size."""
    return any(place.grows(name) for place in _places(layer) for name in place.sizes)


def without_sizes(layer: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return the members of RunTask without their sizes: they are checked by themselves."""
    top, overrides = _places(layer)
    key = _overrides_key(top.rest)
    return {**top.rest, key: overrides.rest} if key in top.rest else dict(top.rest)


def sizes(layer: Mapping[Any, Any], problems: list[str], *, on_fargate: bool) -> list[Size]:
    """Return the sizes of members that grow, the smallest first; empty if there are `problems`, which are added."""
    top, overrides = _places(layer)
    at_top = top.grows("memory")
    place, other = (top, overrides) if at_top else (overrides, top)
    if not place.grows("memory"):
        problems.append("cpu: it can be a list only if `memory` is one too.")
        return []
    if other.grows("memory") or other.grows("cpu") or (at_top and on_fargate and other.sizes):
        problems.append("memory: write the sizes in one place: cpu and memory at the top, or in overrides.")
        return []
    memory = _memory(place.sizes["memory"], problems)
    cpu = place.sizes.get("cpu")
    if memory and isinstance(cpu, (list, tuple)) and len(cpu) != len(memory):
        problems.append(
            f"cpu: the list has a different length ({len(cpu)}) from that of memory ({len(memory)}): write one for each size, or a single number."
        )
        return []
    of_task = not at_top or on_fargate
    found = []
    for index, size in enumerate(memory):
        pair = {"memory": size} if cpu is None else {"memory": size, "cpu": _item(cpu, index)}
        found.append(Size(size, _laid(layer, top, overrides, pair, of_task=of_task)))
    return found


def sets_memory(executor_config: object) -> bool:
    """Return whether a task's executor_config sets the memory of its ECS task or of a container, which no profile changes."""
    if not isinstance(executor_config, Mapping):
        return False
    top, overrides = _places(executor_config)
    containers = [item for key, item in overrides.rest.items() if fold(key) == "containeroverrides"]
    items = [item for found in containers if isinstance(found, (list, tuple)) for item in found]
    return any("memory" in place.sizes for place in (top, overrides)) or any(
        "memory" in _Place.of(item).sizes for item in items if isinstance(item, Mapping)
    )


def misfit(cpu: str | None, memory: int) -> str | None:
    """Say why Fargate has no ECS task of this size; None if it has one. `memory` is in MiB."""
    fitting = [units for units, sizes in FARGATE.items() if memory in sizes]
    if not fitting:
        known = sorted(set[int]().union(*FARGATE.values()))
        nearest = [
            *[each for each in known if each < memory][-1:],
            *[each for each in known if each > memory][:1],
        ]
        return f"memory: Fargate has no {memory} MiB; nearest are {' and '.join(map(str, nearest))}."
    units = cpu_units(cpu) if cpu is not None else None
    if units in fitting:
        return None
    takes = f"CPU units for {memory} MiB: {', '.join(map(str, fitting))}"
    if cpu is None:
        return f"memory: Fargate knows sizes only as pairs, so write `cpu` beside it. Its {takes}."
    return f"memory: Fargate has no {memory} MiB with this cpu. Its {takes}."


def _places(layer: Mapping[Any, Any]) -> tuple[_Place, _Place]:
    overrides = layer.get(_overrides_key(layer))
    return _Place.of(layer), _Place.of(overrides if isinstance(overrides, Mapping) else {})


def _overrides_key(layer: Mapping[Any, Any]) -> Any:
    return next((key for key in layer if fold(key) == "overrides"), "overrides")


def _item(sizes: Any, index: int) -> Any:
    return sizes[index] if isinstance(sizes, (list, tuple)) else sizes


def _memory(items: Sequence[Any], problems: list[str]) -> list[int]:
    """Return the sizes in MiB; empty if they are wrong."""
    found = [None if isinstance(item, (bool, float)) else mebibytes(str(item)) for item in items]
    wrong = [number for number, size in enumerate(found, start=1) if size is None or size >= _LARGEST]
    known = [size for size in found if size is not None]
    if wrong:
        problems.append(
            f"memory: item {wrong[0]} is not a size: write MiB, such as 2048, or GB, such as '2 GB'."
        )
    elif len(known) < 2:
        problems.append("memory: a list needs two sizes or more; write a single one as a number.")
    elif any(one >= other for one, other in pairwise(known)):
        problems.append("memory: each size must be larger than the one before.")
    else:
        return known
    return []


def _laid(
    layer: Mapping[Any, Any], top: _Place, overrides: _Place, pair: Mapping[str, Any], *, of_task: bool
) -> dict[Any, Any]:
    """Return the members with this pair of sizes in place of the lists."""
    key = _overrides_key(layer)
    if not of_task:
        own = {key: layer[key]} if key in layer else {}
        return {**top.rest, **own, **pair}
    of_container = {} if top.grows("memory") else top.sizes
    return {**top.rest, **of_container, key: {**overrides.rest, **pair}}
