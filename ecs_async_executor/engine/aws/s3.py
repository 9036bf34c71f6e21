"""The S3 client: stores workloads that are too long for RunTask."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import anyio

from ecs_async_executor.engine.aws.client import AwsClient, Connect
from ecs_async_executor.engine.diagnosis.call_failures import CallError, Kind
from ecs_async_executor.engine.diagnosis.faults import is_expected, stack_of
from ecs_async_executor.engine.diagnosis.s3_failures import classify_s3
from ecs_async_executor.engine.payloads import split
from ecs_async_executor.log_digest import LogDigest
from ecs_async_executor.measurements import Measurements
from ecs_async_executor.metrics import API_ERRORS, API_LATENCY, PAYLOAD_PUTS
from ecs_async_executor.standby.command import is_lease

KEPT = 10.0
"""Seconds to keep a client that was created for fresh credentials, even if those are refused too: creating
one takes a tenth of a second of the loop's time."""


_ACTIONS = {"put_object": "PutObject", "delete_object": "DeleteObject"}


class S3Client(AwsClient):
    """Has its own session and no circuit breaker: S3's failures say nothing about ECS. Few engines use it.

    Its calls raise `CallError` of kind `CONFIGURATION` (S3 will always refuse it), `DENIED` or `PAYLOAD` (it may have been
    carried out).
    """

    service = "s3"
    _forgotten_at = float("-inf")

    def __init__(
        self,
        connect: Connect,
        digest: LogDigest,
        *,
        pool_size: int,
        call_timeout: float,
        measurements: Measurements | None = None,
    ) -> None:
        super().__init__(connect, pool_size=pool_size, call_timeout=call_timeout)
        self._digest = digest
        self._measurements = measurements or Measurements()

    async def put(self, url: str, data: bytes) -> None:
        """PutObject.

        It requests no encryption: S3 encrypts every object by the bucket's default, which may be a KMS key.
        """
        await self._try("put_object", url, Body=data, ContentType="application/json")
        if not is_lease(url):  # it holds no workload
            self._measurements.count(PAYLOAD_PUTS)

    async def put_once(self, url: str, data: bytes) -> bool:
        """PutObject unless the object exists (`If-None-Match: *`); return whether it didn't.

        After an earlier call for the same object whose outcome is unknown, False may mean that this call has written it.
        """
        try:
            await self._try("put_object", url, Body=data, ContentType="application/json", IfNoneMatch="*")
        except CallError as error:
            if error.failure.kind is Kind.EXISTS:
                return False
            raise
        return True

    async def delete(self, url: str) -> None:
        """DeleteObject, which also succeeds for an object that is gone."""
        await self._try("delete_object", url)

    async def _try(self, operation: str, url: str, **arguments: Any) -> None:
        bucket, key = split(url)
        client, region, action, begun = None, "", _ACTIONS[operation], anyio.current_time()
        try:
            client = await self._ready()
            region = str(client.meta.region_name or "")
            await self._call_on(client, operation, Bucket=bucket, Key=key, **arguments)
        except Exception as error:
            failure = classify_s3(error, url, region)
            if failure.kind is not Kind.EXISTS:
                self._measurements.count(API_ERRORS, action, failure.kind.value)
            if not is_expected(error):
                self._digest.note(
                    (S3Client, failure.diagnosis.summary),
                    f"A call to S3 failed. {failure.diagnosis}",
                    anyio.current_time(),
                    level=logging.ERROR,
                    detail=stack_of(error),
                )
            if failure.kind is Kind.CREDENTIALS:
                self._forget_refused(client)
                failure = replace(failure, kind=Kind.PAYLOAD)
            raise CallError(failure) from error
        finally:
            self._measurements.time(API_LATENCY, anyio.current_time() - begun, action)

    def _forget_refused(self, client: Any) -> None:
        """Get fresh credentials, but only once: a late refusal concerns the old client, not the new one."""
        now = anyio.current_time()
        if client is not None and client is self._client and now - self._forgotten_at >= KEPT:
            self._forgotten_at = now
            self.forget()
