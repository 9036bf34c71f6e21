from __future__ import annotations

from typing import Any

import pytest

from ecs_async_executor.config.limits import problems


def network(**members: Any) -> dict[str, Any]:
    return {"networkConfiguration": {"awsvpcConfiguration": members}}


def tags(number: int) -> list[dict[str, str]]:
    return [{"key": f"k{n}", "value": "v"} for n in range(number)]


def providers(*items: tuple[int, int]) -> dict[str, Any]:
    strategy = [{"capacityProvider": "x", "weight": weight, "base": base} for weight, base in items]
    return {"capacityProviderStrategy": strategy}


# At the limit, beyond it, and what is said.
LIMITS: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    (network(subnets=["s"] * 16), network(subnets=["s"] * 17), "17 subnets; ECS takes 16"),
    (network(securityGroups=["g"] * 5), network(securityGroups=["g"] * 6), "6 security groups; ECS takes 5"),
    (
        {"overrides": {"containerOverrides": [{"name": "side", "environment": [{"name": "A"}]}]}},
        {"overrides": {"containerOverrides": [{"name": "side", "environment": [{"value": "1"}]}]}},
        "A variable in the environment of the container 'side' has no name",
    ),
    ({"tags": tags(50)}, {"tags": tags(51)}, "51 tags; ECS takes 50"),
    (
        {"tags": [{"key": "k" * 128, "value": "v" * 256}]},
        {"tags": [{"key": "k" * 129, "value": "v"}]},
        "has 129 characters; ECS takes 1 to 128",
    ),
    ({"tags": [{"key": "k"}]}, {"tags": [{"key": "k", "value": "v" * 257}]}, "257 characters; ECS takes 256"),
    ({"tags": [{"key": "k"}]}, {"tags": [{"value": "v"}]}, "has 0 characters"),
    ({"tags": [{"key": "aws"}]}, {"tags": [{"key": "AWS:x"}]}, "which is AWS's own"),
    ({"placementConstraints": [{}] * 10}, {"placementConstraints": [{}] * 11}, "11 placement constraints"),
    ({"placementStrategy": [{}] * 5}, {"placementStrategy": [{}] * 6}, "6 placement strategies"),
    (providers(*[(1, 0)] * 20), providers(*[(1, 0)] * 21), "21 capacity providers; ECS takes 20"),
    (providers((1000, 0)), providers((1001, 0)), "weight is more than 1000"),
    (providers((1, 100_000)), providers((1, 100_001)), "base is more than 100000"),
    (providers((0, 0)), providers((0, 0), (0, 0)), "All capacity providers have weight 0"),
    (providers((1, 1), (1, 0)), providers((1, 1), (1, 1)), "More than one capacity provider has a base"),
]


@pytest.mark.parametrize(("allowed", "refused", "words"), LIMITS)
def test_a_request_may_reach_each_limit_and_not_exceed_it(
    allowed: dict[str, Any], refused: dict[str, Any], words: str
) -> None:
    assert list(problems(allowed)) == []
    (problem,) = problems(refused)
    assert words in problem


def test_no_value_of_a_tag_is_shown() -> None:
    (problem,) = problems({"tags": [{"key": "k", "value": "their-secret" * 50}]})
    assert "their-secret" not in problem


def test_a_launch_type_that_ecs_does_not_know_is_refused() -> None:
    assert list(problems({"launchType": "EC3"})) == [
        "launchType is 'EC3'; ECS knows EC2, EXTERNAL, FARGATE, MANAGED_INSTANCES."
    ]
    assert list(problems({"launchType": "EXTERNAL"})) == []
