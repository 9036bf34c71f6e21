from __future__ import annotations

import pytest

from ecs_async_executor.errors import ConfigurationError
from ecs_async_executor.local.conditions.buckets import Buckets, TokenBucket, needs_of


def test_a_bucket_gives_its_burst_and_then_its_rate() -> None:
    bucket = TokenBucket(burst=3, rate=2, tokens=3, at=0)
    bucket.take(3, 0)
    assert bucket.available(0) == 0
    assert bucket.available(1) == 2
    assert bucket.available(99) == 3


def test_a_call_that_is_refused_spends_nothing() -> None:
    buckets = Buckets({"fargate_run_task_calls": [1, 1]}, 0)
    run_task = needs_of("RunTask", "FARGATE")
    assert buckets.admit(run_task, 0)
    assert not buckets.admit(run_task, 0)
    assert sum(buckets.admit(needs_of("StopTask"), 0) for _ in range(200)) == 99


def test_describe_and_list_share_the_read_bucket_of_100() -> None:
    buckets = Buckets({}, 0)
    needs = needs_of("DescribeTasks") + needs_of("ListTasks")
    assert sum(buckets.admit(needs[:1], 0) + buckets.admit(needs[1:], 0) for _ in range(200)) == 100


@pytest.mark.parametrize(
    ("action", "provider", "count", "needs"),
    [
        ("RunTask", "EC2", 1, [("cluster_resource_modify", 1)]),
        (
            "RunTask",
            "FARGATE",
            3,
            [("cluster_resource_modify", 1), ("fargate_run_task_calls", 1), ("fargate_on_demand_tasks", 3)],
        ),
        (
            "RunTask",
            "FARGATE_SPOT",
            1,
            [("cluster_resource_modify", 1), ("fargate_run_task_calls", 1), ("fargate_spot_tasks", 1)],
        ),
        ("RegisterTaskDefinition", "", 1, [("task_definition_modify", 1)]),
    ],
)
def test_a_call_costs_what_aws_says(
    action: str, provider: str, count: int, needs: list[tuple[str, float]]
) -> None:
    assert needs_of(action, provider, count) == needs


@pytest.mark.parametrize("rates", [{"nope": [1, 1]}, {"tag_modify": [1]}, {"tag_modify": [0, 1]}])
def test_wrong_rates_are_configuration_errors(rates: dict[str, list[float]]) -> None:
    with pytest.raises(ConfigurationError, match="throttling"):
        Buckets(rates, 0)
