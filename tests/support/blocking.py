"""Notices calls that block an engine's loop."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import blockbuster.blockbuster
from blockbuster import BlockBuster

# Where an engine's loop may block, and why.
MAY_BLOCK = (
    # botocore reads its service models from disk, once a client.
    ("aiobotocore/session.py", {"_create_client", "create_client"}),
    # Warnings are written to wherever logging is sent.
    ("logging/__init__.py", {"emit"}),
    # The loop starts a worker thread for `connect` and waits until it is up.
    ("anyio/_backends/_asyncio.py", {"run_sync_in_worker_thread"}),
)


@contextmanager
def blocked_calls() -> Iterator[list[str]]:
    """Raise in whatever blocks a loop with the engine on its stack, and give the list of those calls."""
    blocked: list[str] = []

    class BlockingError(blockbuster.blockbuster.BlockingError):
        def __init__(self, function: str) -> None:
            super().__init__(function)
            blocked.append(function)

    buster = BlockBuster(["ecs_async_executor.engine"])
    for function in buster.functions.values():
        for filename, names in MAY_BLOCK:
            function.can_block_in(filename, names)
    with patch.object(blockbuster.blockbuster, "BlockingError", BlockingError):
        buster.activate()
        try:
            yield blocked
        finally:
            buster.deactivate()
