"""RunTask's limits that botocore does not check (API reference: RunTask, Tag, CapacityProviderStrategyItem). Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

SUBNETS, SECURITY_GROUPS, PROVIDERS, TAGS = 16, 5, 20, 50
LAUNCH_TYPES = ("EC2", "EXTERNAL", "FARGATE", "MANAGED_INSTANCES")
OVERRIDES = 8192
"""Characters of `overrides` as JSON."""
_WEIGHT, _BASE = 1000, 100_000
_TAG_KEY, _TAG_VALUE = 128, 256


def problems(body: Mapping[str, Any]) -> Iterator[str]:
    """Say what AWS would refuse in a request whose types are right."""
    network = body.get("networkConfiguration", {}).get("awsvpcConfiguration", {})
    for items, name, most in (
        (network.get("subnets", ()), "subnets", SUBNETS),
        (network.get("securityGroups", ()), "security groups", SECURITY_GROUPS),
        (body.get("tags", ()), "tags", TAGS),
        (body.get("placementConstraints", ()), "placement constraints", 10),
        (body.get("placementStrategy", ()), "placement strategies", 5),
    ):
        if len(items) > most:
            yield f"There are {len(items)} {name}; ECS takes {most}."
    if (launch_type := body.get("launchType", "EC2")) not in LAUNCH_TYPES:
        yield f"launchType is {str(launch_type)[:40]!r}; ECS knows {', '.join(LAUNCH_TYPES)}."
    for container in body.get("overrides", {}).get("containerOverrides", ()):
        if not all(variable.get("name") for variable in container.get("environment", ())):
            yield f"A variable in the environment of the container {str(container.get('name'))[:40]!r} has no name."
    yield from tag_problems(body.get("tags", ()))
    yield from strategy_problems(body.get("capacityProviderStrategy", ()))


def tag_problems(tags: Any) -> Iterator[str]:
    """Say what is wrong with tags; shows keys, no values."""
    for tag in tags:
        key, value = tag.get("key", ""), tag.get("value", "")
        if not 1 <= len(key) <= _TAG_KEY:
            yield f"The tag key {key[:20]!r} has {len(key)} characters; ECS takes 1 to {_TAG_KEY}."
        if len(value) > _TAG_VALUE:
            yield f"The value of the tag {key[:40]!r} has {len(value)} characters; ECS takes {_TAG_VALUE}."
        if key.lower().startswith("aws:"):
            yield f"The tag key {key[:40]!r} begins with aws:, which is AWS's own."


def strategy_problems(strategy: Any) -> Iterator[str]:
    """Say what is wrong with a capacity provider strategy."""
    if len(strategy) > PROVIDERS:
        yield f"There are {len(strategy)} capacity providers; ECS takes {PROVIDERS}."
    weights = [item.get("weight", 0) for item in strategy]
    bases = [item.get("base", 0) for item in strategy]
    if any(weight > _WEIGHT for weight in weights):
        yield f"A capacity provider's weight is more than {_WEIGHT}."
    if any(base > _BASE for base in bases):
        yield f"A capacity provider's base is more than {_BASE}."
    if len(weights) > 1 and not any(weights):
        yield "All capacity providers have weight 0, and so none can be chosen."
    if sum(base > 0 for base in bases) > 1:
        yield "More than one capacity provider has a base."
