"""An AWS client's lifecycle: created in the loop on first use, replaced when its credentials are refused."""

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
"""Seconds before expiry from which botocore signs only with refreshed credentials; it tries from 900 on."""


@dataclass(frozen=True, slots=True)
class Connection:
    """Everything needed to create a client. Credentials live only inside the session."""

    session: AioSession
    region_name: str | None = None
    endpoint_url: str | None = None
    """Of ECS."""
    s3_endpoint_url: str | None = None
    verify: bool | str | None = None
    config: AioConfig | None = None
    """The user's botocore settings (proxies, user agent ...); the engine sets time-outs, retries and pool."""

    def endpoint_of(self, service: str) -> str | None:
        """Return a service's URL if it isn't the standard one."""
        return {"ecs": self.endpoint_url, "s3": self.s3_endpoint_url}[service]


Connect: TypeAlias = Callable[[], Connection]
"""Makes a fresh connection. It may block (STS, a metadata database), so it is called in a worker thread."""


def connect_by_environment() -> Connection:
    """Connect with the standard AWS variables, files and roles."""
    return Connection(get_session())


class AwsClient:
    """The client of one service, in one event loop.

    `connect()` makes its connection at the first call, and again after each `forget()`.
    """

    service: ClassVar[str]

    def __init__(self, connect: Connect, *, pool_size: int, call_timeout: float) -> None:
        self._connect = connect
        self._call_timeout = call_timeout
        # Only the engine decides about retries, so the SDK's are off. aiohttp waits for a pooled connection
        # without a time-out, so the pool must be as large as the concurrency, and calls have a time-out.
        self._config = AioConfig(
            retries={"mode": "standard", "total_max_attempts": 1},
            connect_timeout=5,
            read_timeout=min(20, call_timeout),
            max_pool_connections=pool_size,
        )
        self._client: Any = None
        self._stack = AsyncExitStack()
        self._retired: list[tuple[float, AsyncExitStack]] = []
        """When clients were forgotten, and their stacks; in-flight calls may still use them."""
        self._making = anyio.Lock()

    async def aclose(self) -> None:
        """Close all connections."""
        for stack in (self._stack, *(stack for _, stack in self._retired)):
            await stack.aclose()

    def forget(self) -> None:
        """Use a new client, with fresh credentials, from the next call on; in-flight calls keep theirs."""
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

        The SDK would do so while it signs the request. A failure there (a token file that is being replaced,
        a metadata service with expired credentials, a refused STS call) looks as if the call had failed,
        although nothing was sent.
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
            # The SDK refreshes them ahead of time. Pausing while they can still be used would cost minutes.
            if _can_still_be_used(credentials):
                return
            raise ConnectError("AWS gives no credentials.") from error

    async def _ready(self) -> Any:
        """Return the client, creating it if there is none; raises `ConnectError`."""
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
        """Set up a new client."""

    async def _close_retired(self) -> None:
        """Close the clients that no call can still be using.

        A call may refresh credentials for one time-out before it takes another.
        """
        while self._retired and anyio.current_time() - self._retired[0][0] > 2 * self._call_timeout:
            await self._retired.pop(0)[1].aclose()


def _credentials_of(client: Any) -> Any:
    """Return the credentials a client signs with; None if it has none, or the SDK keeps them elsewhere."""
    credentials = getattr(getattr(client, "_request_signer", None), "_credentials", None)
    return credentials if hasattr(credentials, "get_frozen_credentials") else None


def _can_still_be_used(credentials: Any) -> bool:
    """Tell whether the SDK would still sign with these credentials after a failed refresh."""
    is_refresh_needed = getattr(credentials, "refresh_needed", None)
    return is_refresh_needed is not None and not is_refresh_needed(MANDATORY_REFRESH)


class _NoDebug(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno > logging.DEBUG


def silence_request_logs() -> None:
    """Keep the SDK's DEBUG records out of every log: they contain whole requests, with the tasks' tokens."""
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
