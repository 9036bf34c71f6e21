"""The engine under the tracing agents that people run schedulers with, installed for real."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from ecs_async_executor.local import Control
from tests.support.s3 import Bucket, bucket

CALLS = {"RunTask", "DescribeTasks", "ListTasks", "StopTask", "DescribeClusters", "PutObject", "DeleteObject"}
QUIET = {"DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false", "DD_REMOTE_CONFIGURATION_ENABLED": "false"}


@pytest.fixture(scope="module")
def payloads() -> Iterator[Bucket]:
    with bucket() as served:
        yield served


def run_under(agent: str, ecs: Control, payloads: Bucket) -> Any:
    """Run engines in a process of its own, in which warnings are errors."""
    done = subprocess.run(
        [
            *(sys.executable, "-W", "error", "-m", "tests.support.traced"),
            *(agent, ecs.endpoint_url, payloads.endpoint_url),
        ],
        env={**os.environ, **QUIET},
        capture_output=True,
        text=True,
        check=False,
        timeout=170,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("agent", ["nothing", "ddtrace", "opentelemetry", "xray", "sentry"])
def test_every_kind_of_call_works_under_an_agent_and_is_recorded(agent: str, ecs: Control, payloads: Bucket):
    seen = run_under(agent, ecs, payloads)
    assert seen["ends"] == {"short": "Stopped", "long": "Stopped"}
    assert seen["health"] == ["None"]
    assert seen["waits"] == []
    assert payloads.names() == []
    assert ecs.calls()["RunTask"] == {"ok": 2}
    recorded = set(seen["recorded"])
    if agent == "sentry":
        assert {url.rstrip("/") for url in recorded} >= {ecs.endpoint_url.rstrip("/"), "aiohttp"}
    elif agent != "nothing":
        assert recorded >= CALLS


def test_an_agent_that_raises_is_named_and_the_run_fails_instead_of_waiting_for_ever(
    ecs: Control, payloads: Bucket
):
    """X-Ray with AWS_XRAY_CONTEXT_MISSING=RUNTIME_ERROR, in a thread that has no segment."""
    seen = run_under("xray_without_a_segment", ecs, payloads)
    assert seen["ends"] == {"short": "LaunchFailed"}
    for said in (seen["diagnoses"]["short"], *seen["health"]):
        assert "SegmentNotFoundException" in said
        assert "raised in aws_xray_sdk." in said
        assert "Upgrade aws_xray_sdk, or disable" in said
    assert "Nothing to do" not in str(seen)
