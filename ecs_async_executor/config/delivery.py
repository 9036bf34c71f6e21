"""How a container gets its workload: in its command, or, if that is too long for RunTask, from S3. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from ecs_async_executor.engine.payloads import NOT_FETCHED, url_of
from ecs_async_executor.messages import Payload

_MODULE = "airflow.sdk.execution_time.execute_workload"
# It runs in the task's image and needs what Airflow's own has: Python and the Amazon provider's boto3. The workload
# touches no disk and stands in no command line; then the process becomes Airflow's usual one. It is terse since it counts
# among the characters that ECS takes.
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
"""Characters of a workload with the shortest names."""
FETCH_SIZE = 800
"""Characters that the command takes, about: more than 600, and the names of bucket and prefix."""


def in_command(workload: str) -> list[str]:
    """Give the command that holds the workload."""
    return ["python", "-m", _MODULE, "--json-string", workload]


@dataclass(frozen=True, slots=True)
class Bucket:
    """Where in S3 long workloads go."""

    location: str
    """As `s3://bucket/prefix/`."""
    region: str | None = None
    """For the container's S3 client. None: as its environment says; S3 finds the bucket from any Region that answers."""

    def deliver(self, name: str, workload: str) -> tuple[list[str], Payload]:
        """Give the command that fetches the workload, and what it is to find."""
        url = url_of(self.location, name)
        region = [self.region] if self.region else []
        return ["python", "-c", FETCH, *region, url], Payload(url, workload.encode())


@dataclass(frozen=True, slots=True)
class Delivery:
    """A workload on its way through a bucket, if it turns out to be too long."""

    bucket: Bucket
    name: str
    workload: str = field(repr=False)
    """It holds a token."""

    def __call__(self) -> tuple[list[str], Payload]:
        """Give the command that fetches the workload, and what the engine has to put where that command looks."""
        return self.bucket.deliver(self.name, self.workload)
