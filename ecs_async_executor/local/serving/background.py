"""Runs a local ECS for synchronous code: in a thread with its own event loop, or in a separate process."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
import threading
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ecs_async_executor.errors import ConfigurationError, EcsAsyncError
from ecs_async_executor.local.options import Options
from ecs_async_executor.local.serving.control import Control
from ecs_async_executor.local.serving.server import serve

if TYPE_CHECKING:
    from collections.abc import Iterator

_STOP_SECONDS = 10


@contextmanager
def serve_in_thread(options: Options | None = None) -> Iterator[Control]:
    """Run a local ECS in a thread.

    Raises:
        ConfigurationError: An option is wrong.
        OSError: The port is in use.
    """
    started: Future[tuple[Control, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def run() -> None:
        stop = asyncio.Event()
        async with serve(options) as control:
            started.set_result((control, asyncio.get_running_loop(), stop))
            await stop.wait()

    def main() -> None:
        try:
            asyncio.run(run())
        except BaseException as error:
            if started.done():
                raise
            started.set_exception(error)

    thread = threading.Thread(target=main, name="local-ecs", daemon=True)
    thread.start()
    control, loop, stop = started.result()
    try:
        yield Control(control.endpoint_url, control.logs_endpoint_url, control.s3_endpoint_url)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()


@contextmanager
def serve_in_process(options: Options | None = None) -> Iterator[Control]:
    """Run a local ECS in a subprocess that ends with this context or this process.

    Raises:
        ConfigurationError: An option is wrong, or the port is in use.
    """
    process = subprocess.Popen(  # noqa: S603  our own module
        [sys.executable, "-m", __name__, (options or Options()).to_json()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,  # the parent handles Ctrl-C, and then closes our standard input
    )
    with process:
        try:
            line = process.stdout.readline() if process.stdout else b""
            hello = json.loads(line or b'{"error": "it ended before it began"}')
            if "error" in hello:
                raise ConfigurationError(f"The local ECS did not start: {hello['error']}")
            yield Control(hello["endpoint_url"], hello["logs_endpoint_url"], hello["s3_endpoint_url"])
        finally:
            if process.stdin:
                process.stdin.close()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


async def _serve_until_stdin_ends(options: Options) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()

    def watch() -> None:
        sys.stdin.read()
        loop.call_soon_threadsafe(ended.set)

    async with serve(options) as control:
        threading.Thread(target=watch, daemon=True).start()
        _say(
            {
                "endpoint_url": control.endpoint_url,
                "logs_endpoint_url": control.logs_endpoint_url,
                "s3_endpoint_url": control.s3_endpoint_url,
            }
        )
        await ended.wait()


def _say(hello: dict[str, str | None]) -> None:
    sys.stdout.write(json.dumps(hello) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Serve with the options in the first argument, and print a line of JSON for the parent once ready."""
    logging.basicConfig(level=logging.WARNING)
    try:
        asyncio.run(_serve_until_stdin_ends(Options.from_json(sys.argv[1])))
    except (EcsAsyncError, OSError) as error:
        _say({"error": str(error)})


if __name__ == "__main__":
    main()
