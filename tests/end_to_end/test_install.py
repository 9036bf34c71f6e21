"""What the pages say about installing, with the real pip and package index."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

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


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_wheel_holds_what_its_commands_read_from_examples(tmp_path: Path):
    wheels, unpacked = tmp_path / "wheels", tmp_path / "unpacked"
    build = (
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--wheel-dir",
        str(wheels),
        str(ROOT),
    )
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = wheels.glob("*.whl")
    with ZipFile(wheel) as file:
        file.extractall(unpacked)
    script = (
        "from ecs_async_executor.stack import template; from ecs_async_executor.demo.home import example_dags\n"
        "print(template.__file__, template.read_template().parameters['Network'].default, example_dags())"
    )
    ran = subprocess.run(
        (sys.executable, "-c", script),
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(unpacked)},
        capture_output=True,
        text=True,
        check=True,
    )
    module, default, dags = ran.stdout.split()[-3:]
    assert Path(module).is_relative_to(unpacked)
    assert default == "new-nat"
    assert Path(dags).is_relative_to(unpacked)
