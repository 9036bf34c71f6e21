"""The session and the clients, a service and Region each."""

from __future__ import annotations

import threading
from typing import Any
from urllib.parse import urlsplit

from ecs_async_executor.doctor.addresses import is_here

CONNECT_SECONDS, READ_SECONDS, ATTEMPTS = 3.0, 5.0, 2
"""Of one call: below `gather.LIMIT` together."""


class Aws:
    """The clients of the executor's connection. Safe for several threads: botocore's clients are."""

    def __init__(self, conn_id: str | None, region: str | None) -> None:
        self._conn_id = conn_id
        self.region = region
        self._lock = threading.Lock()
        self._locks: dict[tuple[str, str], threading.Lock] = {}
        self._clients: dict[tuple[str, str], Any] = {}

    def client(self, service: str, region: str = "") -> Any:
        """Return a client of the executor's connection; raises what botocore and the provider raise."""
        key = (service, region or self.region or "")
        with self._lock:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:  # many threads ask one service at once, and making a client takes long
            if key not in self._clients:
                self._clients[key] = self._connect(*key)
            return self._clients[key]

    def _connect(self, service: str, region: str) -> Any:
        from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook  # noqa: PLC0415  a second of imports
        from botocore.config import Config  # noqa: PLC0415  as above

        hook: Any = AwsBaseHook(aws_conn_id=self._conn_id, client_type=service, region_name=region or None)
        quick = Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"total_max_attempts": ATTEMPTS, "mode": "standard"},
        )
        return hook.get_client_type(region_name=region or None, config=hook.config.merge(quick))

    @property
    def local(self) -> bool:
        """Whether ECS is on this machine."""
        return is_here(urlsplit(str(self.client("ecs").meta.endpoint_url)).hostname or "")


def is_set(client: Any) -> bool:
    """Return whether a client's endpoint is not AWS's own."""
    host = urlsplit(str(client.meta.endpoint_url)).hostname or ""
    return not host.endswith((".amazonaws.com", ".amazonaws.com.cn", ".api.aws"))
