"""A real Prometheus that scrapes what statsd_exporter would show of the lines that a StatsD listener hears."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx

from tests.support.ports import free_port
from tests.support.statsd import MAPPING, OURS, Line, Listener, buckets, to_prometheus

PROMETHEUS = shutil.which("prometheus")
"""Of the Debian package of this name; None: it isn't here."""
_CONFIG = """\
global: {{scrape_interval: 2s, evaluation_interval: 2s}}
rule_files: [{rules}]
scrape_configs:
  - {{job_name: airflow, static_configs: [{{targets: ["127.0.0.1:{port}"]}}]}}
"""


class Exported:
    """What statsd_exporter keeps of all that a listener has heard."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._read = 0
        self._values: dict[str, float] = defaultdict(float)
        self._shown: set[str] = set()

    def text(self) -> str:
        """Take what is new, and return all in Prometheus's text format.

        Each series is shown at 0 first, as if it had been there before the run: a rate needs two values.
        """
        new = self._listener.lines[self._read :]
        self._read += len(new)
        for line in new:
            if line.name.startswith(OURS):
                self._take(line)
        text = "".join(
            f"{series} {value * (series in self._shown)}\n" for series, value in self._values.items()
        )
        self._shown |= self._values.keys()
        return text

    def _take(self, line: Line) -> None:
        name, labels = to_prometheus(line)
        if line.kind == "gauge":
            self._values[_series(name, labels)] = line.value
        elif line.kind == "counter":
            self._values[_series(name, labels)] += line.value
        else:
            for bound in buckets(name):
                self._values[_series(f"{name}_bucket", {**labels, "le": str(bound)})] += (
                    line.value / 1000 <= bound
                )
            self._values[_series(f"{name}_bucket", {**labels, "le": "+Inf"})] += 1


def _series(name: str, labels: dict[str, str]) -> str:
    return f"{name}{{{','.join(f'{label}={json.dumps(value)}' for label, value in labels.items())}}}"


Ask = Callable[[str, str], Any]
"""Calls an endpoint of Prometheus's API with a query, and returns its data."""


@contextmanager
def scraping(listener: Listener, folder: Path) -> Iterator[Ask]:
    """Have Prometheus scrape what was heard every two seconds, with the alerts of examples/observability."""

    exported = Exported(listener)

    class Exporter(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = exported.text().encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            """Stay silent."""

    port = free_port()
    with HTTPServer(("127.0.0.1", 0), Exporter) as exporter:
        threading.Thread(target=exporter.serve_forever, name="exporter", daemon=True).start()
        config = folder / "prometheus.yml"
        rules = MAPPING.with_name("alerts.yml")
        config.write_text(_CONFIG.format(rules=rules, port=exporter.server_port), "utf-8")
        with (
            (folder / "prometheus.log").open("wb") as log,
            subprocess.Popen(
                [
                    PROMETHEUS or "prometheus",
                    f"--config.file={config}",
                    f"--storage.tsdb.path={folder / 'tsdb'}",
                    f"--web.listen-address=127.0.0.1:{port}",
                ],
                stdout=log,
                stderr=log,
            ) as process,
        ):
            try:
                yield lambda endpoint, query: _ask(f"http://127.0.0.1:{port}/api/v1/{endpoint}", query)
            finally:
                process.terminate()
                exporter.shutdown()


def _ask(url: str, query: str) -> Any:
    for _ in range(100):
        try:
            answer = httpx.get(url, params={"query": query}, timeout=10)
        except httpx.TransportError:
            time.sleep(0.2)
            continue
        if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:  # it is still starting
            return answer.raise_for_status().json()["data"]
        time.sleep(0.2)
    raise TimeoutError(f"Prometheus doesn't answer at {url}.")
