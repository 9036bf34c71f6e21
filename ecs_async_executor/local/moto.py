"""Runs moto's CloudWatch Logs and S3 in a separate process, because importing moto would patch botocore in this one."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import sys
import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from ecs_async_executor.errors import ConfigurationError, EcsAsyncError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable
    from typing import Any

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


class OnePutAtATime:
    """Makes conditional writes to S3 atomic: moto looks whether the key exists, and writes in a second step."""

    def __init__(self, app: Callable[[Any, Any], Iterable[bytes]]) -> None:
        self._app = app
        self._lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request, by WSGI."""
        if environ["REQUEST_METHOD"] != "PUT":
            return self._app(environ, start_response)
        with self._lock:
            return self._app(environ, start_response)


def main() -> None:
    """Serve on the port in the first argument, or a free one, until standard input closes."""
    # Imported in the child process only.
    from moto.moto_server.werkzeug_app import (  # noqa: PLC0415  as above
        DomainDispatcherApplication,
        MotoRequestHandler,
        create_backend_app,
    )
    from werkzeug.serving import make_server  # noqa: PLC0415  as above

    app = OnePutAtATime(DomainDispatcherApplication(create_backend_app))
    port = int(sys.argv[1]) if sys.argv[1:] else 0
    server = make_server(_HOST, port, app, threaded=True, request_handler=MotoRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdout.write(f"http://{_HOST}:{server.server_port}\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main()
