"""The engine's client, over HTTP: what aiobotocore really raises, and what it really logs."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing, suppress
from typing import Any

import botocore.exceptions as boto
import pytest
from aiobotocore.config import AioConfig
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from ecs_async_executor.engine.aws.client import silence_request_logs
from ecs_async_executor.engine.aws.ecs import EcsClient
from ecs_async_executor.engine.diagnosis.call_failures import Kind, classify
from ecs_async_executor.local import Control
from tests.support.live_engine import LiveEngine, body, connect_to

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def client_of(url: str, *, call_timeout: float = 5.0) -> AsyncIterator[EcsClient]:
    client = EcsClient(connect_to(url), pool_size=10, call_timeout=call_timeout)
    try:
        yield client
    finally:
        await client.aclose()


async def kind_of_failure(url: str, *, call_timeout: float = 30.0) -> tuple[Kind, str]:
    async with client_of(url, call_timeout=call_timeout) as client:
        try:
            await client.run_task(body())
        except Exception as error:  # noqa: BLE001  whatever it is, it is to be classified
            return classify(error).kind, type(error).__name__
    raise AssertionError("it did not fail")


@asynccontextmanager
async def server(serve: Serve) -> AsyncIterator[str]:
    served: list[asyncio.Task[None]] = []

    async def serve_and_close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    listener = await asyncio.start_server(
        lambda *streams: served.append(asyncio.ensure_future(serve_and_close(*streams))), "127.0.0.1", 0
    )
    async with listener:
        yield f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    await asyncio.gather(*served)


def answering(answer: bytes) -> Serve:
    """Read a whole request, send this, and close."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length")
        )
        await reader.readexactly(length)
        writer.write(answer)

    return serve


# --- what may have done its work, and what can't have -----------------------------------------------------


async def test_a_refused_connection_has_done_nothing():
    with closing(socket.socket()) as taken:  # nobody else can listen there
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        found = await kind_of_failure(f"http://127.0.0.1:{port}")
    assert found == (Kind.NETWORK, "EndpointConnectionError")


async def test_an_unknown_name_has_done_nothing():
    assert await kind_of_failure("http://no-such-host.invalid") == (Kind.NETWORK, "EndpointConnectionError")


async def test_a_handshake_that_fails_has_done_nothing():
    async def no_tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with server(no_tls) as url:
        kind, _ = await kind_of_failure(url.replace("http:", "https:"))
    assert kind is Kind.NETWORK


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{",
        b"no HTTP at all\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>",
        b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 6\r\n\r\n<html>",
    ],
    ids=["closed", "cut short", "not HTTP", "not JSON", "gateway"],
)
async def test_a_connection_that_breaks_after_the_request_may_have_done_its_work(answer: bytes):
    async with server(answering(answer)) as url:
        kind, _ = await kind_of_failure(url)
    assert kind is Kind.UNKNOWN


async def test_a_reset_after_the_request_may_have_done_its_work():
    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.transport.abort()

    async with server(reset) as url:
        kind, _ = await kind_of_failure(url)
    assert kind is Kind.UNKNOWN


async def test_an_answer_that_does_not_come_may_have_done_its_work():
    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with server(silent) as url:
        kind, _ = await kind_of_failure(url, call_timeout=5.0)
    assert kind is Kind.UNKNOWN


# --- just as a stock client -------------------------------------------------------------------------------


@asynccontextmanager
async def stock_client_of(url: str) -> AsyncIterator[Any]:
    connection = connect_to(url)()
    config = AioConfig(
        retries={"mode": "standard", "total_max_attempts": 1}, connect_timeout=5, read_timeout=30
    )
    async with connection.session.create_client(
        "ecs", region_name="us-east-1", endpoint_url=url, config=config
    ) as client:
        yield client


async def both_errors(url: str) -> tuple[Exception, Exception]:
    """Let RunTask fail with our client and with a stock one."""
    async with client_of(url, call_timeout=30.0) as client, stock_client_of(url) as stock:
        with pytest.raises(Exception) as ours:  # noqa: PT011  which one is the question
            await client.run_task(body())
        with pytest.raises(Exception) as theirs:  # noqa: PT011  which one is the question
            await stock.run_task(**body())
    return ours.value, theirs.value


def http(status: int, text: bytes, *headers: bytes) -> bytes:
    head = [
        b"HTTP/1.1 %d Reason" % status,
        b"Content-Length: %d" % len(text),
        b"x-amzn-RequestId: 1",
        *headers,
    ]
    return b"\r\n".join([*head, b"", text])


@pytest.mark.parametrize(
    "answer",
    [
        http(400, b'{"__type": "ThrottlingException", "message": "Rate exceeded"}'),
        http(
            400, b'{"__type": "com.amazonaws.ecs#ClusterNotFoundException", "Message": "Cluster not found."}'
        ),
        http(400, b'{"__type": "ConflictException", "message": "Known.", "resourceIds": ["arn:1", "arn:2"]}'),
        http(400, b'{"__type": "AccessDeniedException", "Message": "not authorized", "more": 7}'),
        http(400, b'{"__type": "ANewException:http://somewhere/", "message": "New."}'),
        http(400, b'{"message": "Typed by the header."}', b"x-amzn-errortype: InvalidParameterException"),
        http(400, b'{"code": "UnrecognizedClientException"}', b"Content-Type: application/x-amz-json-1.1"),
        http(300, b'{"__type": "Redirected", "message": "there"}'),
        http(301, b"", b"Location: http://127.0.0.1:1/"),
        http(403, b'{"__type": "ExpiredTokenException", "message": "expired"}'),
        http(413, b""),
        http(429, b"[]"),
        http(500, b'{"__type": "ServerException"}'),
        http(500, b""),
        http(502, b"<html>Bad Gateway</html>"),
        http(503, b'{"message": null}'),
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{",
        b"no HTTP at all\r\n\r\n",
    ],
)
async def test_errors_are_those_of_a_stock_client(answer: bytes):
    async with server(answering(answer)) as url:
        ours, theirs = await both_errors(url)
    assert (type(ours).__name__, str(ours)) == (type(theirs).__name__, str(theirs))
    assert [kind.__name__ for kind in type(ours).__mro__] == [kind.__name__ for kind in type(theirs).__mro__]
    assert getattr(ours, "response", None) == getattr(theirs, "response", None)
    assert getattr(ours, "operation_name", None) == getattr(theirs, "operation_name", None)
    assert classify(ours) == classify(theirs)


async def test_requests_are_those_of_a_stock_client():
    received: list[bytes] = []

    async def record(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        received.extend([head, await reader.readexactly(length)])
        writer.write(http(200, b'{"tasks": []}', b"Connection: close"))

    request = {**body(TEAM="data \N{BULLET} team"), "clientToken": "1-1", "startedBy": "airflow/1"}
    async with server(record) as url, client_of(url) as client, stock_client_of(url) as stock:
        for _ in range(2):  # the first call teaches the second its shortcuts
            await client.run_task(request)
        await stock.run_task(**request)
    _, _, head, sent, stock_head, stock_sent = received
    assert json.loads(sent) == json.loads(stock_sent) == request
    assert steady(head) == steady(stock_head)
    assert b"\r\nauthorization: aws4-hmac-sha256 credential=local/" in head.lower()


def steady(head: bytes) -> dict[bytes, bytes]:
    """Give a request's headers without what is another one for every request."""
    headers = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
    for name in (b"X-Amz-Date", b"Authorization", b"amz-sdk-invocation-id", b"Content-Length"):
        headers.pop(name)
    # The features are written in the order of a set.
    headers[b"User-Agent"] = b" ".join(bytes(sorted(part)) for part in headers[b"User-Agent"].split())
    return headers


async def test_each_request_is_signed_for_what_it_sends():
    signed: list[tuple[bool, bytes]] = []

    async def verify(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:-2])
        content = await reader.readexactly(int(headers["Content-Length"]))
        names = headers["Authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
        request = AWSRequest(
            "POST",
            f"http://{headers['Host']}/",
            {k: v for k, v in headers.items() if k.lower() in names},
            content,
        )
        request.context["timestamp"] = headers["X-Amz-Date"]
        auth = SigV4Auth(Credentials("local", "local"), "ecs", "us-east-1")
        expected = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
        signed.append((headers["Authorization"].endswith(f"Signature={expected}"), content))
        writer.write(http(200, b'{"tasks": []}', b"Connection: close"))

    async with server(verify) as url, client_of(url) as client:
        for number in range(3):
            await client.describe_tasks("default", [str(number)])
    assert [valid for valid, _ in signed] == [True] * 3
    assert [json.loads(content)["tasks"] for _, content in signed] == [["0"], ["1"], ["2"]]


# --- event hooks ---


def record_events(client: Any, events: list[tuple[str, set[str], Any]]) -> None:
    """Have every event of the client's calls noted: its name, what it comes with, and the answer's metadata."""

    def note(event_name: str, **given: Any) -> None:
        answer = given.get("parsed") or given.get("parsed_response") or {}
        metadata = dict(answer.get("ResponseMetadata", {}))
        metadata["HTTPHeaders"] = sorted(metadata.get("HTTPHeaders", {}))
        metadata.pop("RequestId", None)
        events.append((event_name, given.keys() - {"event_name"}, metadata))

    for name in EVENTS:
        client.meta.events.register(f"{name}.ecs", note)


EVENTS = (
    "provide-client-params",
    "before-parameter-build",
    "before-call",
    "request-created",
    "choose-signer",
    "before-sign",
    "before-send",
    "response-received",
    "needs-retry",
    "after-call",
    "after-call-error",
)


@pytest.mark.parametrize("fault", [None, "throttle", "lost_response"])
async def test_event_hooks_are_those_of_a_stock_client(ecs: Control, fault: str | None):
    """Agents and users hang their own code on them."""
    ours: list[Any] = []
    theirs: list[Any] = []
    request = {**body(), "startedBy": "airflow/1"}
    async with (
        client_of(ecs.endpoint_url, call_timeout=30) as client,
        stock_client_of(ecs.endpoint_url) as stock,
    ):
        await client.run_task(request)  # the second call takes the shortcuts
        record_events(client._client, ours)
        record_events(stock, theirs)
        for call in (client.run_task(request), stock.run_task(**request)):
            if fault is not None:
                ecs.add_fault(fault, action="RunTask", times=1)
            with suppress(boto.ClientError, boto.HTTPClientError, TimeoutError):
                await call
    assert ours == theirs
    fired = {name.partition(".")[0] for name, _, _ in ours}
    unfired = {None: {"after-call-error"}, "throttle": {"after-call-error"}, "lost_response": {"after-call"}}
    assert fired == set(EVENTS) - unfired[fault]


# --- answers ----------------------------------------------------------------------------------------------


async def test_answers_come_as_models(ecs: Control):
    ecs.set_plan(duration=60)
    async with client_of(ecs.endpoint_url) as client:
        request = {**body(), "startedBy": "airflow/test/1", "clientToken": "1-1"}
        (task,) = (await client.run_task(request)).tasks
        (described,) = (await client.describe_tasks("default", [task.task_arn])).tasks
        assert await client.list_tasks_started_by("default", "airflow/test/1") == (task.task_arn,)
        await client.stop_task("default", task.task_arn, "because")
        missing = await client.describe_tasks("default", ["0" * 32])
        (stopped,) = (await client.describe_tasks("default", [task.task_arn])).tasks
    assert described.containers[0].name == "airflow"
    assert [failure.reason for failure in missing.failures] == ["MISSING"]
    assert (stopped.last_status, stopped.stop_code) == ("STOPPED", "UserInitiated")


async def test_error_answers_are_raised_as_ever(ecs: Control):
    async with client_of(ecs.endpoint_url) as client:
        first = {**body(), "clientToken": "token"}
        (task,) = (await client.run_task(first)).tasks
        with pytest.raises(boto.ClientError) as conflict:
            await client.run_task({**body(MORE="1"), "clientToken": "token"})
        with pytest.raises(boto.ClientError) as unknown:
            await client.describe_tasks("nowhere", [task.task_arn])
        ecs.add_fault("server_error", times=1)
        with pytest.raises(boto.ClientError) as broken:
            await client.list_tasks_started_by("default", "airflow")
        with pytest.raises(boto.ParamValidationError):
            await client.run_task({"taskDefinition": 7})
    assert classify(conflict.value).kind is Kind.EXISTS
    assert classify(conflict.value).arns == (task.task_arn,)
    assert classify(unknown.value).kind is Kind.NOT_FOUND
    assert classify(broken.value).kind is Kind.UNKNOWN


async def test_the_sdk_sends_each_call_once(ecs: Control):
    ecs.add_fault("throttle", action="RunTask")
    async with client_of(ecs.endpoint_url) as client:
        with pytest.raises(boto.ClientError):
            await client.run_task(body())
    assert ecs.calls()["RunTask"] == {"ThrottlingException": 1}


async def test_a_new_client_works_after_forget_and_the_old_ones_are_closed_at_the_end(ecs: Control):
    async with client_of(ecs.endpoint_url) as client:
        for _ in range(3):
            assert await client.list_tasks_started_by("default", "nobody") == ()
            client.forget()


# --- secrets ----------------------------------------------------------------------------------------------


def test_no_log_record_of_any_kind_holds_a_tasks_secret(
    ecs: Control, engine: LiveEngine, caplog: pytest.LogCaptureFixture
):
    silence_request_logs()
    caplog.set_level(logging.DEBUG)
    request = body(command=["run", "--token", "the-secret"], TOKEN="the-secret")
    ecs.set_plan(duration=0.2)
    ecs.add_fault("lost_response", action="RunTask", times=1)
    ecs.add_fault("server_error", times=1)
    ecs.add_fault("throttle", times=1)
    runs = engine.launch_many(3, request=request)
    wrong: dict[str, Any] = {
        **request,
        "overrides": {"containerOverrides": [{"name": "x", "command": "the-secret"}]},
    }
    engine.ends_of([*runs, engine.launch(wrong)])
    engine.thread.close(10)
    assert [record for record in caplog.records if record.name.startswith("botocore")]
    assert [
        record for record in caplog.records if "the-secret" in f"{record.getMessage()} {record.exc_text}"
    ] == []
    assert "the-secret" not in caplog.text
    assert "the-secret" not in repr(engine.reports)
