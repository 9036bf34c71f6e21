"""A StatsD listener, and what statsd_exporter makes of what it hears: series of Prometheus."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from airflow.executors.base_executor import BaseExecutor
from statsd import StatsClient

MAPPING = Path(__file__).parents[2] / "examples" / "observability" / "statsd_mapping.yml"
OURS = "airflow.ecs_async."
KINDS = {"c": "counter", "g": "gauge", "ms": "timing"}


@dataclass(frozen=True)
class Line:
    """One line of StatsD, tags in InfluxDB's format."""

    name: str
    tags: Mapping[str, str]
    value: float
    kind: str

    @classmethod
    def parse(cls, text: str) -> Line:
        match = re.fullmatch(r"([\w.-]+)((?:,[^,=]+=[^,=]+)*):([-+\d.e]+)\|(c|g|ms)(?:\|@[\d.]+)?", text)
        assert match, f"not a line of StatsD: {text!r}"
        tags = dict(tag.split("=") for tag in match[2].split(",")[1:])
        return cls(match[1], tags, float(match[3]), KINDS[match[4]])


@dataclass
class Listener:
    """What arrived so far."""

    port: int
    lines: list[Line] = field(default_factory=list)

    def ours(self) -> list[Line]:
        return [line for line in self.lines if line.name.startswith(OURS)]


@contextmanager
def statsd_listener() -> Iterator[Listener]:
    """Listen on a port of UDP."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_000_000)
        server.bind(("127.0.0.1", 0))
        server.settimeout(0.2)
        listener, over = Listener(server.getsockname()[1]), threading.Event()

        def listen() -> None:
            while not over.is_set():
                try:
                    packet = server.recv(65_535).decode()
                except TimeoutError:
                    continue
                listener.lines += [Line.parse(text) for text in packet.splitlines()]

        thread = threading.Thread(target=listen, name="statsd-listener", daemon=True)
        thread.start()
        try:
            yield listener
        finally:
            over.set()
            thread.join(10)


class ClosingClient(StatsClient):  # type: ignore[misc]  # it has no types
    """Closes its socket, which Airflow forgets to when it sets Stats up again."""

    def __del__(self) -> None:
        self.close()


@contextmanager
def metrics_sent_to(listener: Listener, *, tags: bool = True) -> Iterator[None]:
    """Have Airflow of this process send its metrics there, from the next executor on."""
    options = {
        "STATSD_ON": "True",
        "STATSD_HOST": "127.0.0.1",
        "STATSD_PORT": str(listener.port),
        "STATSD_INFLUXDB_ENABLED": str(tags),
        "STATSD_CUSTOM_CLIENT_PATH": f"{__name__}.{ClosingClient.__name__}",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in options.items():
            patch.setenv(f"AIRFLOW__METRICS__{name}", value)
        BaseExecutor(parallelism=1)  # sets Stats up, in each version's own way
        try:
            yield
        finally:
            patch.undo()
            BaseExecutor(parallelism=1)


@cache
def rules() -> list[Any]:
    """Return the rules of the mapping, in their order."""
    found: list[Any] = yaml.safe_load(MAPPING.read_text("utf-8"))["mappings"]
    return found


def to_prometheus(line: Line) -> tuple[str, dict[str, str]]:
    """Map a line as statsd_exporter does: the first rule whose parts fit, each asterisk one part, without dots."""
    for rule in rules():
        pattern = re.escape(rule["match"]).replace(r"\*", r"([^.]*)")
        if match := re.fullmatch(pattern, line.name):
            labels = {
                name: match[int(value.removeprefix("$"))] for name, value in rule.get("labels", {}).items()
            }
            return rule["name"], {**labels, **line.tags}
    raise AssertionError(f"no rule for {line.name}")


@cache
def buckets(name: str) -> list[float]:
    """Return the upper bounds, in seconds, of the histogram that the mapping makes of a timing."""
    return next(rule["histogram_options"]["buckets"] for rule in rules() if rule["name"] == name)
