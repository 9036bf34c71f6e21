from __future__ import annotations

from typing import Any

import pytest

from ecs_async_executor.config.placement import is_fargate, is_open, settled
from ecs_async_executor.errors import InvalidRequestError

NETWORK = {"awsvpcConfiguration": {"subnets": ["s"], "assignPublicIp": "ENABLED"}}
PRIVATE = {"awsvpcConfiguration": {"subnets": ["s"]}}
COMMON = {"platformVersion": "1.4.0", "networkConfiguration": NETWORK}
SPOT, MINE = [{"capacityProvider": "FARGATE_SPOT"}], [{"capacityProvider": "mine"}]


# Where it runs, the cluster's default strategy, and what is sent.
@pytest.mark.parametrize(
    ("where", "default", "sent"),
    [
        ({"launchType": "FARGATE"}, [], {"launchType": "FARGATE", **COMMON}),
        ({"launchType": "FARGATE"}, MINE, {"launchType": "FARGATE", **COMMON}),
        ({"launchType": "EC2"}, [], {"launchType": "EC2", "networkConfiguration": PRIVATE}),
        ({"launchType": "EC2"}, SPOT, {"launchType": "EC2", "networkConfiguration": PRIVATE}),
        (
            {"launchType": "MANAGED_INSTANCES"},
            [],
            {"launchType": "MANAGED_INSTANCES", "networkConfiguration": PRIVATE},
        ),
        ({"launchType": "EXTERNAL"}, [], {"launchType": "EXTERNAL"}),
        ({"capacityProviderStrategy": SPOT}, [], {"capacityProviderStrategy": SPOT, **COMMON}),
        (
            {"capacityProviderStrategy": MINE},
            SPOT,
            {"capacityProviderStrategy": MINE, "networkConfiguration": PRIVATE},
        ),
        ({}, [], {"launchType": "FARGATE", **COMMON}),
        ({"capacityProviderStrategy": []}, [], {"launchType": "FARGATE", **COMMON}),
        ({}, SPOT, COMMON),
        ({}, MINE, {"networkConfiguration": PRIVATE}),
    ],
)
def test_each_place_gets_what_aws_takes_there(
    where: dict[str, Any], default: list[dict[str, Any]], sent: dict[str, Any]
) -> None:
    body = {**COMMON, **where}
    before = repr(body)
    assert settled(body, default) == sent
    assert repr(body) == before


@pytest.mark.parametrize("where", [{"launchType": "EC2"}, {"capacityProviderStrategy": MINE}])
def test_bridge_and_host_networks_need_no_subnets(where: dict[str, Any]) -> None:
    assert settled(where) == where
    assert settled({**where, "networkConfiguration": {}}) == where


@pytest.mark.parametrize("where", [{}, {"launchType": "FARGATE"}, {"capacityProviderStrategy": SPOT}])
def test_fargate_without_a_subnet_is_refused(where: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequestError, match="at least one subnet"):
        settled(where)


def test_a_request_is_open_if_the_clusters_default_decides() -> None:
    assert is_open({"cluster": "c"})
    assert is_open({"capacityProviderStrategy": []})
    assert not is_open({"launchType": "EC2"})
    assert not is_open({"capacityProviderStrategy": MINE})


@pytest.mark.parametrize("strategy", ["mine:1,FARGATE-like", [5], [None], {"a": 1}, MINE])
def test_what_is_no_strategy_is_not_on_fargate(strategy: object) -> None:
    assert not is_fargate("FARGATE", strategy)
