"""A container as its own process group: starts it, signals it, waits for its end, leaves nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

# The variable that marks a container's processes, whichever session they move to.
MARK = "ECS_LOCAL_TASK"
# The awslogs driver cuts lines at Docker's 16 KiB.
MAX_LINE = 16 * 1024
_DRAIN_SECONDS = 1.0


class Container(Protocol):
    """What a task needs from a container."""

    def signal(self, number: int) -> None:
        """Send a signal if the container still runs."""

    async def wait(self) -> int:
        """Wait for the end and return the exit code, 128 + n after signal n."""

    async def close(self) -> None:
        """Release the container's resources."""


class IdleContainer:
    """A container without a command, which idles until SIGTERM."""

    def __init__(self) -> None:
        self._exit: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def signal(self, number: int) -> None:
        """End with this signal."""
        if not self._exit.done():
            self._exit.set_result(128 + number)

    async def wait(self) -> int:
        """Wait for a signal."""
        return await asyncio.shield(self._exit)

    async def close(self) -> None:
        """Do nothing."""


class ContainerProcess:
    """A command in its own session, process group and temporary directory."""

    def __init__(self, process: asyncio.subprocess.Process, directory: str, output: _Output | None) -> None:
        self._process = process
        self._directory = directory
        self._output = output
        self._gone = False

    @classmethod
    async def start(
        cls, command: Sequence[str], environment: Mapping[str, str], sink: Callable[[str], None] | None
    ) -> ContainerProcess:
        """Run `command`; pass each line it writes to `sink`, or drop the lines.

        Raises:
            OSError: There is no such program, or we may not run it.
            ValueError: An argument contains a NUL.
        """
        directory = tempfile.mkdtemp(prefix="ecs-local-")
        output = await _Output.open(sink) if sink is not None else None
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output.write_end if output is not None else asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.STDOUT,
                cwd=directory,
                env={"HOME": directory, **environment},
                start_new_session=True,
            )
        except BaseException:
            shutil.rmtree(directory, ignore_errors=True)
            if output is not None:
                output.close()
            raise
        finally:
            if output is not None:
                os.close(output.write_end)
        return cls(process, directory, output)

    def signal(self, number: int) -> None:
        """Signal the whole process group, unless its id may belong to another group by now."""
        if self._gone:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS: EPERM for a group of zombies
            os.killpg(self._process.pid, number)

    async def wait(self) -> int:
        """Wait for the command, then kill what it left running in its group and session."""
        code = await self._process.wait()
        if not self._gone:
            self.signal(signal.SIGKILL)
            self._gone = True
            await asyncio.to_thread(_end_session, self._process.pid)
        return code if code >= 0 else 128 - code

    async def close(self) -> None:
        """Kill the container, read its last output for at most a second, and remove the directory."""
        self.signal(signal.SIGKILL)
        await self.wait()
        if self._output is not None:
            await self._output.drain(_DRAIN_SECONDS)
        await asyncio.to_thread(shutil.rmtree, self._directory, ignore_errors=True)


class _Output(asyncio.Protocol):
    """The read end of a container's stdout and stderr, cut into lines."""

    def __init__(self, sink: Callable[[str], None], write_end: int) -> None:
        self.write_end = write_end
        self._sink = sink
        self._rest = b""
        self._transport: asyncio.BaseTransport | None = None
        self._ended = asyncio.Event()

    @classmethod
    async def open(cls, sink: Callable[[str], None]) -> _Output:
        read_end, write_end = os.pipe()
        output = cls(sink, write_end)
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: output, os.fdopen(read_end, "rb", buffering=0)
        )
        return output

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._emit(line)
        if len(self._rest) >= MAX_LINE:
            self._emit(self._rest)
            self._rest = b""

    def connection_lost(self, _exc: Exception | None) -> None:
        if self._rest:
            self._emit(self._rest)
            self._rest = b""
        self._ended.set()

    async def drain(self, timeout: float) -> None:
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._ended.wait(), timeout)
        self.close()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def _emit(self, line: bytes) -> None:
        for start in range(0, len(line) or 1, MAX_LINE):
            self._sink(line[start : start + MAX_LINE].decode(errors="replace").rstrip("\r"))


def _end_session(session: int) -> None:
    """Kill the rest of a session: Airflow's task process, for example, has its own group.

    Only Linux lists processes under /proc; elsewhere we kill only the group.
    """
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if os.getsid(int(entry.name)) == session:
                os.kill(int(entry.name), signal.SIGKILL)


def sweep(mark: str) -> None:
    """Kill every process whose mark starts with `mark`, even outside its group, as a real container's end would.

    Only Linux shows other processes' environments; elsewhere we kill only the groups.
    """
    needle = f"{MARK}={mark}".encode()
    for entry in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if any(variable.startswith(needle) for variable in entry.read_bytes().split(b"\0")):
                os.kill(int(entry.parent.name), signal.SIGKILL)
