"""The S3 client: where workloads go that are too long for RunTask."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

from ecs_async_executor.engine.calls import CallError
from ecs_async_executor.engine.ecs import AwsClient, Connection
from ecs_async_executor.engine.failures import Kind, classify_s3, is_expected
from ecs_async_executor.engine.payloads import split

log = logging.getLogger(__name__)


class S3Client(AwsClient):
    """Has a session of its own, and passes no gate: S3's troubles are none of ECS's. Most engines never make it.

    Its calls raise `CallError` of kind `CONFIGURATION` (S3 refuses it, and will again) or `PAYLOAD`.
    """

    service = "s3"

    async def put(self, url: str, data: bytes) -> None:
        """PutObject.

        It asks for no encryption: S3 encrypts every object, by the bucket's own default, with a KMS key if that says so.
        """
        await self._try("put_object", url, Body=data, ContentType="application/json")

    async def delete(self, url: str) -> None:
        """DeleteObject; of one that is gone as well."""
        await self._try("delete_object", url)

    async def _try(self, operation: str, url: str, **arguments: Any) -> None:
        bucket, key = split(url)
        try:
            await self._call(operation, Bucket=bucket, Key=key, **arguments)
        except Exception as error:
            failure = classify_s3(error, url)
            if not is_expected(error):
                log.exception("A call to S3 failed in an unexpected way.")
            if failure.kind is Kind.CREDENTIALS:
                self.forget()
                failure = replace(failure, kind=Kind.PAYLOAD)
            raise CallError(failure) from error

    def _endpoint(self, connection: Connection) -> str | None:
        return connection.s3_endpoint_url
