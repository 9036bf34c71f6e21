"""An Airflow executor that runs every task as its own Amazon ECS task and never blocks the scheduler.

Importing this package is cheap: it imports the executor, and Airflow with it, only at first use. So the
engine and the local ECS work without Airflow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ecs_async_executor.executor.executor import AsyncEcsExecutor

__version__ = "1.0.0"
__all__ = ["AsyncEcsExecutor", "__version__"]


def __getattr__(name: str) -> object:
    if name == "AsyncEcsExecutor":
        from ecs_async_executor.executor.executor import AsyncEcsExecutor  # noqa: PLC0415  keeps Airflow lazy

        return AsyncEcsExecutor
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
