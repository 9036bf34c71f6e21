"""Starts, watches and stops the demo's processes, each in its own process group."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from ecs_async_executor.demo.environment import A_USERS_SHELL
from ecs_async_executor.errors import EcsAsyncError

_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


class ComponentFailedError(EcsAsyncError):
    """A component did not start, or died. The message names it and ends with its last log lines."""


class Component:
    """A process that writes its output to a file."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        *,
        ends: bool = False,
    ) -> None:
        """Take a command that runs until it is stopped, or that `ends` by itself."""
        self.name = name
        self._ends = ends
        self.log = log
        self._command = tuple(command)
        self._environment = dict(environment)
        self._process: subprocess.Popen[bytes] | None = None

    def __repr__(self) -> str:
        """Show the name and exit code, never the environment: it contains secrets."""
        return f"<Component {self.name!r} exit_code={self.exit_code}>"

    def start(self) -> None:
        """Start the process and append its output to its log."""
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603  the demo's own command line
                self._command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # its own group: Ctrl-C reaches only us, and we stop them in order
            )

    @property
    def exit_code(self) -> int | None:
        """The exit code; None while the process runs or before it starts."""
        return None if self._process is None else self._process.poll()

    @property
    def is_running(self) -> bool:
        """Whether the process has started and not ended."""
        return self._process is not None and self._process.poll() is None

    def check(self) -> None:
        """Raise ComponentFailedError if the process has died."""
        exit_code = self.exit_code
        if exit_code is not None and not (self._ends and exit_code == 0):
            raise self.failure(f"died with exit code {exit_code}")

    def failure(self, what: str) -> ComponentFailedError:
        """Return an error that says what happened, with the last log lines."""
        return ComponentFailedError(f"The {self.name} {what}. Its last log lines:\n{self.tail()}")

    def tail(self, lines: int = 15) -> str:
        """Return the last lines of the log."""
        if not self.log.exists():
            return "(no output)"
        text = self.log.read_text(encoding="utf-8", errors="replace")
        return "\n".join(text.splitlines()[-lines:]) or "(no output)"

    def signal_group(self, number: signal.Signals) -> None:
        """Send a signal to the whole process group; do nothing if the group is gone."""
        if self._process is not None:
            with suppress(ProcessLookupError, PermissionError):  # macOS answers EPERM for a group of zombies
                os.killpg(self._process.pid, number)

    def family(self) -> set[psutil.Process]:
        """Return the living descendants, in whatever group or session."""
        if self._process is None:
            return set()
        with suppress(psutil.Error):
            return set(psutil.Process(self._process.pid).children(recursive=True))
        return set()

    def reap(self) -> None:
        """Wait for the process after a SIGKILL, so that it leaves no zombie."""
        if self._process is not None:
            self._process.wait()


def stop_all(components: Sequence[Component], grace: float) -> None:
    """Send SIGTERM to every group, wait up to `grace` seconds for all of them, then send SIGKILL to the rest.

    Task processes have their own process groups and outlive a killed container, so this kills descendants too.
    """
    relatives: set[psutil.Process] = set()
    for component in components:
        relatives |= component.family()
        component.signal_group(signal.SIGTERM)
    deadline = time.monotonic() + grace
    while any(component.is_running for component in components) and time.monotonic() < deadline:
        for component in components:
            relatives |= component.family()
        time.sleep(0.05)
    for component in components:
        component.signal_group(signal.SIGKILL)
        component.reap()
    _kill(relatives)


def adopt_orphans() -> None:
    """On Linux, become the parent of every descendant whose own parent dies, so that we can find it.

    A task's process renames itself, which erases the environment that would identify it, and has its own process
    group. Once its supervisor is killed, only its parent knows it.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def kill_leftovers(home: Path, spare: Collection[psutil.Process] = ()) -> None:
    """Kill all our descendants except `spare`, and every process whose AIRFLOW_HOME is in `home`.

    Not what a user runs in a shell that has read the demo's `env.sh`: an editor, or another scheduler.
    """
    descendants = set(psutil.Process().children(recursive=True))
    _kill({process for process in descendants if process not in spare})
    _kill({process for process in psutil.process_iter() if _lives_in(process, home)})


def _lives_in(process: psutil.Process, home: Path) -> bool:
    with suppress(psutil.Error, OSError):
        environment = process.environ()
        if A_USERS_SHELL in environment:
            return False
        airflow_home: str = environment.get("AIRFLOW_HOME", "")
        return (airflow_home + "/").startswith(f"{home}/") and bool(process.pid != os.getpid())
    return False


def _kill(processes: Collection[psutil.Process]) -> None:
    """Send SIGKILL. psutil checks that a process id doesn't belong to another process by now."""
    for process in processes:
        with suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(processes, timeout=2.0)
