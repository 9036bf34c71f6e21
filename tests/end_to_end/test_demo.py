from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import httpx
import pytest

ROOT = Path(__file__).parents[2]


def without_airflow() -> dict[str, str]:
    """The demo brings its own Airflow: nothing of the one that this test run uses may reach it."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "AWS_"))}


@pytest.fixture(scope="module")
def kept() -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The demo with --keep, which has come to its end, and what it has printed until then."""
    command = (
        sys.executable,
        "-u",
        "-m",
        "ecs_async_executor",
        "demo",
        "--no-live",
        "--keep",
        "--timeout",
        "840",
    )
    environment = {**without_airflow(), "COLUMNS": "100"}
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as demo:
        assert demo.stdout is not None
        printed = ""
        try:
            for line in demo.stdout:
                printed += line
                if "until Ctrl-C" in line:
                    break
            yield demo, printed
        finally:
            if demo.poll() is None:
                demo.send_signal(signal.SIGINT)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_demo_runs_real_dags_and_all_end_as_their_authors_expect(kept: tuple[subprocess.Popen[str], str]):
    _, printed = kept

    assert "every task ended as expected" in printed
    assert "fan_out" in printed
    assert "skipped" in printed


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_demo_that_is_kept_says_where_dags_logs_and_ecs_are_and_leaves_nothing_behind(
    kept: tuple[subprocess.Popen[str], str],
):
    demo, printed = kept
    dags, task_logs, components = (
        Path(re.findall(rf"^{name}: +(\S+)", printed, re.MULTILINE)[0])
        for name in ("Dags", "Task logs", "Component logs")
    )
    (airflow,) = re.findall(r"^Airflow: +(\S+) \(user", printed, re.MULTILINE)
    (ecs,) = re.findall(r"^ECS: +(\S+)", printed, re.MULTILINE)

    assert (dags / "fan_out.py").is_file()
    assert list(task_logs.rglob("*.log"))
    assert (components / "scheduler.log").is_file()
    assert "metadatabase" in httpx.get(f"{airflow}/api/v2/monitor/health", timeout=60).json()
    client = boto3.client(
        "ecs", endpoint_url=ecs, region_name="us-east-1", aws_access_key_id="any", aws_secret_access_key="any"
    )
    assert client.list_tasks(cluster="demo", desiredStatus="STOPPED")["taskArns"]

    demo.send_signal(signal.SIGINT)

    assert demo.wait(60) == 0
    assert not dags.parent.exists()


@pytest.mark.slow
def test_the_engine_runs_without_airflow():
    example = subprocess.run(
        (sys.executable, "-X", "importtime", "examples/engine_only.py"),  # lists every import on stderr
        cwd=ROOT,
        env=without_airflow(),
        capture_output=True,
        text=True,
        check=False,
    )

    assert example.returncode == 0, example.stdout + example.stderr
    assert example.stdout.splitlines()[-1].startswith("16 of 20 tasks ended with exit code 0")
    assert " airflow" not in example.stderr
