"""What the pages say about installing, with the real pip and package index."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_pinned_versions_can_be_installed_together_with_the_package(tmp_path: Path):
    file = tmp_path / "report.json"
    # It is resolved as in a new environment, and nothing is installed.
    pretend = (
        "--dry-run",
        "--ignore-installed",
        "--quiet",
        "--disable-pip-version-check",
        "--report",
        str(file),
    )

    done = subprocess.run(
        (sys.executable, "-m", "pip", "install", *pretend, "-c", "constraints.txt", ".[local]"),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    names = {item["metadata"]["name"] for item in json.loads(file.read_text("utf-8"))["install"]}
    assert {"ecs-async-executor", "apache-airflow-core", "moto"} <= names
