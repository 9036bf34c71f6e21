"""Runs moto's CloudWatch Logs and S3 in a separate process, because importing moto would patch botocore in this one."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from ecs_async_executor.errors import ConfigurationError, EcsAsyncError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_HOST = "127.0.0.1"


@asynccontextmanager
async def moto_server(port: int = 0) -> AsyncIterator[str]:
    """Run a moto server on a port (0: a free one) and yield its URL.

    The server ends when its standard input closes, so it never outlives us.

    Raises:
        ConfigurationError: The port can't be used.
        EcsAsyncError: moto is not installed, or did not start.
    """
    _check_port(port)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        __name__,
        str(port),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,  # this process handles Ctrl-C
    )
    try:
        url = (await process.stdout.readline()).decode().strip() if process.stdout else ""
        if not url:
            raise EcsAsyncError(
                "CloudWatch Logs and S3 did not start. They need the extra `local`: in a clone of the repository, "
                "pip install -c constraints.txt '.[local]'; or use --no-logs --no-s3."
            )
        yield url
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _check_port(port: int) -> None:
    """Check the port first, because moto doesn't report that it can't listen."""
    try:
        socket.create_server((_HOST, port)).close()
    except OSError as error:
        what = "is in use" if error.errno == errno.EADDRINUSE else f"can't be used: {error.strerror}"
        raise ConfigurationError(
            f"port {port} on {_HOST}, for CloudWatch Logs, {what}. Choose another with --logs-port, or 0 for a free one; "
            "or turn logs off with --no-logs."
        ) from None


def main() -> None:
    """Serve on the port in the first argument, or a free one, until standard input closes."""
    from moto.server import ThreadedMotoServer  # noqa: PLC0415  imported in the child process only

    server = ThreadedMotoServer(ip_address=_HOST, port=int(sys.argv[1]) if sys.argv[1:] else 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    sys.stdout.write(f"http://{host}:{port}\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main()
