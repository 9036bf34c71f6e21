from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import anyio
import pytest

from ecs_async_executor.engine.calls import Calls
from ecs_async_executor.engine.ecs import EcsClient
from ecs_async_executor.engine.gate import Gate
from ecs_async_executor.engine.governor import Governor
from ecs_async_executor.engine.options import EngineOptions
from tests.support.engine import FakeClient, Reports


@pytest.fixture
def client() -> FakeClient:
    return FakeClient()


@pytest.fixture
def reports() -> Reports:
    return Reports()


@pytest.fixture
def make_calls(client: FakeClient, reports: Reports) -> Callable[[EngineOptions], Calls]:
    """Call it inside the loop. Its jitter takes nothing off the waits."""

    def make(options: EngineOptions) -> Calls:
        governor = Governor(options, anyio.current_time())
        return Calls(cast("EcsClient", cast("Any", client)), governor, Gate(lambda: 1.0), reports)

    return make
