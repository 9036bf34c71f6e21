"""Benchmarks, far too small to say anything but that they run, and that their report renders whatever comes out."""

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
        ("heartbeat", "--live 1 --seconds 0.1 --slow-seconds 0.1 --pending 1 --cap 0.1"),
        ("interference", "--live 0 --rest 0 --pairs 1 --window 0.1"),
        ("memory", "--live 1 --rest 0"),
        ("watching", "--live 11 --left 0 --sweeps 1"),
        ("watching", "--live 1 --left 1 --sweeps 1"),
        # Each part is a process with an ECS and an executor of its own: two of twelve are enough here.
        (
            "scarce",
            "--tasks 3 --room 2 --seconds 3 --period 1 --cap 1 --dark 1 --waiting 5 --watch 0.5 --parts 2",
        ),
        # The other parts wait for standbys to get ready, or run a whole Airflow.
        ("warm", "--launches 2 --parts 2"),
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
