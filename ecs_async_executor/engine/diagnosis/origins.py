"""Adds to a failure which cluster and Region the call went to, and where the wrong request members were set. Pure."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ecs_async_executor.engine.diagnosis.call_failures import Failure
from ecs_async_executor.messages import Request

log = logging.getLogger(__name__)

_SHOWN = 80
"""Characters of a value to show."""


def located(failure: Failure, cluster: str, region: str, request: Request | None = None) -> Failure:
    """Add the cluster and the Region to the failure, and the wrong members' values and where they are set."""
    if not failure.members:
        return failure
    diagnosis = failure.diagnosis
    where = f"cluster {cluster}, Region {region}" if region else f"cluster {cluster}"
    detail = "; ".join(part for part in (diagnosis.detail, where) if part)
    origins = "; ".join(_origins(failure.members, request)) if request is not None else ""
    remedy = f"{diagnosis.remedy} Where it is set: {origins}." if origins else diagnosis.remedy
    return replace(failure, diagnosis=replace(diagnosis, detail=detail, remedy=remedy))


def _origins(members: tuple[str, ...], request: Request) -> Iterator[str]:
    for member in members:
        value = _value(request.body, member)
        if value is not None and (origin := _origin(request, member)) is not None:
            yield f"{member.rpartition('.')[2]}{_shown(value)} in {origin}"


def _origin(request: Request, member: str) -> str | None:
    """Return where a member was set. If finding out fails, the remedy only loses that sentence."""
    try:
        return request.origin(member) if request.origin is not None else None
    except Exception:
        log.exception("Can't say where %s is set.", member)
        return None


def _value(body: Mapping[str, Any], member: str) -> Any:
    value: Any = body
    for name in member.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _shown(value: Any) -> str:
    """Return text and lists of text for showing, but no structures, which may hold secrets."""
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        value = ", ".join(value)
    return f" {value[:_SHOWN]!r}" if isinstance(value, str) else ""
