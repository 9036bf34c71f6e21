from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

import anyio
import pytest

from ecs_async_executor.engine.admission.calls import Calls
from ecs_async_executor.engine.admission.circuit_breaker import CircuitBreaker
from ecs_async_executor.engine.admission.rate_limits import RateLimits
from ecs_async_executor.engine.aws.ecs import EcsClient
from ecs_async_executor.engine.aws.s3 import S3Client
from ecs_async_executor.engine.measuring.launches import Launches
from ecs_async_executor.engine.options import EngineOptions
from ecs_async_executor.engine.state.ledger import Ledger
from ecs_async_executor.engine.workers.launcher import Launcher
from ecs_async_executor.engine.workers.recovery import TaskSearch
from ecs_async_executor.engine.workers.requests import Requests
from ecs_async_executor.engine.workers.steps import Steps
from ecs_async_executor.engine.workers.uploader import Uploader
from ecs_async_executor.log_digest import LogDigest
from tests.support.engine import FakeClient, FakeS3, Reports, options, order

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
def client() -> FakeClient:
    return FakeClient()


@pytest.fixture
def s3() -> FakeS3:
    return FakeS3()


@pytest.fixture
def reports() -> Reports:
    return Reports()


@pytest.fixture
def make_calls(client: FakeClient, reports: Reports) -> Callable[[EngineOptions], Calls]:
    """Call it inside the loop. Its jitter shortens no waits."""

    def make(options: EngineOptions) -> Calls:
        rate_limits = RateLimits(options, anyio.current_time())
        ecs, digest = cast("EcsClient", cast("Any", client)), LogDigest(logging.getLogger("engine").log)
        return Calls(ecs, rate_limits, CircuitBreaker(lambda: 1.0), reports, digest, backlog=lambda: 43)

    return make


class Launching:
    """A running launcher and uploader, and their ledger."""

    def __init__(self, launcher: Launcher, uploader: Uploader, ledger: Ledger) -> None:
        self.launcher = launcher
        self.uploader = uploader
        self.ledger = ledger

    def launch(self, run_id: str, **more: Any) -> None:
        self.ledger.launch(order(run_id, **more), anyio.current_time())
        self.launcher.wake()

    async def idle(self, seconds: float = 1000) -> None:
        await anyio.sleep(seconds)


@pytest.fixture
def launching(make_calls: Callable[[EngineOptions], Calls], s3: FakeS3, reports: Reports) -> Any:
    """Call it with changed options: launcher and uploader run inside its `async with`."""

    @asynccontextmanager
    async def run(**changes: Any) -> AsyncIterator[Launching]:
        chosen = options(**changes)
        ledger = Ledger(chosen, lambda: 1.0)
        calls = make_calls(chosen)
        requests, search = Requests(calls, chosen), TaskSearch(calls, chosen)
        steps = Steps(ledger, reports, calls.digest, Launches(calls.measurements))

        def on_change() -> None:
            launcher.wake()
            uploader.wake()

        launcher = Launcher(
            ledger, calls, requests, search, steps, concurrency=chosen.concurrency, on_change=on_change
        )
        uploader = Uploader(ledger, cast("S3Client", s3), requests, search, steps, on_change=on_change)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(launcher.run, tasks)
            tasks.start_soon(uploader.run, tasks)
            yield Launching(launcher, uploader, ledger)
            tasks.cancel_scope.cancel()

    return run
