"""Checks that ECS makes on a RunTask request of valid types before it looks up the task definition.

These are the rules of `ecs_rules`, plus some for members that the executor sets (Amazon ECS API Reference, "RunTask").
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from ecs_async_executor.ecs_rules import OVERRIDES, violations
from ecs_async_executor.local.rules.protocol import input_shape, raise_first

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAX_COUNT = 10
MAX_STARTED_BY = 128
# Older editions of the API Reference's "StopTask" give this limit; the current one gives none.
MAX_REASON = 255
STARTED_BY = re.compile(r"[A-Za-z0-9/_-]*")
CLIENT_TOKEN = re.compile(r"[\x21-\x7e]{0,64}")


def check_run_task(params: Mapping[str, Any]) -> None:
    """Check everything that needs no look-up.

    Raises:
        AwsError: InvalidParameterException.
    """
    raise_first(_problems(params))


def _problems(params: Mapping[str, Any]) -> Iterator[str]:
    if not 1 <= params.get("count", 1) <= MAX_COUNT:
        yield f"Count must be between 1 and {MAX_COUNT}."
    if len(params.get("startedBy", "")) > MAX_STARTED_BY:
        yield f"startedBy longer than {MAX_STARTED_BY}."
    if not STARTED_BY.fullmatch(params.get("startedBy", "")):
        yield "startedBy may have letters, numbers, hyphens, forward slashes and underscores."
    if not CLIENT_TOKEN.fullmatch(params.get("clientToken", "")):
        yield "clientToken must have at most 64 printable ASCII characters."
    if len(compact(params.get("overrides", {}))) > OVERRIDES:
        yield f"Container Overrides length must be at most {OVERRIDES}"
    if params.get("capacityProviderStrategy") and params.get("launchType"):
        yield "Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again."
    yield from _broken_rules(params, "RunTask")


def stop_problems(params: Mapping[str, Any]) -> Iterator[str]:
    """Yield problems with a StopTask request."""
    if len(params.get("reason", "")) > MAX_REASON:
        yield f"reason longer than {MAX_REASON}."


def tag_problems(tags: list[dict[str, str]]) -> Iterator[str]:
    """Yield problems with a resource's tags."""
    yield from _broken_rules({"tags": tags}, "TagResource")


def _broken_rules(params: Mapping[str, Any], action: str) -> Iterator[str]:
    for broken in violations(params, input_shape(action)):
        path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in broken.path)
        yield broken.aws or f"{path.removeprefix('.')} {broken.says}."


def compact(document: Any) -> str:
    """Return JSON without spaces, whose characters AWS counts."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)
