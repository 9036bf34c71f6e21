"""S3, by moto, in a process of its own: importing moto would patch botocore in this one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3

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
    with subprocess.Popen(
        [sys.executable, "-m", "ecs_async_executor.local.moto"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            yield Bucket(server.stdout.readline().strip(), name)
        finally:
            server.stdin.close()
