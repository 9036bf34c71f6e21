"""A bucket in moto's S3, alone or in the local ECS."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3

from ecs_async_executor.local import Control, Options, serve_in_thread
from ecs_async_executor.local.options import BUCKET
from tests.support.moto import serve_moto

KEYS = {"region_name": "us-east-1", "aws_access_key_id": "local", "aws_secret_access_key": "local"}


class Bucket:
    """One bucket, as its owner sees it."""

    def __init__(self, url: str, name: str) -> None:
        self.endpoint_url = url
        self.name = name
        self.client: Any = boto3.client("s3", endpoint_url=url, **KEYS)
        self.client.create_bucket(Bucket=name)

    def names(self) -> list[str]:
        """Give the keys of all objects."""
        return [each["Key"] for each in self.client.list_objects_v2(Bucket=self.name).get("Contents", [])]

    def text(self, key: str) -> str:
        """Give what an object holds."""
        return str(self.client.get_object(Bucket=self.name, Key=key)["Body"].read().decode())

    def empty(self) -> None:
        """Delete everything."""
        for key in self.names():
            self.client.delete_object(Bucket=self.name, Key=key)


@contextmanager
def bucket(name: str = "payloads") -> Iterator[Bucket]:
    """Serve an empty bucket."""
    with serve_moto() as url:
        yield Bucket(url, name)


@contextmanager
def ecs_with_s3(**options: Any) -> Iterator[tuple[Control, Bucket]]:
    """Run a local ECS with an S3; `options` are those of `ecs_async_executor.local.Options`.

    The scheduler's S3 is the control's `s3_endpoint_url`, which has the faults; containers know it. The bucket is the
    local S3's own, `airflow`, seen without the faults.
    """
    with serve_moto() as kept_at, serve_in_thread(Options(**{"s3": kept_at, **options})) as ecs:
        yield ecs, Bucket(kept_at, BUCKET)
