"""The cluster, and the capacity providers of the request."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from ecs_async_executor.doctor.effective import Effective
from ecs_async_executor.doctor.facts import Facts, Kind
from ecs_async_executor.doctor.findings import Finding, error, warning
from ecs_async_executor.doctor.setup import Setup
from ecs_async_executor.ecs_rules import FARGATE_PROVIDERS


def cluster(setup: Setup, each: Effective, facts: Facts) -> Iterator[Finding]:
    """It exists and is ACTIVE."""
    name = each.cluster_name
    if facts.absent(Kind.CLUSTER, name):
        yield error(
            f"ECS has no cluster {name} in {setup.region}.",
            "RunTask fails: ClusterNotFoundException.",
            f"Correct the option `cluster` (aws ecs list-clusters --region {setup.region}), or create it: "
            f"aws ecs create-cluster --region {setup.region} --cluster-name {name.rpartition('/')[2]}",
        )
    found = facts.value(Kind.CLUSTER, name)
    if found and found.get("status") != "ACTIVE":
        yield error(
            f"The cluster {name} is {found.get('status')}, not ACTIVE.",
            "RunTask fails: ClusterNotFoundException.",
            "Create it again, or name another one in the option `cluster`.",
        )


def providers(setup: Setup, each: Effective, facts: Facts) -> Iterator[Finding]:
    """The capacity providers belong to the cluster, and have capacity."""
    if each.cluster is None or each.cluster.get("status") != "ACTIVE":
        return
    known = list(each.cluster.get("capacityProviders") or ())
    cluster_name = each.cluster_name.rpartition("/")[2]
    for name in each.providers:
        # A local ECS names only those of its default strategy, and takes any.
        if name not in known and not (setup.local and not known):
            together = " ".join([*known, name])
            yield error(
                f"The capacity provider {name} doesn't belong to the cluster {cluster_name}, which has "
                f"{', '.join(known) or 'none'}.",
                "RunTask fails: InvalidParameterException.",
                f"aws ecs put-cluster-capacity-providers --region {setup.region} --cluster {cluster_name} --capacity-providers "
                f"{together} --default-capacity-provider-strategy '{_default(each.cluster)}' (the last is what the cluster has)",
            )
        elif name not in FARGATE_PROVIDERS:
            yield from _of_own(name, each, facts)


def _default(cluster: Mapping[str, Any]) -> str:
    """Return the cluster's default strategy, which the call would replace."""
    return json.dumps([dict(item) for item in cluster.get("defaultCapacityProviderStrategy") or ()])


def _of_own(name: str, each: Effective, facts: Facts) -> Iterator[Finding]:
    provider = facts.value(Kind.PROVIDER, name, each.cluster_name)
    if facts.absent(Kind.PROVIDER, name, each.cluster_name):
        yield error(
            f"There is no capacity provider {name}.",
            "RunTask fails: InvalidParameterException.",
            "Correct capacity_provider_strategy: aws ecs describe-capacity-providers",
        )
    if provider and provider.get("status") != "ACTIVE":
        yield error(
            f"The capacity provider {name} is {provider.get('status')}, not ACTIVE.",
            "It starts no tasks.",
            "Name another one in capacity_provider_strategy.",
        )
    group = (provider or {}).get("autoScalingGroupProvider") or {}
    scaling = (group.get("managedScaling") or {}).get("status")
    if group and scaling != "ENABLED" and not (each.cluster or {}).get("registeredContainerInstancesCount"):
        yield error(
            f"The capacity provider {name} doesn't scale (managedScaling is off), and the cluster has no container instance.",
            "Tasks find no place to run.",
            f"aws ecs update-capacity-provider --name {name} --auto-scaling-group-provider managedScaling={{status=ENABLED}}",
        )


def instances(setup: Setup, each: Effective) -> Iterator[Finding]:
    """The launch type EC2 has container instances."""
    count = (each.cluster or {}).get("registeredContainerInstancesCount")
    # A local ECS has none and needs none.
    if each.launch_type in {"EC2", "EXTERNAL"} and count == 0 and not setup.local:
        yield error(
            f"The launch type is {each.launch_type}, and the cluster {each.cluster_name} has no container instance.",
            "RunTask fails until there is one: with a launch type, nothing scales.",
            "Use a capacity provider with managed scaling (option capacity_provider_strategy), start instances, or set "
            "launch_type = FARGATE.",
        )


def idle_providers(_: Setup, each: Effective) -> Iterator[Finding]:
    """Each capacity provider of the strategy may get tasks."""
    weights = {
        item.get("capacityProvider"): item.get("weight", 0)
        for item in each.body.get("capacityProviderStrategy") or ()
    }
    idle = [name for name, weight in weights.items() if not weight and not _has_base(each, str(name))]
    if len(weights) > 1 and idle:
        yield warning(
            f"The capacity provider {', '.join(map(str, idle))} has the weight 0 and no base.",
            "ECS never starts a task on it.",
            "Give it a weight in capacity_provider_strategy, such as FARGATE_SPOT:3,FARGATE:1, or remove it.",
        )


def _has_base(each: Effective, name: str) -> bool:
    items = each.body.get("capacityProviderStrategy") or ()
    return any(item.get("capacityProvider") == name and item.get("base", 0) for item in items)
