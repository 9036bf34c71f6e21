"""The engine: launches, watches and stops ECS tasks on an asyncio loop of its own. It knows ECS, not Airflow.

Give it orders (`Launch`, `Watch`, `Stop`), drain its reports; `messages.py` is the whole vocabulary.
"""

from __future__ import annotations

from ecs_async_executor.engine.engine import Engine
from ecs_async_executor.engine.options import EngineOptions
from ecs_async_executor.engine.thread import EngineThread

__all__ = ["Engine", "EngineOptions", "EngineThread"]
