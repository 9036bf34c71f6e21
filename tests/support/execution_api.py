"""An execution API that lets every task run, and notes when."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

_CONTEXT = {
    "dag_run": {
        "dag_id": "dag",
        "run_id": "run",
        "logical_date": None,
        "data_interval_start": None,
        "data_interval_end": None,
        "run_after": "2026-01-01T00:00:00Z",
        "start_date": "2026-01-01T00:00:00Z",
        "end_date": None,
        "run_type": "manual",
        "state": "running",
        "consumed_asset_events": [],
        "partition_key": None,
    },
    "max_tries": 0,
    "should_retry": False,
}


@dataclass(slots=True)
class ExecutionApi:
    """What tasks have told it."""

    url: str = ""
    running: dict[str, float] = field(default_factory=dict)
    """`time.monotonic()` of each task instance's `run` call, by its id."""
    states: dict[str, str] = field(default_factory=dict)
    """How each has ended, by its id."""
    told: Event = field(default_factory=Event)
    """Set by each `run` call."""


class _Handler(BaseHTTPRequestHandler):
    api: ExecutionApi
    protocol_version = "HTTP/1.1"

    def do_PATCH(self) -> None:
        now = time.monotonic()
        content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        *_, task_instance, what = self.path.split("/")
        if what == "run":
            self.api.running[task_instance] = now
            self.api.told.set()
            self._reply(200, _CONTEXT)
        else:
            self.api.states[task_instance] = content["state"]
            self._reply(204)

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._reply(204)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._reply(201, "")

    def do_GET(self) -> None:
        self._reply(404, {"detail": {"reason": "not_found"}})

    def _reply(self, status: int, content: object = None) -> None:
        body = b"" if content is None else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
        """Keep quiet."""


class _Quiet(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """A client that gives up is no news."""


@contextmanager
def serve_execution_api() -> Iterator[ExecutionApi]:
    """Serve it on a free port."""
    api = ExecutionApi()
    server = _Quiet(("127.0.0.1", 0), type("Handler", (_Handler,), {"api": api}))
    api.url = f"http://127.0.0.1:{server.server_address[1]}/execution/"
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
