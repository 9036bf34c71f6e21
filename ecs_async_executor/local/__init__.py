"""A local ECS: speaks the API's wire protocol and runs tasks as processes, or simulates thousands of them.

`serve` runs it in the caller's event loop, `serve_in_thread` in a thread for synchronous code, `serve_in_process`
in a process that doesn't share this one's GIL. Each is a context manager that yields a `Control`.
It accepts any credentials, because it checks no signatures. It is for tests and laptops, and listens on loopback.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ecs_async_executor.local.options import Options
    from ecs_async_executor.local.serving.background import serve_in_process, serve_in_thread
    from ecs_async_executor.local.serving.control import Control, ControlError
    from ecs_async_executor.local.serving.server import serve

__all__ = ["Control", "ControlError", "Options", "serve", "serve_in_process", "serve_in_thread"]

_HOMES = {
    "Control": "serving.control",
    "ControlError": "serving.control",
    "Options": "options",
    "serve": "serving.server",
    "serve_in_process": "serving.background",
    "serve_in_thread": "serving.background",
}


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
