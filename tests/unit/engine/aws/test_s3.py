from __future__ import annotations

import logging
from contextlib import asynccontextmanager
from copy import copy
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import anyio
import botocore.exceptions as boto
import pytest

from ecs_async_executor.engine.aws import s3
from ecs_async_executor.engine.aws.client import Connection
from ecs_async_executor.engine.aws.s3 import S3Client
from ecs_async_executor.engine.diagnosis.call_failures import CallError, Kind
from ecs_async_executor.errors import ConnectError
from ecs_async_executor.log_digest import LogDigest
from tests.support.engine import error

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

URL = "s3://bucket/airflow/run-001.json"


class FakeSession:
    """Takes the place of aiobotocore's session in `S3Client`; its clients first raise what `script` holds."""

    def __init__(self, *script: Exception) -> None:
        self.script = list(script)
        self.meta = SimpleNamespace(region_name="cn-north-1")
        self.arguments: list[dict[str, Any]] = []
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.called = anyio.Event()
        self.first_answer: anyio.Event | None = None
        """If given, the first call is answered only when this event is set."""

    @asynccontextmanager
    async def create_client(self, service: str, **arguments: Any) -> AsyncIterator[Any]:
        assert service == "s3"
        self.arguments.append(arguments)
        yield copy(self)

    async def put_object(self, **arguments: Any) -> Any:
        return await self._answer("put", arguments)

    async def delete_object(self, **arguments: Any) -> Any:
        return await self._answer("delete", arguments)

    async def _answer(self, name: str, arguments: dict[str, Any]) -> Any:
        self.calls.append((name, arguments))
        self.called.set()
        raised = self.script.pop(0) if self.script else None
        if self.first_answer is not None and len(self.calls) == 1:
            await self.first_answer.wait()
        if raised is not None:
            raise raised
        return {"ResponseMetadata": {}}


async def refused(client: S3Client) -> None:
    """Make a put that is refused."""
    with pytest.raises(CallError):
        await client.put(URL, b"{}")


def s3_client(session: Any, **connection: Any) -> S3Client:
    digest = LogDigest(logging.getLogger("engine").log)
    return S3Client(lambda: Connection(session, **connection), digest, pool_size=5, call_timeout=30)


async def test_what_is_denied_is_named_in_the_partition_of_the_clients_region():
    client = s3_client(FakeSession(error("AccessDenied", "no", status=403, operation="PutObject")))
    with pytest.raises(CallError) as caught:
        await client.put(URL, b"{}")
    assert '"arn:aws-cn:s3:::bucket/airflow/*"' in caught.value.failure.diagnosis.remedy


async def test_an_object_is_put_and_deleted_by_bucket_and_key():
    session = FakeSession()
    client = s3_client(session, s3_endpoint_url="http://s3", endpoint_url="http://ecs", region_name="r")
    await client.put(URL, b"{}")
    await client.delete(URL)
    where = {"Bucket": "bucket", "Key": "airflow/run-001.json"}
    # No ServerSideEncryption: the bucket's default applies.
    put = {**where, "Body": b"{}", "ContentType": "application/json"}
    assert session.calls == [("put", put), ("delete", where)]
    (arguments,) = session.arguments
    assert (arguments["endpoint_url"], arguments["region_name"]) == ("http://s3", "r")
    assert arguments["config"].retries == {"mode": "standard", "total_max_attempts": 1}
    await client.aclose()


def refusal(code: str, status: int = 400, operation: str = "PutObject") -> Exception:
    made: Exception = error(code, "why", status=status, operation=operation)
    return made


@pytest.mark.parametrize(
    "raised",
    [
        refusal("ExpiredToken"),
        refusal("InvalidAccessKeyId", 403),
        refusal("SignatureDoesNotMatch", 403),
        refusal("RequestTimeTooSkewed", 403),
        refusal("AccessDenied", 403, "AssumeRole"),
        boto.NoCredentialsError(),
        ConnectError("The AWS connection can't be made."),
    ],
)
async def test_refused_credentials_are_replaced_and_do_not_pause_the_engine(raised: Exception):
    session = FakeSession(raised)
    client = s3_client(session)
    with pytest.raises(CallError) as caught:
        await client.put(URL, b"{}")
    assert caught.value.failure.kind is Kind.PAYLOAD
    await client.put(URL, b"{}")
    assert len(session.arguments) == 2
    await client.aclose()


async def test_a_late_refusal_leaves_the_new_client_alone(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(s3, "KEPT", 0.0)
    session = FakeSession(*[refusal("InvalidAccessKeyId", 403)] * 2)
    session.first_answer = anyio.Event()
    client = s3_client(session)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(refused, client)
        await session.called.wait()
        await refused(client)
        await client.put(URL, b"{}")
        session.first_answer.set()
    await client.put(URL, b"{}")
    assert len(session.arguments) == 2
    await client.aclose()


async def test_credentials_that_stay_refused_do_not_create_a_client_for_each_call():
    session = FakeSession(*[refusal("InvalidAccessKeyId", 403)] * 20)
    client = s3_client(session)
    for _ in range(20):
        await refused(client)
    await client.put(URL, b"{}")
    assert len(session.arguments) == 2
    await client.aclose()


async def test_after_any_other_failure_the_client_is_kept():
    session = FakeSession(refusal("SlowDown", 503), refusal("AccessDenied", 403))
    client = s3_client(session)
    for kind in (Kind.PAYLOAD, Kind.DENIED):
        with pytest.raises(CallError) as caught:
            await client.put(URL, b"{}")
        assert caught.value.failure.kind is kind
    await client.put(URL, b"{}")
    assert len(session.arguments) == 1
    await client.aclose()


async def test_a_fault_of_ours_is_logged_and_counts_as_a_payload_failure(caplog: pytest.LogCaptureFixture):
    client = s3_client(FakeSession(RuntimeError("a bug")))
    with caplog.at_level(logging.ERROR), pytest.raises(CallError) as caught:
        await client.put(URL, b"the-token")
    assert caught.value.failure.kind is Kind.PAYLOAD
    assert "RuntimeError: a bug, raised in tests.unit.engine.aws.test_s3" in str(caught.value)
    assert "Nothing to do" not in str(caught.value)
    assert "A call to S3 failed. " in caplog.text
    assert "the-token" not in caplog.text
    await client.aclose()


async def test_an_object_is_put_once_on_condition_that_there_is_none():
    session = FakeSession(error("PreconditionFailed", status=412, operation="PutObject"))
    client = s3_client(session)
    assert await client.put_once(URL, b"{}") is False
    assert await client.put_once(URL, b"{}") is True
    assert [arguments["IfNoneMatch"] for _, arguments in session.calls] == ["*", "*"]
    await client.aclose()


async def test_a_put_under_a_condition_raises_what_is_no_answer_to_the_condition():
    client = s3_client(FakeSession(error("AccessDenied", status=403, operation="PutObject")))
    with pytest.raises(CallError) as caught:
        await client.put_once(URL, b"{}")
    assert caught.value.failure.kind is Kind.DENIED
