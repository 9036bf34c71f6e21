"""Starting, watching and stopping the demo's processes, each in a process group of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # it ships no types

from ecs_async_executor.errors import EcsAsyncError


class ComponentFailedError(EcsAsyncError):
    """A component did not start, or died. The message names it and ends with its last log lines."""


class Component:
    """A process whose output goes to a file."""

    def __init__(self, name: str, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self.name = name
        self.log = log
        self._command = tuple(command)
        self._environment = dict(environment)
        self._process: subprocess.Popen[bytes] | None = None

    def __repr__(self) -> str:
        """Its name and exit code, never its environment: that holds secrets."""
        return f"<Component {self.name!r} exit_code={self.exit_code}>"

    def start(self, further_environment: Mapping[str, str] | None = None) -> None:
        """Start it; its output is appended to its log."""
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603  the demo's own command line
                self._command,
                env={**self._environment, **(further_environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a group of its own: Ctrl-C reaches only us, and we stop them in order
            )

    @property
    def exit_code(self) -> int | None:
        """Its exit code; None while it runs or before it started."""
        return None if self._process is None else self._process.poll()

    def check(self) -> None:
        """Raise ComponentFailedError if it has died."""
        if self.exit_code is not None:
            raise self.failure(f"died with exit code {self.exit_code}")

    def failure(self, what: str) -> ComponentFailedError:
        """The error that says so, with the last log lines."""
        return ComponentFailedError(f"The {self.name} {what}. Its last log lines:\n{self.tail()}")

    def tail(self, lines: int = 15) -> str:
        """The last lines of its log."""
        if not self.log.exists():
            return "(no output)"
        text = self.log.read_text(encoding="utf-8", errors="replace")
        return "\n".join(text.splitlines()[-lines:]) or "(no output)"

    def signal_group(self, number: signal.Signals) -> None:
        """Send a signal to its whole process group; nothing happens if that is gone."""
        if self._process is not None:
            with suppress(ProcessLookupError, PermissionError):  # macOS answers EPERM for a group of zombies
                os.killpg(self._process.pid, number)

    def wait(self, seconds: float) -> bool:
        """Whether it ended within that many seconds."""
        if self._process is None:
            return True
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True


def stop_all(components: Sequence[Component], grace: float) -> None:
    """SIGTERM to every group at once, up to ``grace`` seconds for all together, then SIGKILL."""
    for component in components:
        component.signal_group(signal.SIGTERM)
    deadline = time.monotonic() + grace
    for component in components:
        component.wait(max(0.0, deadline - time.monotonic()))
    for component in components:
        component.signal_group(signal.SIGKILL)
        component.wait(1.0)


def kill_leftovers(home: Path) -> None:
    """SIGKILL every process whose AIRFLOW_HOME is in ``home``: children that left their parent's group."""
    leftovers = list(_processes_of(home))
    for process in leftovers:
        with suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(leftovers, timeout=2.0)


def _processes_of(home: Path) -> Iterable[psutil.Process]:
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            airflow_home = process.environ().get("AIRFLOW_HOME", "")
            if process.pid != os.getpid() and (airflow_home + "/").startswith(f"{home}/"):
                yield process
