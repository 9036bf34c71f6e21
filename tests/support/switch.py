"""A way to a server that can be cut and restored."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit


class Switch:
    """Forwards a loopback port of its own to `target`; while it is off, nobody listens on that port."""

    def __init__(self, target: str) -> None:
        self.lead_to(target)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = int(free.getsockname()[1])
        self._server: socket.socket | None = None
        self._sockets: set[socket.socket] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def is_on(self) -> bool:
        return self._server is not None

    def lead_to(self, target: str) -> None:
        """Forward new connections to this URL; those that are open stay as they are."""
        address = urlsplit(target)
        self._target = (address.hostname or "", address.port or 0)

    def on(self) -> None:
        self._server = socket.create_server(("127.0.0.1", self._port), reuse_port=True)
        threading.Thread(target=self._accept, args=(self._server,), daemon=True).start()

    def off(self) -> None:
        """Stop listening, and break every connection."""
        server, self._server = self._server, None
        for connection in [*self._sockets, server]:
            if connection is not None:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
                connection.close()
        self._sockets.clear()

    def _accept(self, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = server.accept()
                far = socket.create_connection(self._target)
                self._sockets |= {near, far}
                if (
                    self._server is not server
                ):  # switched off since it was accepted: `off` may not have seen it
                    near.close()
                    far.close()
                    return
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=self._forward, args=pair, daemon=True).start()

    @staticmethod
    def _forward(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        for connection in (source, sink):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()


@contextlib.contextmanager
def switch(target: str, *, on: bool = True) -> Iterator[Switch]:
    switch = Switch(target)
    if on:
        switch.on()
    try:
        yield switch
    finally:
        switch.off()
