"""Decides where a request runs (launch type or capacity providers) and drops what AWS rejects there. Pure.

A request with neither uses the cluster's default capacity provider strategy. If the cluster has none, AWS would use EC2;
AwsEcsExecutor uses FARGATE, and so do we: the engine looks up the cluster's default before it sends such a request.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from ecs_async_executor.ecs_rules import FARGATE_PROVIDERS
from ecs_async_executor.errors import InvalidRequestError

Strategy: TypeAlias = Sequence[Mapping[str, Any]]
EXCLUSIVE = ("launchType", "capacityProviderStrategy")


def is_open(body: Mapping[str, Any]) -> bool:
    """Tell whether the cluster's default strategy decides where the request runs."""
    return not any(body.get(name) for name in EXCLUSIVE)


def is_fargate(launch_type: object, strategy: object) -> bool:
    """Tell whether tasks start on Fargate. A strategy can't mix Fargate with other providers (Amazon ECS clusters)."""
    if not strategy:
        return str(launch_type).upper() == "FARGATE"
    if isinstance(strategy, str):  # name:weight:base, ..., as users write it in `run_task_kwargs`
        return any(part.split(":")[0].strip().upper() in FARGATE_PROVIDERS for part in strategy.split(","))
    items = strategy if isinstance(strategy, (list, tuple)) else []
    names = {str(each).upper() for item in items if isinstance(item, Mapping) for each in item.values()}
    return not names.isdisjoint(FARGATE_PROVIDERS)


def settled(body: Mapping[str, Any], default_strategy: Strategy = ()) -> dict[str, Any]:
    """Return the request in the form to send; raises `InvalidRequestError`.

    `default_strategy` is the cluster's and only matters for an open request. Settings for Fargate or the network that
    come from lower layers are dropped where AWS rejects them.
    """
    result = dict(body)
    strategy = result.get("capacityProviderStrategy") or result.pop("capacityProviderStrategy", None)
    if is_open(result):
        strategy = default_strategy
        if not strategy:
            result["launchType"] = "FARGATE"
    launch_type = result.get("launchType")
    fargate = is_fargate(launch_type, strategy)
    if not fargate:
        result.pop("platformVersion", None)
    network = _network(result, fargate=fargate) if launch_type != "EXTERNAL" else None
    result.pop("networkConfiguration", None)
    if network:
        result["networkConfiguration"] = {"awsvpcConfiguration": network}
    elif fargate:
        raise InvalidRequestError(
            "Fargate tasks need at least one subnet.",
            "Set the option subnets; or, if the tasks don't run on Fargate, launch_type or capacity_provider_strategy.",
        )
    return result


def _network(body: Mapping[str, Any], *, fargate: bool) -> dict[str, Any]:
    network = dict((body.get("networkConfiguration") or {}).get("awsvpcConfiguration") or {})
    if not fargate:
        network.pop("assignPublicIp", None)
    return network
