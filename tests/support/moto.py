"""AWS by moto, in a process of its own: importing moto would patch botocore in this one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def serve_moto(module: str = "ecs_async_executor.local.moto") -> Iterator[str]:
    """Serve it, and give its URL; `tests.support.moto_stack_server` can deploy the template."""
    with subprocess.Popen(
        [sys.executable, "-m", module],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip()
        finally:
            server.stdin.close()
