from __future__ import annotations

import logging
from typing import Any

import anyio
import pytest

from ecs_async_executor.engine.diagnosis.call_failures import CallError
from ecs_async_executor.engine.workers.default_strategies import DefaultStrategies
from tests.support.engine import FakeClient, error, options

pytestmark = pytest.mark.virtual_time
SPOT = [{"capacityProvider": "FARGATE_SPOT"}]


async def test_a_cluster_is_asked_once_however_many_want_to_know(make_calls: Any, client: FakeClient):
    client.latency = 1.0
    client.script["default_strategy"].append(SPOT)
    clusters = DefaultStrategies(make_calls(options()))
    answers: list[object] = []

    async def ask() -> None:
        answers.append(await clusters.default_strategy("one"))

    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(ask)
    assert answers == [SPOT] * 10
    assert client.calls("default_strategy") == ["one"]
    assert await clusters.default_strategy("two") == []


@pytest.mark.parametrize(
    "code", ["AccessDeniedException", "ClusterNotFoundException", "InvalidParameterException"]
)
async def test_a_cluster_that_may_not_be_asked_counts_as_one_without_a_default(
    make_calls: Any, client: FakeClient, caplog: pytest.LogCaptureFixture, code: str
):
    client.script["default_strategy"].append(error(code, operation="DescribeClusters"))
    clusters = DefaultStrategies(make_calls(options()))
    with caplog.at_level(logging.WARNING):
        assert await clusters.default_strategy("one") == ()
        assert await clusters.default_strategy("one") == ()
    (last_waiting_kind,) = caplog.messages
    assert (
        "Set launch_type or capacity_provider_strategy, or allow ecs:DescribeClusters." in last_waiting_kind
    )
    assert client.calls("default_strategy") == ["one"]


@pytest.mark.parametrize(
    "failure", [error("ThrottlingException"), error("ServerException", status=500), TimeoutError()]
)
async def test_after_a_passing_failure_the_cluster_is_asked_again(
    make_calls: Any, client: FakeClient, failure: Exception
):
    client.script["default_strategy"].extend([failure, SPOT])
    clusters = DefaultStrategies(make_calls(options()))
    with pytest.raises(CallError):
        await clusters.default_strategy("one")
    assert await clusters.default_strategy("one") == SPOT
