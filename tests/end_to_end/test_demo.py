from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    # The demo brings its own Airflow: nothing of the one that this test run uses may reach it.
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "AWS_"))}
    return subprocess.run(
        command, cwd=ROOT, env=inherited | environment, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_demo_runs_real_dags_and_all_end_as_their_authors_expect():
    demo = run(
        sys.executable, "-m", "ecs_async_executor", "demo", "--no-live", "--timeout", "840", COLUMNS="100"
    )

    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert "everything ended as its author expects" in demo.stdout
    assert "fan_out" in demo.stdout
    assert "skipped" in demo.stdout


@pytest.mark.slow
def test_the_engine_runs_without_airflow():
    example = run(
        sys.executable, "-X", "importtime", "examples/engine_only.py"
    )  # -X importtime lists every import on stderr

    assert example.returncode == 0, example.stdout + example.stderr
    assert example.stdout.splitlines()[-1].startswith("16 of 20 tasks ended with exit code 0")
    assert " airflow" not in example.stderr
