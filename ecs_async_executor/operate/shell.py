"""Starts the Session Manager plugin on ExecuteCommand's session, as `aws ecs execute-command` does."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ecs_async_executor.errors import OperationError
from ecs_async_executor.operate.ecs_task import Container, EcsTask

VARIABLE = "AWS_SSM_START_SESSION_RESPONSE"
"""Where newer plug-ins read the session from: its token would be in `ps` as an argument."""
LAST_WITHOUT_VARIABLE = (1, 2, 497, 0)
"""The last plug-in that takes the session as an argument only (awscli, customizations/ecs/executecommand.py)."""
_KEYS = ("SIGINT", "SIGQUIT", "SIGTSTP")


def run_plugin(plugin: str, session: Mapping[str, Any], target: str, region: str, endpoint: str) -> int:
    """Run the plug-in on this terminal until the session ends; return its exit code."""
    document = {
        "SessionId": session.get("sessionId"),
        "TokenValue": session.get("tokenValue"),
        "StreamUrl": session.get("streamUrl"),
    }
    text, environment = json.dumps(document), dict(os.environ)
    first = text
    if takes_variable(plugin_version(plugin)):
        environment[VARIABLE], first = text, VARIABLE
    request = json.dumps({"Target": target})
    try:
        with _keys_go_to_the_plugin():
            done = subprocess.run(  # noqa: S603  the plug-in found on PATH, without a shell
                [plugin, first, region, "StartSession", "", request, endpoint], check=False, env=environment
            )
    except OSError as error:  # without its arguments, which may hold the token
        raise OperationError(f"{plugin} can't be run: {error.strerror}.") from None
    return done.returncode


def target_of(task: EcsTask, container: Container) -> str:
    """Return the name that Session Manager has for a container."""
    return f"ecs:{task.cluster_arn.rpartition('/')[2]}_{task.task_id}_{container.runtime_id}"


def plugin_version(plugin: str) -> str:
    """Return what the plug-in says its version is; empty if it doesn't."""
    try:
        done = subprocess.run(  # noqa: S603  as above
            [plugin, "--version"], check=False, capture_output=True, text=True, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def takes_variable(version: str) -> bool:
    """Return whether a plug-in of this version reads the session from the environment."""
    parts = version.split(".")
    if not all(part.isdecimal() for part in parts):
        return False
    return tuple(int(part) for part in parts) > LAST_WITHOUT_VARIABLE


@contextmanager
def _keys_go_to_the_plugin() -> Iterator[None]:
    """Let Ctrl-C and the like end what runs in the container, not this process.

    With a handler, not SIG_IGN: the plug-in would inherit that.
    """
    before = {}
    for name in _KEYS:
        number = getattr(signal, name, None)
        if number is not None:
            before[number] = signal.signal(number, lambda *_: None)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
