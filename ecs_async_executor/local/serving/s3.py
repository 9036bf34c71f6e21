"""Offers S3: passes each request on to an S3 that keeps the objects, unless a fault is in the way."""

from __future__ import annotations

import asyncio
import errno
import io
import logging
import uuid
from contextlib import asynccontextmanager, nullcontext
from typing import TYPE_CHECKING

import aiohttp
from aiohttp import web
from yarl import URL

from ecs_async_executor.errors import ConfigurationError
from ecs_async_executor.local.api import s3_calls
from ecs_async_executor.local.conditions.faults import LostRequestError
from ecs_async_executor.local.rules.protocol import AwsError
from ecs_async_executor.local.rules.s3 import call_of, error_body, outcome_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from ecs_async_executor.local.conditions.faults import Fault
    from ecs_async_executor.local.ecs import Ecs
    from ecs_async_executor.local.rules.s3 import S3Call

log = logging.getLogger(__name__)
HOST = "127.0.0.1"
# This bounds memory. S3 itself takes 5 GB in one PutObject.
_MAX_BODY = 256 * 1024 * 1024
# RFC 9110, 7.6.1: these belong to one connection. The body is complete here, so nobody waits for "100 Continue".
_OF_ONE_CONNECTION = frozenset({
    "connection", "expect", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
})  # fmt: skip
# A busy machine takes seconds to import what moto needs for its first answer.
_PATIENCE = aiohttp.ClientTimeout(total=60)


@asynccontextmanager
async def storage(url: str, buckets: Iterable[str]) -> AsyncIterator[Storage]:
    """Use the S3 at a URL, and create buckets there; existing ones stay as they are.

    Raises:
        ConfigurationError: It rejects a bucket, or does not answer.
    """
    # A connection for each request: aiohttp would send a PutObject again if a kept one broke, and S3 refuse the second.
    connector = aiohttp.TCPConnector(force_close=True, limit=0)
    async with aiohttp.ClientSession(
        connector=connector, timeout=_PATIENCE, auto_decompress=False
    ) as session:
        kept = Storage(session, url)
        for name in buckets:
            await kept.create(name)
        yield kept


class Storage:
    """The S3 that keeps the objects.

    It gets one PUT at a time: for `If-None-Match`, moto looks for the key and writes in two steps.
    """

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url.rstrip("/")
        self._putting = asyncio.Lock()

    async def create(self, bucket: str) -> None:
        """Create a bucket, unless it exists."""
        try:
            async with self._session.put(f"{self._url}/{bucket}") as response:
                outcome = outcome_of(response.status, await response.read())
        except (aiohttp.ClientError, asyncio.TimeoutError) as error:
            outcome = repr(error)
        if outcome not in {"ok", "BucketAlreadyOwnedByYou"}:
            raise ConfigurationError(f"can't create the bucket {bucket!r} ({outcome}).")

    async def send(self, request: web.Request, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        """Pass a request on; return the response's status, headers and body.

        Raises:
            AwsError: S3 is away.
        """
        try:
            async with self._putting if request.method == "PUT" else nullcontext():
                return await self._send(request, body)
        except (aiohttp.ClientError, asyncio.TimeoutError) as error:
            raise AwsError("ServiceUnavailable", f"The local S3 is away ({error!r}).", 503) from None

    async def _send(self, request: web.Request, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        async with self._session.request(
            request.method,
            URL(self._url + request.raw_path, encoded=True),
            headers=_passed_on(request.headers.items()),
            data=io.BytesIO(body) if body else None,
            allow_redirects=False,
            skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
        ) as response:
            return response.status, _passed_on(response.headers.items()), await response.read()


@asynccontextmanager
async def offer(ecs: Ecs, kept: Storage, port: int) -> AsyncIterator[str]:
    """Offer S3 on a port (0: a free one) under the conditions of the local ECS, and yield its URL.

    Raises:
        ConfigurationError: The port can't be used.
    """
    app = web.Application(client_max_size=_MAX_BODY)
    app.router.add_route("*", "/{target:.*}", _Edge(ecs, kept).handle)
    # Objects pass as they are, compressed or not.
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, auto_decompress=False)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, HOST, port).start()
        except OSError as error:
            what = "is in use" if error.errno == errno.EADDRINUSE else f"can't be used: {error.strerror}"
            raise ConfigurationError(
                f"port {port} on {HOST}, for S3, {what}. Choose another with --s3-port, or 0 for a free one; or turn S3 off "
                "with --no-s3."
            ) from None
        yield f"http://{HOST}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


class _Edge:
    """Turns requests into responses; does all the waiting and the dropping of connections."""

    def __init__(self, ecs: Ecs, kept: Storage) -> None:
        self._ecs = ecs
        self._kept = kept

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Handle one request."""
        ecs, call = self._ecs, call_of(request.method, request.raw_path)
        try:
            body = await _read(request)
            if delay := ecs.conditions.delay(call.action):
                await asyncio.sleep(delay)
            s3_calls.admit(ecs, call)
            status, headers, answer = await self._kept.send(request, body)
            fault = s3_calls.release(ecs, call, status)
        except AwsError as error:
            ecs.count(call.action, error.code)
            return _error(error, call, request.method)
        except LostRequestError:
            ecs.count(call.action, "lost_request")
            _drop(request)
            return web.Response()
        ecs.count(call.action, fault.kind if fault else outcome_of(status, answer))
        if fault is not None:
            await _spoil(request, fault)
        if request.method == "HEAD":  # its Content-Length is that of a body that isn't sent
            return web.StreamResponse(status=status, headers=headers)
        return web.Response(status=status, headers=headers, body=answer)


async def _read(request: web.Request) -> bytes:
    if "Origin" in request.headers:  # only browsers send it, and containers run what is stored here
        raise AwsError("AccessDenied", "The local S3 accepts no requests from web pages.", 403)
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise AwsError("EntityTooLarge", f"The local S3 takes {_MAX_BODY} bytes at once.") from None


async def _spoil(request: web.Request, fault: Fault) -> None:
    """Withhold a response: drop the connection, or wait until the caller has given up."""
    if fault.kind == "late_response":
        await asyncio.sleep(fault.seconds)
    else:
        _drop(request)


def _drop(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


def _error(error: AwsError, call: S3Call, method: str) -> web.Response:
    request_id = uuid.uuid4().hex[:16].upper()
    headers = {"Content-Type": "application/xml", "x-amz-request-id": request_id}
    body = b"" if method == "HEAD" else error_body(error.code, error.message, call, request_id)
    return web.Response(body=body, status=error.status, headers=headers)


def _passed_on(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in headers if name.lower() not in _OF_ONE_CONNECTION]
