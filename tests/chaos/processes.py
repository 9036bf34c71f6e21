"""The processes that the fork server starts, seen from outside."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil


@dataclass
class Child:
    """A process of the Airflow under test, in a session of its own."""

    name: str
    log: Path
    pid: int = 0
    exit_code: int | None = None
    """None while it runs; -9 after SIGKILL."""
    started: threading.Event = field(default_factory=threading.Event, repr=False)
    ended: threading.Event = field(default_factory=threading.Event, repr=False)

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to this process, and to it alone."""
        if not self.ended.is_set():
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    @property
    def is_frozen(self) -> bool:
        """Whether SIGSTOP holds it."""
        with suppress(psutil.Error):
            return not self.ended.is_set() and psutil.Process(self.pid).status() == psutil.STATUS_STOPPED
        return False

    def leftovers(self) -> list[psutil.Process]:
        """Processes of its session that outlive it; they get a moment to die."""
        deadline = time.monotonic() + 20.0
        while (alive := _session(self.pid)) and time.monotonic() < deadline:
            time.sleep(0.05)
        return alive


def _session(leader: int) -> list[psutil.Process]:
    """The living processes of a session, among our own descendants: nobody else's process is ever looked at."""
    alive = []
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error, OSError):
            if leader and os.getsid(process.pid) == leader and process.status() != psutil.STATUS_ZOMBIE:
                alive.append(process)
    return alive


class ForkServer:
    """The process that forks all others."""

    def __init__(self, environment: Mapping[str, str], logs: Path) -> None:
        self._logs = logs
        self._children: dict[str, Child] = {}
        with (logs / "fork-server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.chaos.fork_server"],
                env=dict(environment),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,  # a Ctrl-C is for us
            )
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def start(
        self, name: str, module: str, *argv: str, environment: Mapping[str, str] | None = None
    ) -> Child:
        """Run `python -m module argv...`; its output goes to `<name>.log`."""
        child = self._children[name] = Child(name, self._logs / f"{name}.log")
        order = {
            "name": name,
            "module": module,
            "argv": argv,
            "environment": dict(environment or {}),
            "log": str(child.log),
        }
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        if not child.started.wait(60):
            raise RuntimeError(f"The fork server did not start {name}: see {self._logs / 'fork-server.log'}")
        return child

    def close(self) -> None:
        """End it, and whatever is left of its children."""
        assert self._process.stdin is not None
        # Once their parents are dead, nothing tells that these are ours: LocalExecutor's workers outlive a scheduler.
        left = [process for child in self._children.values() for process in _session(child.pid)]
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for process in left:
            with suppress(psutil.Error):
                process.kill()
        self._listener.join()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            word = json.loads(line)
            child = self._children.get(word["name"])
            if child is None:
                continue
            if "pid" in word:
                child.pid = word["pid"]
                child.started.set()
            else:
                child.exit_code = word["exit_code"]
                child.ended.set()


@contextmanager
def fork_server(environment: Mapping[str, str], logs: Path) -> Iterator[ForkServer]:
    """Run a fork server for the time being."""
    opened = ForkServer(environment, logs)
    try:
        yield opened
    finally:
        opened.close()
