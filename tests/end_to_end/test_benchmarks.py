"""Benchmarks, far too small to say anything but that they run: those that use all of what the others share."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("launch", "--tasks 20 --many 40 --latency 0.02 --cap 2 --minute 3"),
        ("lag", "--live 20 --ends 4 --seconds 1 --many 20 --lives 8"),
        ("client", ""),
    ],
)
def test_a_benchmark_prints_its_table_and_writes_its_report(name: str, sizes: str, tmp_path: Path):
    # It brings its own Airflow: nothing of the one that this test run uses may reach it.
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "AWS_"))}
    file = tmp_path / "report.json"

    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{name}", "--quick", "--json", str(file), *sizes.split()],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(file.read_text("utf-8"))
    assert report["name"] == name
    assert report["quick"]
    for table in report["tables"]:
        assert table["title"].split()[0] in done.stdout
        assert table["rows"]
