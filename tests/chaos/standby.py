"""Runs a standby's command as the scheduler sent it, on stand-ins for what it imports: Airflow, and botocore's S3 client.

Those take seconds of CPU to import. The waiting itself, its looks, its lease, its exit codes and its processes are the real
ones; at the end it becomes the light worker. For a standby, time passes ten times as fast as on AWS, and its capacity is
reclaimed now and then while it waits: before a look at its object, never with a workload in hand.
"""

from __future__ import annotations

import http.client
import io
import json
import os
import random
import runpy
import sys
import time
from collections.abc import Callable
from datetime import datetime
from email.utils import format_datetime, parsedate_to_datetime
from types import ModuleType, SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

FASTER = 10
"""So many times as fast do its clock and the ages of leases run."""
RECLAIMED = "CHAOS_RECLAIMED"
"""The environment variable with the probability that a standby is reclaimed at one of its looks, of which there is one a
second."""
_AUTHORIZATION = "AWS4-HMAC-SHA256 Credential=chaos/20200101/us-east-1/s3/aws4_request"


class ClientError(Exception):
    """As botocore's."""

    def __init__(self, status: int) -> None:
        super().__init__(str(status))
        self.response = {"ResponseMetadata": {"HTTPStatusCode": status}}


class S3:
    """As botocore's S3 client, as far as a standby uses it."""

    exceptions = SimpleNamespace(ClientError=ClientError)

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803  botocore's names
        """GetObject; the answer's date makes the object ten times as old."""
        status, headers, body = _request("AWS_ENDPOINT_URL_S3", "GET", f"/{Bucket}/{Key}")
        if status >= 400:
            raise ClientError(status)
        modified, date = (parsedate_to_datetime(headers[name]) for name in ("Last-Modified", "Date"))
        return {
            "Body": io.BytesIO(body),
            "LastModified": modified,
            "ResponseMetadata": {"HTTPHeaders": {"date": _date(modified + FASTER * (date - modified))}},
        }


def play(run: Callable[[], int]) -> None:
    """Run the command in the arguments (`python -c CODE ...`); `run` stands for Airflow's own entry."""
    at = sys.argv.index("-c")
    code, sys.argv[:] = sys.argv[at + 1], ["-c", *sys.argv[at + 2 :]]
    config = SimpleNamespace(Config=lambda **_: None)
    session = SimpleNamespace(Session=lambda: SimpleNamespace(create_client=lambda *_, **__: S3()))
    _stand_in("botocore.session", config=config, session=session)
    _stand_in("airflow.executors.base_executor")
    reclaimed = float(os.environ[RECLAIMED])
    monotonic, sleep, become = time.monotonic, time.sleep, runpy._run_module_as_main  # type: ignore[attr-defined]

    def wait_or_end(seconds: Any, /) -> None:
        if random.random() < reclaimed:  # noqa: S311  no secret depends on it
            _reclaim()
            sleep(60)  # it looks no more
        sleep(seconds)

    def go_on(_: str) -> None:
        time.monotonic, time.sleep = monotonic, sleep
        runpy._run_module_as_main = become  # type: ignore[attr-defined]
        sys.exit(run())

    time.monotonic, time.sleep = lambda: FASTER * monotonic(), wait_or_end
    runpy._run_module_as_main = go_on  # type: ignore[attr-defined]
    exec(compile(code, "<string>", "exec"), {"__name__": "__main__"})  # noqa: S102  that is the command


def _stand_in(name: str, **members: Any) -> None:
    """Have an import of this module succeed; `members` are those of its package."""
    package = ModuleType(name.partition(".")[0])
    vars(package).update(members)
    sys.modules[package.__name__], sys.modules[name] = package, ModuleType(name)


def _reclaim() -> None:
    """Have ECS take the capacity away, with a warning or without."""
    task = os.environ["ECS_LOCAL_TASK"].rpartition("/")[2]
    kind = random.choice(("spot", "host"))  # noqa: S311  no secret depends on it
    _request("AWS_ENDPOINT_URL_ECS", "POST", f"/_local/tasks/{task}/interrupt", json.dumps({"kind": kind}))


def _request(endpoint: str, method: str, path: str, body: str | None = None) -> tuple[int, Any, bytes]:
    url = urlsplit(os.environ[endpoint])
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=5)
    try:
        connection.request(method, path, body, {"Authorization": _AUTHORIZATION})
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()


def _date(moment: datetime) -> str:
    return format_datetime(moment, usegmt=True)
