from __future__ import annotations

import logging
from typing import Any

import pytest

from ecs_async_executor.engine.workers.default_strategies import DefaultStrategies
from tests.support.engine import FakeClient, error, options

pytestmark = pytest.mark.virtual_time
SPOT = [{"capacityProvider": "FARGATE_SPOT"}]


async def test_a_clusters_answer_is_kept(make_calls: Any, client: FakeClient):
    client.script["default_strategy"].append(SPOT)
    strategies = DefaultStrategies(make_calls(options()), lambda: 1.0)
    assert [await strategies.default_strategy("one") for _ in range(3)] == [SPOT] * 3
    assert client.calls("default_strategy") == ["one"]
    assert await strategies.default_strategy("two") == []


@pytest.mark.parametrize(
    "code", ["AccessDeniedException", "ClusterNotFoundException", "InvalidParameterException"]
)
async def test_a_cluster_that_refuses_to_answer_counts_as_having_no_default(
    make_calls: Any, client: FakeClient, caplog: pytest.LogCaptureFixture, code: str
):
    client.script["default_strategy"].append(error(code, operation="DescribeClusters"))
    strategies = DefaultStrategies(make_calls(options()), lambda: 1.0)
    with caplog.at_level(logging.WARNING):
        assert await strategies.default_strategy("one") == ()
        assert await strategies.default_strategy("one") == ()
    (warning,) = caplog.messages
    assert "Set launch_type or capacity_provider_strategy, or allow ecs:DescribeClusters." in warning
    assert client.calls("default_strategy") == ["one"]


@pytest.mark.parametrize(
    "failure", [error("ThrottlingException"), error("ServerException", status=500), TimeoutError()]
)
async def test_the_cluster_is_asked_again_until_it_answers(
    make_calls: Any, client: FakeClient, failure: Exception
):
    client.script["default_strategy"].extend([failure, SPOT])
    strategies = DefaultStrategies(make_calls(options()), lambda: 1.0)
    assert await strategies.default_strategy("one") == SPOT
