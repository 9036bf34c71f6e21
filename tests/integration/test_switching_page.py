"""The commands of docs/switching.md, on a host whose scheduler still has AwsEcsExecutor."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.blocks import ROOT, run_by
from tests.support.doctor import world
from tests.support.shell import Shell, shell

CHECK, CLOSE, OPEN = run_by(__file__, ROOT / "docs" / "switching.md")
OFFICIAL = "airflow.providers.amazon.aws.executors.ecs.ecs_executor.AwsEcsExecutor"


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Shell]:
    """The shell of a host with a good set-up and the old executor."""
    with world() as aws:
        environment = {
            **aws.environment(),
            "AIRFLOW__CORE__EXECUTOR": OFFICIAL,
            "AIRFLOW_HOME": str(tmp_path / "airflow"),
            "HOME": str(tmp_path),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "COLUMNS": "200",
        }
        with shell(tmp_path, environment) as started:
            started.run("airflow db migrate")
            yield started


@pytest.mark.timeout(300)
def test_the_new_executor_is_checked_while_the_old_one_is_set_and_the_pools_are_closed_and_opened(
    host: Shell, tmp_path: Path
) -> None:
    config, doctor = CHECK.commands
    assert '[AIRFLOW__CORE__EXECUTOR] = "ecs_async_executor.AsyncEcsExecutor"' in host.run(config)
    found = json.loads(host.run(f"{doctor} --json 2> doctor.log || true"))["findings"]
    # No API server is there.
    assert [
        each["what"] for each in found if each["severity"] == "error" and "execution API" not in each["what"]
    ] == []

    host.run(f"{CLOSE.code}airflow pools list -o json > closed.json")
    host.run(f"{OPEN.code}airflow pools list -o json > open.json")
    slots = [
        {pool["pool"]: int(pool["slots"]) for pool in json.loads((tmp_path / name).read_text("utf-8"))}
        for name in ("closed.json", "open.json")
    ]
    assert slots == [{"default_pool": 0}, {"default_pool": 128}]
