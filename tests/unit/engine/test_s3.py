from __future__ import annotations

import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import botocore.exceptions as boto
import pytest

from ecs_async_executor.engine.calls import CallError
from ecs_async_executor.engine.ecs import Connection
from ecs_async_executor.engine.failures import Kind, classify_s3
from ecs_async_executor.engine.s3 import S3Client
from ecs_async_executor.errors import ConnectError
from tests.support.engine import error

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

URL = "s3://bucket/airflow/run-1.json"


class FakeSession:
    """What aiobotocore's session is to `S3Client`; its clients raise what stands in `script` first."""

    def __init__(self, *script: Exception) -> None:
        self.script = list(script)
        self.arguments: list[dict[str, Any]] = []
        self.calls: list[tuple[str, dict[str, Any]]] = []

    @asynccontextmanager
    async def create_client(self, service: str, **arguments: Any) -> AsyncIterator[Any]:
        assert service == "s3"
        self.arguments.append(arguments)
        yield self

    async def put_object(self, **arguments: Any) -> Any:
        return self._answer("put", arguments)

    async def delete_object(self, **arguments: Any) -> Any:
        return self._answer("delete", arguments)

    def _answer(self, name: str, arguments: dict[str, Any]) -> Any:
        self.calls.append((name, arguments))
        if self.script:
            raise self.script.pop(0)
        return {"ResponseMetadata": {}}


def s3_client(session: Any, **connection: Any) -> S3Client:
    return S3Client(lambda: Connection(session, **connection), pool_size=5, call_timeout=30)


async def test_an_object_is_put_and_deleted_by_bucket_and_key():
    session = FakeSession()
    client = s3_client(session, s3_endpoint_url="http://s3", endpoint_url="http://ecs", region_name="r")
    await client.put(URL, b"{}")
    await client.delete(URL)
    where = {"Bucket": "bucket", "Key": "airflow/run-1.json"}
    # No ServerSideEncryption: the bucket's own default counts.
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
    ("raised", "remedy"),
    [
        (refusal("AccessDenied", 403), "s3:PutObject"),
        (refusal("AccessDenied", 403, "DeleteObject"), "s3:DeleteObject"),
        (refusal("AllAccessDisabled", 403), "s3:PutObject"),
        (refusal("NoSuchBucket", 404), "`payload_bucket`"),
        (refusal("PermanentRedirect", 301), "`payload_bucket`"),
        (refusal("KMS.DisabledException"), "`payload_bucket`"),
        (boto.ParamValidationError(report="Invalid bucket name"), "`payload_bucket`"),
    ],
)
def test_what_s3_refuses_for_good_is_configuration_with_its_remedy(raised: Exception, remedy: str):
    failure = classify_s3(raised, URL)
    assert failure.kind is Kind.CONFIGURATION
    assert URL in failure.diagnosis.detail
    assert remedy in failure.diagnosis.remedy


@pytest.mark.parametrize(
    "raised",
    [
        refusal("SlowDown", 503),
        refusal("InternalError", 500),
        refusal("RequestTimeout"),
        refusal("OperationAborted", 409),
        refusal("", 429),
        TimeoutError(),
        boto.EndpointConnectionError(endpoint_url="http://s3", error=aiohttp.ClientOSError()),
        boto.ConnectTimeoutError(endpoint_url="http://s3"),
    ],
)
def test_what_may_pass_is_waited_for(raised: Exception):
    failure = classify_s3(raised, URL)
    assert failure.kind is Kind.PAYLOAD
    assert URL in failure.diagnosis.detail


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
async def test_refused_credentials_are_taken_anew_and_pause_no_engine(raised: Exception):
    session = FakeSession(raised)
    client = s3_client(session)
    with pytest.raises(CallError) as caught:
        await client.put(URL, b"{}")
    assert caught.value.failure.kind is Kind.PAYLOAD
    await client.put(URL, b"{}")
    assert len(session.arguments) == 2
    await client.aclose()


async def test_after_any_other_failure_the_client_is_kept():
    session = FakeSession(refusal("SlowDown", 503), refusal("AccessDenied", 403))
    client = s3_client(session)
    for kind in (Kind.PAYLOAD, Kind.CONFIGURATION):
        with pytest.raises(CallError) as caught:
            await client.put(URL, b"{}")
        assert caught.value.failure.kind is kind
    await client.put(URL, b"{}")
    assert len(session.arguments) == 1
    await client.aclose()


async def test_an_error_of_our_own_is_logged_and_waited_for(caplog: pytest.LogCaptureFixture):
    client = s3_client(FakeSession(RuntimeError("a bug")))
    with caplog.at_level(logging.ERROR), pytest.raises(CallError) as caught:
        await client.put(URL, b"the-token")
    assert caught.value.failure.kind is Kind.PAYLOAD
    assert "A call to S3 failed in an unexpected way." in caplog.messages
    assert "the-token" not in caplog.text
    await client.aclose()
