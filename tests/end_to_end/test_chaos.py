"""A short form of `make chaos`."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@contextmanager
def started(*command: str) -> Iterator[subprocess.Popen[str]]:
    """Run a command; whatever happens here, it gets the time to clean up after itself."""
    # It brings its own Airflow: nothing of the one that this test run uses may reach it.
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "AWS_"))}
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_every_task_runs_once_and_ends_as_it_must_though_the_scheduler_is_killed_again_and_again():
    # Few at a time, so that there are tasks left for every kill.
    options = "--tasks=18 --parallelism=6 --seconds 0.5 1.5 --kills=4 --life=6 --seed=5"
    with started(sys.executable, "-m", "tests.chaos", *options.split()) as chaos:
        report, _ = chaos.communicate()

    assert chaos.returncode == 0, report
    assert (
        numbers(report).items()
        >= {
            "tasks": 18,
            "schedulers killed": 4,
            "schedulers that ended by themselves": 0,
            "processes that outlived their scheduler": 0,
            "other containers per queueing, at most": 1,
            "containers alive at once per queueing, at most": 1,
            "user-code runs per try, at most": 1,
            "wrong end states": 0,
            "containers stopped by a scheduler": 0,
            "containers left running": 0,
        }.items()
    )


def numbers(report: str) -> dict[str, int]:
    """Read the table, without the details of the kills, which are indented."""
    lines = re.findall(r"^(\w.*?)\s{2,}(\d+)$", report, re.MULTILINE)
    return {name: int(number) for name, number in lines}
