"""The life of an AWS client: made in the loop when it is needed, and made anew when its credentials are refused."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

import anyio.to_thread
from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession, get_session

from ecs_async_executor.errors import ConnectError

MANDATORY_REFRESH = 600
"""Seconds before credentials expire from which on botocore signs with refreshed ones only; it begins to try at 900."""


@dataclass(frozen=True, slots=True)
class Connection:
    """What it takes to make a client. Credentials live inside the session, nowhere else."""

    session: AioSession
    region_name: str | None = None
    endpoint_url: str | None = None
    """Of ECS."""
    s3_endpoint_url: str | None = None
    verify: bool | str | None = None
    config: AioConfig | None = None
    """The user's botocore settings (proxies, user agent ...); time-outs, retries and pool are the engine's."""

    def endpoint_of(self, service: str) -> str | None:
        """Give the URL of a service, if it is not the usual one."""
        return {"ecs": self.endpoint_url, "s3": self.s3_endpoint_url}[service]


Connect: TypeAlias = Callable[[], Connection]
"""Makes a fresh connection. It may block (STS, a metadata database): it is called in a worker thread."""


def connect_by_environment() -> Connection:
    """Connect by the standard AWS variables, files and roles."""
    return Connection(get_session())


class AwsClient:
    """The client of one service. Made anew by `connect()` at the first call and after each `forget()`; lives in one event loop."""

    service: ClassVar[str]

    def __init__(self, connect: Connect, *, pool_size: int, call_timeout: float) -> None:
        self._connect = connect
        self._call_timeout = call_timeout
        # One place decides about retries, and it is not the SDK; waiting for a pooled connection has no time-out
        # in aiohttp, so the pool must be as large as the concurrency, and every call is bounded from outside.
        self._config = AioConfig(
            retries={"mode": "standard", "total_max_attempts": 1},
            connect_timeout=5,
            read_timeout=min(20, call_timeout),
            max_pool_connections=pool_size,
        )
        self._client: Any = None
        self._stack = AsyncExitStack()
        self._retired: list[tuple[float, AsyncExitStack]] = []
        """Forgotten clients, and since when; calls in flight may still use them."""
        self._making = anyio.Lock()

    async def aclose(self) -> None:
        """Close all connections."""
        for stack in (self._stack, *(stack for _, stack in self._retired)):
            await stack.aclose()

    def forget(self) -> None:
        """Make a new client, with fresh credentials, for the next call. Calls in flight go on with the old one."""
        if self._client is None:
            return
        self._client = None
        self._retired.append((anyio.current_time(), self._stack))
        self._stack = AsyncExitStack()

    async def _call(self, operation: str, **arguments: Any) -> Any:
        return await self._call_on(await self._ready(), operation, **arguments)

    async def _call_on(self, client: Any, operation: str, **arguments: Any) -> Any:
        await self._refresh_credentials(client)
        with anyio.fail_after(self._call_timeout):
            return await getattr(client, operation)(**arguments)

    async def _refresh_credentials(self, client: Any) -> None:
        """Refresh credentials that are about to expire; raises `ConnectError`.

        The SDK would do so while it signs the request. What fails then looks like a failure of the call, though nothing
        was sent: a token file that is being replaced, a metadata service with expired credentials, a refused STS call.
        """
        credentials = _credentials_of(client)
        if credentials is None:
            return
        try:
            with anyio.fail_after(self._call_timeout):
                await credentials.get_frozen_credentials()
        except ConnectError:
            raise
        except Exception as error:
            # The SDK refreshes them ahead of time. To pause for that, while they can be used, would cost minutes.
            if _can_still_be_used(credentials):
                return
            raise ConnectError("AWS gives no credentials.") from error

    async def _ready(self) -> Any:
        """Give the client, made if there is none; raises `ConnectError`."""
        return self._client or await self._make_client()

    async def _make_client(self) -> Any:
        async with self._making:
            if self._client is None:
                await self._close_retired()
                try:
                    with anyio.fail_after(self._call_timeout):
                        connection = await anyio.to_thread.run_sync(self._connect, abandon_on_cancel=True)
                        client = await self._stack.enter_async_context(self._create(connection))
                except Exception as error:
                    raise ConnectError("The AWS connection can't be made.") from error
                self._prepare(client)
                self._client = client
            return self._client

    def _create(self, connection: Connection) -> Any:
        return connection.session.create_client(
            self.service,
            region_name=connection.region_name,
            endpoint_url=connection.endpoint_of(self.service),
            verify=connection.verify,
            config=connection.config.merge(self._config) if connection.config else self._config,
        )

    def _prepare(self, client: Any) -> None:
        """Do what a new client needs."""

    async def _close_retired(self) -> None:
        """Close the clients that no call can be using any more: before a call, credentials may be refreshed for as long."""
        while self._retired and anyio.current_time() - self._retired[0][0] > 2 * self._call_timeout:
            await self._retired.pop(0)[1].aclose()


def _credentials_of(client: Any) -> Any:
    """Give the credentials that a client signs with; None without any, or where the SDK keeps them elsewhere."""
    credentials = getattr(getattr(client, "_request_signer", None), "_credentials", None)
    return credentials if hasattr(credentials, "get_frozen_credentials") else None


def _can_still_be_used(credentials: Any) -> bool:
    """Tell whether the SDK would sign with these credentials although they could not be refreshed."""
    is_refresh_needed = getattr(credentials, "refresh_needed", None)
    return is_refresh_needed is not None and not is_refresh_needed(MANDATORY_REFRESH)


class _NoDebug(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno > logging.DEBUG


def silence_request_logs() -> None:
    """Keep the SDK's DEBUG records out of every log: they hold whole requests, and with them the tasks' tokens."""
    for name in (
        "aiobotocore.endpoint",
        "aiobotocore.parsers",
        "botocore.auth",
        "botocore.endpoint",
        "botocore.parsers",
    ):
        logger = logging.getLogger(name)
        if not any(isinstance(known, _NoDebug) for known in logger.filters):
            logger.addFilter(_NoDebug())
