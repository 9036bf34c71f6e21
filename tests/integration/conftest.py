"""One local ECS per module, engines on it, and a watch for calls that block an engine's loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from ecs_async_executor.backoff import backoff
from ecs_async_executor.engine.admission import adaptive_bucket, circuit_breaker
from ecs_async_executor.engine.state import failure_rules
from ecs_async_executor.engine.workers import stopper
from ecs_async_executor.local import Control, Options, serve_in_thread
from tests.support.blocking import blocked_calls
from tests.support.live_engine import LiveEngine, connect_to


@pytest.fixture(scope="module")
def local_ecs() -> Iterator[Control]:
    """A local ECS whose tasks exist on paper only."""
    with serve_in_thread(Options(runtime="simulated", clusters=["other"])) as control:
        yield control


@pytest.fixture
def ecs(local_ecs: Control) -> Control:
    """The module's local ECS, fresh: tasks end after 50 ms with exit code 0."""
    local_ecs.reset()
    local_ecs.set_plan(duration=0.05)
    return local_ecs


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every back-off of the engine twenty times shorter, and what it learns of a throttle."""

    def shorter(attempt: int, *, base: float, cap: float, random: Callable[[], float]) -> float:
        return backoff(attempt, base=base / 20, cap=cap / 20, random=random)

    for module in (circuit_breaker, failure_rules, stopper):
        monkeypatch.setattr(module, "backoff", shorter)
    monkeypatch.setattr(adaptive_bucket, "HOLD", adaptive_bucket.HOLD / 20)
    monkeypatch.setattr(adaptive_bucket, "TRICKLE", adaptive_bucket.TRICKLE * 20)


@pytest.fixture
def unblocked() -> Iterator[None]:
    """Fail the test if anything blocked in an engine's loop; the engine itself may survive the error."""
    with blocked_calls() as blocked:
        yield
    assert blocked == []


@pytest.fixture
def start(ecs: Control, impatient: None, unblocked: None) -> Iterator[Callable[..., LiveEngine]]:
    """Start engines on the local ECS, with these options; all are closed after the test."""
    with ExitStack() as stack:

        def start_one(connect: Any = None, **options: Any) -> LiveEngine:
            return stack.enter_context(LiveEngine(connect or connect_to(ecs.endpoint_url), **options))

        yield start_one


@pytest.fixture
def engine(start: Callable[..., LiveEngine]) -> LiveEngine:
    """An engine on the local ECS, without rates."""
    return start()
