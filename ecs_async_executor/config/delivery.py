"""How a container gets its workload: in its command, or, if that is too long for RunTask, from S3. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from ecs_async_executor.engine.payloads import NOT_FETCHED, url_of
from ecs_async_executor.messages import Payload

_MODULE = "airflow.sdk.execution_time.execute_workload"
# This runs in the task's image and needs what Airflow's own image has: Python and the Amazon provider's boto3. It writes
# the workload to no disk and no command line, then becomes Airflow's usual process. It is terse because it counts towards
# ECS's limit on characters.
FETCH = f"""\
import os, sys
*region, url = sys.argv[1:]
try:
 import boto3
 bucket, key = url[5:].split("/", 1)
 file = os.memfd_create("workload", 0)
 os.write(file, boto3.client("s3", *region).get_object(Bucket=bucket, Key=key)["Body"].read())
except Exception as error:
 print(f"Can't fetch {{url}}: {{error!r}}. The task role needs s3:GetObject.", file=sys.stderr)
 sys.exit({NOT_FETCHED})
os.execv(sys.executable, [sys.executable, "-m", "{_MODULE}", "--json-path", f"/proc/self/fd/{{file}}"])
"""
SHORTEST_WORKLOAD = 1000
"""Length of a workload with the shortest names, in characters."""
FETCH_SIZE = 800
"""Approximate length of the command in characters: over 600, plus the names of bucket and prefix."""


def in_command(workload: str) -> list[str]:
    """Return the command that contains the workload."""
    return ["python", "-m", _MODULE, "--json-string", workload]


@dataclass(frozen=True, slots=True)
class Bucket:
    """The place in S3 for long workloads."""

    location: str
    """As `s3://bucket/prefix/`."""
    region: str | None = None
    """For the container's S3 client. None: its environment decides; S3 finds the bucket from any Region that answers."""

    def deliver(self, name: str, workload: str) -> tuple[list[str], Payload]:
        """Return the command that fetches the workload, and the payload it will find."""
        url = url_of(self.location, name)
        region = [self.region] if self.region else []
        return ["python", "-c", FETCH, *region, url], Payload(url, workload.encode())


@dataclass(frozen=True, slots=True)
class Delivery:
    """Sends a workload through a bucket if it turns out to be too long."""

    bucket: Bucket
    name: str
    workload: str = field(repr=False)
    """It contains a token."""

    def __call__(self) -> tuple[list[str], Payload]:
        """Return the command that fetches the workload, and the payload the engine must upload for it."""
        return self.bucket.deliver(self.name, self.workload)
