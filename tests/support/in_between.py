"""What stands between the engine and AWS: a proxy with a page of its own, and a container's credentials endpoint."""

from __future__ import annotations

import datetime as dt
import json
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class _Handler(BaseHTTPRequestHandler):
    server: Any

    def do_GET(self) -> None:
        self._answer(*self.server.answer(b""))

    def do_POST(self) -> None:
        self._answer(*self.server.answer(self.rfile.read(int(self.headers["Content-Length"])), self.headers))

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def _serve(answer: Any) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        server.answer = answer  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def serve_proxy(upstream: str, *, refuses: int) -> Iterator[str]:
    """Answer this many requests with a page and status 403, and pass all others on."""
    left = [None] * refuses

    def answer(body: bytes, headers: Any = None) -> tuple[int, bytes]:
        if left:
            left.pop()
            return 403, b"<html><body>Access denied by policy</body></html>"
        passed = urllib.request.Request(upstream, body, dict(headers), method="POST")  # noqa: S310  a local URL
        with urllib.request.urlopen(passed) as response:  # noqa: S310  as above
            return int(response.status), response.read()

    with _serve(answer) as url:
        yield url


@contextmanager
def serve_credentials(*, expired: int) -> Iterator[str]:
    """Give credentials that have expired already this many times, and then good ones."""
    left = [None] * expired

    def answer(_: bytes) -> tuple[int, bytes]:
        minutes = 60
        if left:
            left.pop()
            minutes = -25
        expiration = dt.datetime.now(dt.timezone.utc) + dt.timedelta(minutes=minutes)
        credentials = {
            "AccessKeyId": "k",
            "SecretAccessKey": "s",
            "Token": "t",
            "Expiration": expiration.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        return 200, json.dumps(credentials).encode()

    with _serve(answer) as url:
        yield url
