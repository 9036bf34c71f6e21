"""The life of an AWS client, and the ECS client: the five calls the engine makes, over one long-lived connection."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias, cast

import anyio.to_thread
from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession, get_session

from ecs_async_executor.engine.responses import Clusters, EcsResponseParserFactory, TaskArns, Tasks
from ecs_async_executor.engine.shortcuts import quicken
from ecs_async_executor.errors import ConnectError

if TYPE_CHECKING:
    from collections.abc import Mapping


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
        client = self._client or await self._make_client()
        with anyio.fail_after(self._call_timeout):
            return await getattr(client, operation)(**arguments)

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
            endpoint_url=self._endpoint(connection),
            verify=connection.verify,
            config=connection.config.merge(self._config) if connection.config else self._config,
        )

    def _endpoint(self, connection: Connection) -> str | None:
        raise NotImplementedError

    def _prepare(self, client: Any) -> None:
        """Do what a new client needs."""

    async def _close_retired(self) -> None:
        """Close the clients that no call can be using any more."""
        while self._retired and anyio.current_time() - self._retired[0][0] > self._call_timeout:
            await self._retired.pop(0)[1].aclose()


class EcsClient(AwsClient):
    """What the engine asks of ECS; raises what aiobotocore raises, and TimeoutError."""

    service = "ecs"

    async def run_task(self, body: Mapping[str, Any]) -> Tasks:
        """RunTask."""
        return cast("Tasks", await self._ask("run_task", **body))

    async def describe_tasks(self, cluster: str, arns: Sequence[str]) -> Tasks:
        """DescribeTasks of up to 100 tasks of one cluster."""
        return cast("Tasks", await self._ask("describe_tasks", cluster=cluster, tasks=list(arns)))

    async def list_tasks_started_by(self, cluster: str, started_by: str) -> tuple[str, ...]:
        """ListTasks: the ARNs of this `startedBy` that have not been told to stop."""
        answer = cast("TaskArns", await self._ask("list_tasks", cluster=cluster, startedBy=started_by))
        return answer.task_arns

    async def stop_task(self, cluster: str, arn: str, reason: str) -> None:
        """StopTask: SIGTERM, then SIGKILL after the container's stopTimeout."""
        await self._ask("stop_task", cluster=cluster, task=arn, reason=reason[:255])

    async def default_strategy(self, cluster: str) -> list[dict[str, str]]:
        """DescribeClusters: the capacity providers of this cluster's default strategy; none if there is no cluster."""
        answer = cast("Clusters", await self._ask("describe_clusters", clusters=[cluster]))
        return [
            {"capacityProvider": item.capacity_provider}
            for each in answer.clusters[:1]
            for item in each.default_capacity_provider_strategy
        ]

    async def _ask(self, operation: str, **arguments: Any) -> Any:
        return (await self._call(operation, **arguments))["parsed"]

    def _create(self, connection: Connection) -> Any:
        connection.session.register_component("response_parser_factory", EcsResponseParserFactory())
        return super()._create(connection)

    def _endpoint(self, connection: Connection) -> str | None:
        return connection.endpoint_url

    def _prepare(self, client: Any) -> None:
        quicken(client)


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
