from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator

import botocore.exceptions as boto
import pytest

from ecs_async_executor.errors import ConfigurationError
from ecs_async_executor.logs import aws
from ecs_async_executor.logs.aws import HookAws


class Silence:
    """A server that takes connections and never answers."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.connections: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}"

    def _accept(self) -> None:
        while True:
            try:
                self.connections.append(self._server.accept()[0])
            except OSError:
                return

    def taken(self) -> int:
        """Wait for the first connection, which the kernel takes before this server does; return how many there are."""
        until = time.monotonic() + 60
        while not self.connections and time.monotonic() < until:
            time.sleep(0.01)
        return len(self.connections)

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for each in self.connections:
            each.close()


@pytest.fixture
def silence(monkeypatch: pytest.MonkeyPatch) -> Iterator[Silence]:
    server = Silence()
    monkeypatch.setattr(aws, "READ_SECONDS", 0.2)
    monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDWATCH_LOGS", server.url)
    yield server
    server.close()


REQUEST = {"logGroupName": "g", "logStreamName": "s"}


def test_a_call_is_sent_once_and_not_waited_for_longer_than_its_time_out(silence: Silence) -> None:
    source = HookAws(None)
    source._client("logs", "eu-central-1")  # making a client is slow, and not meant here
    began = time.monotonic()
    with pytest.raises(boto.ReadTimeoutError):
        source.get_log_events(REQUEST, "eu-central-1")
    assert time.monotonic() - began < 30  # botocore's own time-out is 60 s
    assert silence.taken() == 1


def test_a_client_is_kept_until_it_is_renewed(silence: Silence) -> None:
    source = HookAws(None)
    client = source._client("logs", "eu-central-1")
    assert source._client("logs", "eu-central-1") is client
    assert source._client("logs", "us-east-1") is not client
    source.renew()
    assert source._client("logs", "eu-central-1") is not client


def test_the_endpoint_is_known_once_a_client_exists(silence: Silence) -> None:
    source = HookAws(None)
    assert source.endpoint_of("logs", "eu-central-1") is None
    source._client("logs", "eu-central-1")
    assert source.endpoint_of("logs", "eu-central-1") == silence.url


def test_a_connection_that_does_not_exist_is_named() -> None:
    with pytest.raises(ConfigurationError, match="'not_there'"):
        HookAws("not_there").get_log_events(REQUEST, "eu-central-1")


def test_the_connections_own_settings_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    extra = {
        "config_kwargs": {"proxies": {"https": "http://proxy:3128"}, "retries": {"max_attempts": 9}},
        "endpoint_url": "http://127.0.0.1:1",
    }
    monkeypatch.setenv("AIRFLOW_CONN_MINE", json.dumps({"conn_type": "aws", "extra": extra}))
    client = HookAws("mine")._client("logs", "eu-central-1")
    assert client.meta.config.proxies == {"https": "http://proxy:3128"}
    assert client.meta.config.connect_timeout == aws.CONNECT_SECONDS
    assert client.meta.config.retries["total_max_attempts"] == 1
    assert client.meta.endpoint_url == "http://127.0.0.1:1"
    assert client.meta.region_name == "eu-central-1"
