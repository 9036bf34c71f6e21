"""Tells which layer each value of a request comes from, with secrets masked: for `ecs-async config`. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ecs_async_executor.config.layers import Layer, leaves, normalise_layer

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
    """Give every value of a request and the uppermost layer that sets it, in the order of the layers.

    `rest` names who has set what no layer has.
    """
    origin: dict[str, str] = {}
    order = [rest]
    for layer in layers:
        order.append(layer.name)
        for part in normalise_layer(layer.value, container, []):
            origin |= dict.fromkeys(leaves(part), layer.name)
    lines = [
        Line(path, _masked(path, value), origin.get(path, rest)) for path, value in leaves(dict(body)).items()
    ]
    return sorted(lines, key=lambda line: (order.index(line.layer), line.path))


def masked(body: Any) -> Any:
    """Give a copy of a request that may be shown."""
    if isinstance(body, dict):
        pair = body.get("name", body.get("key")) if "value" in body else None
        if pair is not None:
            kind = f"tags[{pair}]" if "key" in body else f".environment[{pair}]"
            return {**body, "value": _masked(kind, body["value"])}
        return {key: masked(item) for key, item in body.items()}
    return [masked(item) for item in body] if isinstance(body, list) else body


def _masked(path: str, value: Any) -> Any:
    match = _NAMED.search(path)
    if match is None or not isinstance(value, str):
        return value
    looks_secret = _SECRET.search(match["variable"] or match["tag"] or "") or _URL_PASSWORD.search(value)
    return MASK if looks_secret else value
