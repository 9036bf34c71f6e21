"""Traces each value of a request to its layer, for `ecs-async config` and for diagnoses of what ECS rejects. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ecs_async_executor.config.layers import Layer, leaves, normalise_layer
from ecs_async_executor.config.option_layers import OF_AIRFLOW
from ecs_async_executor.config.reading import origin
from ecs_async_executor.config.sources import Found
from ecs_async_executor.config.task_tags import TagTemplate

MASK = "***"
_SECRET = re.compile(
    r"SECRET|PASSW|PWD|TOKEN|KEY|CREDENTIAL|CONN|DSN|AUTH|PRIVATE|SIGNATURE|WEBHOOK", re.IGNORECASE
)
_URL_PASSWORD = re.compile(r"://[^/\s]*@")
_NAMED = re.compile(r"\.environment\[(?P<variable>.*)\]$|^tags\[(?P<tag>.*)\]$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Line:
    """One value of a request."""

    path: str
    value: Any
    layer: str


def explain(body: Mapping[str, Any], layers: Iterable[Layer], container: str, rest: str) -> list[Line]:
    """Return every value of a request with the highest layer that sets it, in the order of the layers.

    Values that no layer sets are attributed to `rest`.
    """
    stack = [*layers]
    origins = _origins(stack, container)
    order = [rest, *(layer.name for layer in stack)]
    lines = [
        Line(path, _masked(path, value), origins.get(path, rest))
        for path, value in leaves(dict(body)).items()
    ]
    return sorted(lines, key=lambda line: (order.index(line.layer), line.path))


def origin_of(member: str, layers: Iterable[Layer], container: str, found: Mapping[str, Found]) -> str | None:
    """Say where a member of RunTask (a path such as `overrides.cpu`) or anything below it is set; None if nowhere.

    `found` maps options to where they are set.
    """
    names = [
        layer
        for path, layer in _origins(layers, container).items()
        if path == member or path.startswith((f"{member}.", f"{member}["))
    ]
    # The executor itself passes on Airflow's options, so the user has nothing to correct there.
    origins = [_where_set(name, found) for name in dict.fromkeys(names) if name != OF_AIRFLOW]
    return " and ".join(origins) or None


def _origins(layers: Iterable[Layer], container: str) -> dict[str, str]:
    """Map each value's path to the name of the highest layer that sets it."""
    return {
        path: layer.name
        for layer in layers
        for part in normalise_layer(layer.value, container, [])
        for path in leaves(part)
    }


def _where_set(layer: str, found: Mapping[str, Found]) -> str:
    if layer == "executor_config":
        return "this task's executor_config"
    return f"the profile of the {layer}" if layer.startswith("queue ") else origin(layer, found)


def masked(body: Any) -> Any:
    """Return a copy of a request that is safe to show."""
    if isinstance(body, dict):
        pair = body.get("name", body.get("key")) if "value" in body else None
        if pair is not None:
            kind = f"tags[{pair}]" if "key" in body else f".environment[{pair}]"
            return {**body, "value": _masked(kind, body["value"])}
        return {key: masked(item) for key, item in body.items()}
    return [masked(item) for item in body] if isinstance(body, list) else body


def _masked(path: str, value: Any) -> Any:
    if isinstance(value, TagTemplate):
        value = value.template
    match = _NAMED.search(path)
    if match is None or not isinstance(value, str):
        return value
    looks_secret = _SECRET.search(match["variable"] or match["tag"] or "") or _URL_PASSWORD.search(value)
    return MASK if looks_secret else value
