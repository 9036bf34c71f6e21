"""One local ECS per module, engines on it, and a watch for calls that block an engine's loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import blockbuster.blockbuster
import pytest
from blockbuster import BlockBuster

from ecs_async_executor.engine import gate, governor, ledger, stopper
from ecs_async_executor.engine.backoff import backoff
from ecs_async_executor.local import Control, Options, serve_in_thread
from tests.support.live_engine import LiveEngine, connect_to

# Where an engine's loop may block, and why.
MAY_BLOCK = (
    # botocore reads its service models from disk, once a client.
    ("aiobotocore/session.py", {"_create_client", "create_client"}),
    # Warnings are written to wherever logging is sent.
    ("logging/__init__.py", {"emit"}),
    # The loop starts a worker thread for `connect` and waits until it is up.
    ("anyio/_backends/_asyncio.py", {"run_sync_in_worker_thread"}),
)


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
    """Make every back-off of the engine twenty times shorter."""

    def shorter(attempt: int, *, base: float, cap: float, random: Callable[[], float]) -> float:
        return backoff(attempt, base=base / 20, cap=cap / 20, random=random)

    for module in (gate, governor, ledger, stopper):
        monkeypatch.setattr(module, "backoff", shorter)


@pytest.fixture
def unblocked(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fail the test if anything blocked in an engine's loop; the engine itself may survive the error."""
    blocked: list[str] = []

    class BlockingError(blockbuster.blockbuster.BlockingError):
        def __init__(self, function: str) -> None:
            super().__init__(function)
            blocked.append(function)

    monkeypatch.setattr(blockbuster.blockbuster, "BlockingError", BlockingError)
    buster = BlockBuster(["ecs_async_executor.engine"])
    for function in buster.functions.values():
        for filename, names in MAY_BLOCK:
            function.can_block_in(filename, names)
    buster.activate()
    yield
    buster.deactivate()
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
