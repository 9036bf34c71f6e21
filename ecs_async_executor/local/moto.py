"""CloudWatch Logs, by moto, in a process of its own: importing moto would patch this one's botocore."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from ecs_async_executor.errors import EcsAsyncError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@asynccontextmanager
async def moto_server() -> AsyncIterator[str]:
    """Run a moto server on a free port and yield its URL. It ends with its standard input, so never outlives us.

    Raises:
        EcsAsyncError: moto is not installed, or did not start.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        __name__,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,  # a Ctrl-C is ours to handle
    )
    try:
        url = (await process.stdout.readline()).decode().strip() if process.stdout else ""
        if not url:
            raise EcsAsyncError(
                "CloudWatch Logs did not start: install ecs-async-executor[local], or use --no-logs."
            )
        yield url
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def main() -> None:
    """Serve until standard input ends."""
    from moto.server import ThreadedMotoServer  # noqa: PLC0415  imported in the child process only

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    sys.stdout.write(f"http://{host}:{port}\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main()
