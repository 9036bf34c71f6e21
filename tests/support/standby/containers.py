"""A container's process, as a cold start and as a standby."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

from ecs_async_executor.config.delivery import in_command
from ecs_async_executor.engine.payloads import split
from ecs_async_executor.standby.command import lease_url, object_url, standby_command
from tests.support.s3 import Bucket

DAGS = Path(__file__).with_name("dags")
LONG = 100
"""Seconds within which anything has happened, on a busy machine, too."""


class Containers:
    """Starts them, each in a session of its own, and kills what is left of them."""

    def __init__(self, folder: Path, bucket: Bucket, **environment: str) -> None:
        self.bucket = bucket
        self.location = f"s3://{bucket.name}/airflow/"
        self.lease = lease_url(self.location, "me")
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_ENDPOINT_URL_S3": bucket.endpoint_url,
            **environment,
        }
        self._folder = folder
        self._stack = ExitStack()

    def put(self, url: str, content: str) -> None:
        """Write an object."""
        name, key = split(url)
        self.bucket.client.put_object(Bucket=name, Key=key, Body=content.encode())

    def start(self, command: list[str], **environment: str) -> Container:
        """Start any command of Python's."""
        log = self._folder / f"{secrets.token_hex(4)}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, *command[1:]],
                env={**self.environment, **environment},
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        container = Container(process, log)
        self._stack.callback(container.kill)
        return container

    def cold(self, workload: str, **environment: str) -> Container:
        """Start one that has its workload."""
        return self.start(in_command(workload), **environment)

    def standby(self, max_age: int = 3600, *, lease: bool = True, **environment: str) -> Standby:
        """Start one that waits."""
        if lease:
            self.put(self.lease, "{}")
        own = object_url(self.location, secrets.token_hex(16))
        container = self.start(standby_command("us-east-1", max_age, self.lease, own), **environment)
        return Standby(container.process, container.log, lambda content: self.put(own, content))

    def close(self) -> None:
        """Kill all."""
        self._stack.close()


class Container:
    """One that runs."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self.log = log

    def end(self) -> int:
        """Wait for its end, and give its exit code."""
        return self.process.wait(LONG)

    def said(self) -> str:
        """Give its log until now."""
        return self.log.read_text("utf-8")

    def until(self, done: Callable[[], object]) -> None:
        """Wait for something."""
        end = time.monotonic() + LONG
        while not done():
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < end, self.said()
            time.sleep(0.05)

    def others(self) -> list[int]:
        """Give the other processes of its session."""
        return [
            pid for pid, session in _sessions() if session == self.process.pid and pid != self.process.pid
        ]

    def kill(self) -> None:
        """Kill all its processes."""
        for pid in (self.process.pid, *self.others()):
            try:
                os.kill(pid, 9)
            except ProcessLookupError:
                continue
        self.process.wait()


class Standby(Container):
    """One that waits."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path, give: Callable[[str], None]) -> None:
        super().__init__(process, log)
        self.give = give

    def ready(self) -> None:
        """Wait until its Airflow is imported and it waits."""
        self.until(lambda: "waits in" in self.said() and self._blocked())

    def _blocked(self) -> bool:
        return "pipe_read" in Path(f"/proc/{self.process.pid}/wchan").read_text()


def _sessions() -> Iterator[tuple[int, int]]:
    """Yield each process that isn't a zombie, and its session."""
    for each in Path("/proc").iterdir():
        if each.name.isdigit():
            try:
                state, _, _, session, *_ = (each / "stat").read_text().rpartition(") ")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if state != "Z":
                yield int(each.name), int(session)
