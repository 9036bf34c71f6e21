"""AWS's request rate limits: token buckets per account and Region.

Numbers: Amazon ECS API Reference, "Request throttling for the Amazon ECS API", and Amazon ECS Developer
Guide, "AWS Fargate throttling quotas".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ecs_async_executor.errors import ConfigurationError
from ecs_async_executor.local.conditions.match import is_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

# name: (burst, refill per second)
RATES: Mapping[str, tuple[float, float]] = {
    "cluster_resource_modify": (100, 40),
    "cluster_resource_read": (100, 20),
    "cluster_read": (50, 20),
    "task_definition_modify": (20, 1),
    "task_definition_read": (50, 20),
    "tag_modify": (20, 10),
    "fargate_run_task_calls": (20, 20),
    "fargate_on_demand_tasks": (100, 20),
    "fargate_spot_tasks": (100, 20),
}
BUCKET_OF: Mapping[str, str] = {
    "RunTask": "cluster_resource_modify",
    "StopTask": "cluster_resource_modify",
    "DescribeTasks": "cluster_resource_read",
    "ListTasks": "cluster_resource_read",
    "DescribeClusters": "cluster_read",
    "RegisterTaskDefinition": "task_definition_modify",
    "DeregisterTaskDefinition": "task_definition_modify",
    "DescribeTaskDefinition": "task_definition_read",
    "ListTaskDefinitionFamilies": "task_definition_read",
    "TagResource": "tag_modify",
}


@dataclass(slots=True)
class TokenBucket:
    """Holds up to `burst` tokens and refills at `rate` per second; starts full."""

    burst: float
    rate: float
    tokens: float
    at: float

    def available(self, now: float) -> float:
        """Return how many tokens the bucket has at `now`."""
        return min(self.burst, self.tokens + max(0.0, now - self.at) * self.rate)

    def take(self, count: float, now: float) -> None:
        """Take `count` tokens; the caller must have checked `available`."""
        self.tokens, self.at = self.available(now) - count, now


class Buckets:
    """All buckets of one account and Region.

    Raises:
        ConfigurationError: `rates` names an unknown bucket, or a rate is not a pair of positive numbers.
    """

    def __init__(self, rates: Mapping[str, Sequence[float]], now: float) -> None:
        for name, rate in rates.items():
            pair = isinstance(rate, (list, tuple)) and len(rate) == 2 and all(map(is_number, rate))
            if name not in RATES or not pair or min(rate) <= 0:
                raise ConfigurationError(
                    f"throttling {name}: write [burst, per second] for one of {', '.join(sorted(RATES))}."
                )
        self._buckets = {
            name: TokenBucket(burst, rate, burst, now)
            for name, (burst, rate) in {
                **RATES,
                **{name: tuple(rate) for name, rate in rates.items()},
            }.items()
        }

    def admit(self, needs: Iterable[tuple[str, float]], now: float) -> bool:
        """Take all of `needs` (bucket, tokens) and return True, or take nothing and return False."""
        wanted = [(self._buckets[name], count) for name, count in needs]
        if any(bucket.available(now) < count for bucket, count in wanted):
            return False
        for bucket, count in wanted:
            bucket.take(count, now)
        return True


def needs_of(action: str, provider: str = "", count: int = 1) -> list[tuple[str, float]]:
    """Return the cost of a call of `action`; `provider` is RunTask's launch type or capacity provider."""
    needs = [(BUCKET_OF[action], 1.0)] if action in BUCKET_OF else []
    if action == "RunTask" and provider.startswith("FARGATE"):
        tasks = "fargate_spot_tasks" if provider == "FARGATE_SPOT" else "fargate_on_demand_tasks"
        needs += [("fargate_run_task_calls", 1.0), (tasks, float(count))]
    return needs
