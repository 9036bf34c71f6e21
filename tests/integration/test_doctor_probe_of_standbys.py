"""What the probe says of standbys, run as a container runs it, against moto's S3."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from ecs_async_executor.doctor.launch.probe import command, report_in
from ecs_async_executor.standby.command import lease_url, object_url
from ecs_async_executor.standby.waiting import MODULE, WARM_UP
from tests.support.moto import serve_moto

LOCATION = "s3://bucket/airflow/"
LEASE, OWN = (make(LOCATION, "0" * 32) for make in (lease_url, object_url))


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """The endpoint of an S3 with a lease in it."""
    with serve_moto() as url:
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        client: Any = boto3.client("s3", endpoint_url=url, region_name="us-east-1", **keys)
        client.create_bucket(Bucket="bucket")
        client.put_object(Bucket="bucket", Key=LEASE.removeprefix("s3://bucket/"), Body=b"{}")
        yield url


def reported(s3: str, *standby: str) -> dict[str, Any]:
    inputs = {"token": "t", "ti": "u", "region": ["us-east-1"], "standby": [*standby]}
    environment = {
        **os.environ,
        "AWS_ENDPOINT_URL": s3,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": "http://127.0.0.1:1/execution/",
    }
    done = subprocess.run(
        [sys.executable, *command(inputs)[1:]],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    report = report_in(done.stdout.splitlines())
    assert report is not None, done.stderr
    found: dict[str, Any] = report["standby"]
    return found


def test_a_container_that_can_read_its_lease_sees_that_its_own_object_is_not_there(s3: str) -> None:
    found = reported(s3, LEASE, OWN, WARM_UP, MODULE)
    assert found["status"] == 404
    assert -2 <= found["age"] < 100


@pytest.mark.parametrize(
    ("standby", "error"),
    [
        pytest.param((OWN, OWN, WARM_UP, MODULE), "NoSuchKey", id="the lease can't be read"),
        pytest.param((LEASE, OWN, "airflow.no_such_module"), "ModuleNotFoundError", id="no Airflow"),
    ],
)
def test_what_keeps_a_container_from_waiting_is_reported(
    s3: str, standby: tuple[str, ...], error: str
) -> None:
    assert error in reported(s3, *standby)["error"]
