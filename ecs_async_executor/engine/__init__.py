"""The engine: launches, watches and stops ECS tasks in its own asyncio loop. It knows ECS, not Airflow.

Submit orders (`Launch`, `Watch`, `Stop`) to an `EngineThread`, and drain its reports; `messages.py` defines them all.
See examples/engine_only.py.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ecs_async_executor.engine.aws.client import Connection, connect_by_environment
    from ecs_async_executor.engine.options import EngineOptions, Rate
    from ecs_async_executor.engine.thread import EngineThread

__all__ = ["Connection", "EngineOptions", "EngineThread", "Rate", "connect_by_environment"]

# Loaded on first use: whoever only needs the options must not load aiobotocore.
_HOMES = {
    "Connection": "aws.client",
    "EngineOptions": "options",
    "EngineThread": "thread",
    "Rate": "options",
    "connect_by_environment": "aws.client",
}


def __getattr__(name: str) -> Any:
    """Load a public name."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
