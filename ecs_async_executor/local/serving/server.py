"""The HTTP server: ECS's protocol at `/`, the control API at `/_local/`."""

from __future__ import annotations

import asyncio
import json
import logging
import uuid
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

from aiohttp import web

from ecs_async_executor.errors import ConfigurationError
from ecs_async_executor.local.api import calls
from ecs_async_executor.local.conditions.faults import LostRequestError
from ecs_async_executor.local.ecs import Clock, Ecs
from ecs_async_executor.local.logs.shipper import LogShipper
from ecs_async_executor.local.moto import moto_server
from ecs_async_executor.local.options import BUCKET, Options
from ecs_async_executor.local.rules.protocol import CONTENT_TYPE, AwsError, action_of
from ecs_async_executor.local.runtimes.process import ProcessRuntime
from ecs_async_executor.local.runtimes.simulated import SimulatedRuntime
from ecs_async_executor.local.serving import admin
from ecs_async_executor.local.serving.control import Control, ControlError
from ecs_async_executor.local.serving.s3 import offer, storage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from ecs_async_executor.local.conditions.faults import Fault

log = logging.getLogger(__name__)
# This bounds memory; ECS itself accepts far less.
_MAX_BODY = 1024 * 1024


@asynccontextmanager
async def serve(options: Options | None = None) -> AsyncIterator[Control]:
    """Run a local ECS in the current event loop and yield its control.

    Raises:
        ConfigurationError: An option is wrong.
        OSError: The port is in use.
    """
    options = Options.from_json((options or Options()).to_json())  # the same JSON as in a subprocess
    clock = Clock(asyncio.get_running_loop().time)
    async with AsyncExitStack() as stack:
        logs_url = options.logs if isinstance(options.logs, str) else None
        kept_at = options.s3 if isinstance(options.s3, str) else None
        if options.logs is True or options.s3 is True:
            await _try_to_listen(options)
            moto = await stack.enter_async_context(
                moto_server(options.logs_port if options.logs is True else 0)
            )
            logs_url = moto if options.logs is True else logs_url
            kept_at = moto if options.s3 is True else kept_at
        runtime: ProcessRuntime | SimulatedRuntime = SimulatedRuntime()
        shipper = None
        if options.runtime == "process":
            if logs_url:
                shipper = LogShipper(logs_url, clock)
                stack.push_async_callback(shipper.close)
            runtime = ProcessRuntime(clock, shipper, options.pass_environment)
        stack.push_async_callback(runtime.close)
        ecs = Ecs(options, clock, runtime, logs_url)
        if kept_at is not None:
            kept = await stack.enter_async_context(storage(kept_at, [BUCKET, *options.buckets]))
            ecs.s3_url = await stack.enter_async_context(offer(ecs, kept, options.s3_port))
            runtime.give_s3(ecs.s3_url, options.region)
        if shipper is not None:
            regions = {options.region, *(target.region for target in ecs.registry.log_targets())}
            await shipper.create_groups(options.log_groups, sorted(regions))
        runner = web.ServerRunner(web.Server(_Edge(ecs).handle, access_log=None), shutdown_timeout=0.1)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, options.host, options.port).start()
        host, port = runner.addresses[0][:2]
        url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

        def send(method: str, path: str, document: Mapping[str, Any]) -> dict[str, Any]:
            try:
                return admin.handle(ecs, method, path, json.loads(json.dumps(document)))
            except (ConfigurationError, admin.UnknownPathError) as error:
                raise ControlError(str(error)) from None

        yield Control(url, logs_url, ecs.s3_url, send)


async def _try_to_listen(options: Options) -> None:
    """Check ECS's port before the logs' port: for a second local ECS both are in use, and only the former matters."""
    server = await asyncio.get_running_loop().create_server(asyncio.Protocol, options.host, options.port)
    server.close()
    await server.wait_closed()


class _Edge:
    """Turns requests into responses; does all the waiting and the dropping of connections."""

    def __init__(self, ecs: Ecs) -> None:
        self._ecs = ecs

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Handle one request."""
        if "Origin" in request.headers:  # only browsers send it, and this server runs commands
            return _json({"message": "The local ECS accepts no requests from web pages."}, 403)
        body = b""
        async for chunk in request.content.iter_any():
            body += chunk
            if len(body) > _MAX_BODY:
                return _json({"message": "The request is too large."}, 413)
        if request.path.startswith(admin.PREFIX):
            return self._control(request, body)
        return await self._aws(request, body)

    async def _aws(self, request: web.BaseRequest, body: bytes) -> web.StreamResponse:
        ecs = self._ecs
        action = "unknown"
        try:
            action = action_of(request.headers.get("X-Amz-Target", ""))
            if delay := ecs.conditions.delay(action):
                await asyncio.sleep(delay)
            answer, fault = calls.answer(ecs, action, body)
        except AwsError as error:
            ecs.count(action, error.code)
            return _aws_response(error.body(), error.status)
        except LostRequestError:
            ecs.count(action, "lost_request")
            _drop(request)
            return _aws_response(b"", 500)
        except Exception:
            log.exception("The local ECS failed to answer %s", action)
            ecs.count(action, "InternalError")
            return _aws_response(AwsError("ServerException", "The local ECS failed.").body(), 500)
        ecs.count(action, fault.kind if fault else answer.outcome)
        if fault is not None:
            await self._spoil(request, fault)
        return _aws_response(answer.body, 200)

    async def _spoil(self, request: web.BaseRequest, fault: Fault) -> None:
        """Withhold a response: drop the connection, or wait until the caller has given up."""
        if fault.kind == "late_response":
            await asyncio.sleep(fault.seconds)
        else:
            _drop(request)

    def _control(self, request: web.BaseRequest, body: bytes) -> web.Response:
        try:
            document = _object(body)
            return _json(admin.handle(self._ecs, request.method, request.path, document), 200)
        except admin.UnknownPathError as error:
            return _json({"message": str(error)}, 404)
        except ConfigurationError as error:
            return _json({"message": str(error)}, 400)


def _drop(request: web.BaseRequest) -> None:
    if request.transport is not None:
        request.transport.abort()


def _aws_response(body: bytes, status: int) -> web.Response:
    headers = {"Content-Type": CONTENT_TYPE, "x-amzn-RequestId": str(uuid.uuid4())}
    return web.Response(body=body, status=status, headers=headers)


def _object(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body or b"{}")
    except ValueError:
        raise ConfigurationError("The body is not valid JSON.") from None
    if not isinstance(document, dict):
        raise ConfigurationError("The body is not a JSON object.")
    return document


def _json(document: Mapping[str, Any], status: int) -> web.Response:
    return web.Response(body=json.dumps(document).encode(), status=status, content_type="application/json")
