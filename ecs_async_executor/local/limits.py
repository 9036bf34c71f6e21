"""What ECS refuses in a RunTask request although its types are right.

Numbers: Amazon ECS API Reference, "RunTask", and Developer Guide, "Amazon ECS service quotas".
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from ecs_async_executor.local.protocol import invalid

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAX_OVERRIDES = 8192
MAX_COUNT = 10
MAX_TAGS = 50
MAX_SUBNETS = 16
MAX_SECURITY_GROUPS = 5
MAX_PROVIDERS = 20
STARTED_BY = re.compile(r"[A-Za-z0-9/_-]{0,128}")
CLIENT_TOKEN = re.compile(r"[\x21-\x7e]{0,64}")


def check_run_task(params: Mapping[str, Any]) -> None:
    """Check what needs no look-up.

    Raises:
        AwsError: InvalidParameterException.
    """
    for problem in _problems(params):
        raise invalid(problem)


def _problems(params: Mapping[str, Any]) -> Iterator[str]:
    if not 1 <= params.get("count", 1) <= MAX_COUNT:
        yield f"Count must be between 1 and {MAX_COUNT}."
    if not STARTED_BY.fullmatch(params.get("startedBy", "")):
        yield "startedBy must have at most 128 letters, numbers, hyphens, forward slashes and underscores."
    if not CLIENT_TOKEN.fullmatch(params.get("clientToken", "")):
        yield "clientToken must have at most 64 printable ASCII characters."
    if len(compact(params.get("overrides", {}))) > MAX_OVERRIDES:
        yield f"Container Overrides length must be at most {MAX_OVERRIDES}"
    if params.get("propagateTags") == "SERVICE":
        yield "propagateTags SERVICE is not valid for RunTask."
    yield from tag_problems(params.get("tags", []))
    yield from _placement_problems(params)


def tag_problems(tags: list[dict[str, str]]) -> Iterator[str]:
    """Yield what is wrong with a resource's tags."""
    if len(tags) > MAX_TAGS:
        yield f"A resource can have at most {MAX_TAGS} tags."
    for tag in tags:
        key = tag.get("key", "")
        if not 1 <= len(key) <= 128 or len(tag.get("value", "")) > 256:
            yield "A tag's key has 1 to 128 characters and its value at most 256."
        if key.lower().startswith("aws:"):
            yield "Tag keys must not start with aws:."


def _placement_problems(params: Mapping[str, Any]) -> Iterator[str]:
    strategy = params.get("capacityProviderStrategy", [])
    if strategy and params.get("launchType"):
        yield "Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again."
    if len(strategy) > MAX_PROVIDERS:
        yield f"A capacity provider strategy can have at most {MAX_PROVIDERS} items."
    if strategy and not any(item.get("weight", 0) for item in strategy):
        yield "At least one capacity provider in the strategy must have a weight greater than 0."
    network = params.get("networkConfiguration", {}).get("awsvpcConfiguration", {})
    if len(network.get("subnets", [])) > MAX_SUBNETS:
        yield f"subnets can have at most {MAX_SUBNETS} items."
    if len(network.get("securityGroups", [])) > MAX_SECURITY_GROUPS:
        yield f"securityGroups can have at most {MAX_SECURITY_GROUPS} items."


def compact(document: Any) -> str:
    """Return JSON without spaces, as AWS counts it."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)
