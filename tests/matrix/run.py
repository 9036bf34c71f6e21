"""Runs one cell: a clean environment with the wheel, Airflow's command line in it, and the tests under the scheduler."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.matrix.cells import Cell

ROOT = Path(__file__).parents[2]
COMMAND_LINE = "command line"
"""The step in which nothing may warn."""
TESTED = ("tests", "benchmarks", "docs", "examples", "pyproject.toml", "Makefile")
"""What the tests need of the repository: not the package, for they test the wheel."""


class CellError(Exception):
    """A step of a cell failed; says which, and where its output is."""


@dataclass(frozen=True, slots=True)
class Environment:
    """A virtual environment, and a log of all that runs in it."""

    folder: Path
    variables: Mapping[str, str]

    @property
    def log(self) -> Path:
        """Everything that was printed."""
        return self.folder / "log.txt"

    def run(self, step: str, command: Sequence[str], *, cwd: Path | None = None) -> str:
        """Run a command; return what it prints, and raise `CellError` if it fails."""
        done = subprocess.run(
            command,
            cwd=cwd or self.folder,
            env={**self.variables, "PATH": f"{self.folder / 'venv' / 'bin'}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=False,
        )
        with self.log.open("a", encoding="utf-8") as log:
            log.write(f"$ {' '.join(command)}\n{done.stdout}{done.stderr}\n")
        if done.returncode:
            raise CellError(f"{step}: `{command[0]} ...` ended with {done.returncode}; see {self.log}")
        if step == COMMAND_LINE and "warning" in (done.stdout + done.stderr).lower():
            raise CellError(f"{step}: `{' '.join(command)}` warns; see {self.log}")
        return done.stdout


def build_wheel(folder: Path) -> Path:
    """Build the wheel as a release does, from the source distribution."""
    subprocess.run(
        [sys.executable, "-m", "uv", "build", "-q", "--out-dir", str(folder), str(ROOT)], check=True
    )
    (wheel,) = folder.glob("*.whl")
    return wheel


def run_cell(cell: Cell, wheel: Path, folder: Path, database_url: str) -> None:
    """Run all steps of a cell; raises `CellError`."""
    folder.mkdir()
    environment = Environment(folder, dict(_variables(folder, database_url)))
    _install(environment, cell, wheel)
    _check_command_line(environment, cell)
    _test(environment)


def _variables(folder: Path, database_url: str) -> Iterator[tuple[str, str]]:
    """Yield the environment: nothing of the caller's Airflow or AWS, and no Python path."""
    for name, value in os.environ.items():
        if not name.startswith(("AIRFLOW", "AWS_", "PYTHON", "VIRTUAL_ENV", "ECS_ASYNC")):
            yield name, value
    yield "AIRFLOW_HOME", str(folder / "airflow")
    if database_url:
        yield "TEST_DATABASE_URL", database_url


def _install(environment: Environment, cell: Cell, wheel: Path) -> None:
    venv = environment.folder / "venv"
    uv = [sys.executable, "-m", "uv"]
    environment.run("install", [*uv, "venv", "-q", "--python", cell.python, str(venv)])
    environment.run(
        "install",
        [
            *uv,
            "pip",
            "install",
            "--python",
            str(venv / "bin" / "python"),
            f"{wheel}[dev]",
            *cell.requirements,
        ],
    )
    environment.run("install", [*uv, "pip", "check", "--python", str(venv / "bin" / "python")])


def _check_command_line(environment: Environment, cell: Cell) -> None:
    """Check that Airflow's command line shows the package, and warns about nothing."""
    step = COMMAND_LINE
    environment.run("database", ["airflow", "db", "migrate"])
    found = environment.run(step, ["airflow", "version"]).split()[-1]
    if found != cell.airflow:
        raise CellError(f"{step}: Airflow {found} is installed, not {cell.airflow}.")
    providers = json.loads(environment.run(step, ["airflow", "providers", "list", "--output", "json"]))
    plugins = json.loads(environment.run(step, ["airflow", "plugins", "--output", "json"]))
    options = environment.run(step, ["airflow", "config", "list", "--section", "ecs_async_executor"])
    commands = environment.run(step, ["airflow", "ecs-async", "--help"])
    for what, is_shown in {
        "providers list": any(each["package_name"] == "ecs-async-executor" for each in providers),
        "plugins": any(each["name"] == "ecs_async_executor" for each in plugins),
        "config list": "payload_bucket" in options,
        "ecs-async --help": "doctor" in commands,
    }.items():
        if not is_shown:
            raise CellError(f"{step}: `airflow {what}` doesn't show the package; see {environment.log}")


def _test(environment: Environment) -> None:
    copy = environment.folder / "repository"
    for name in TESTED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, copy / name)
    # Core's own queries warn on MySQL, and its API server on a newer Cadwyn than it was made for.
    tolerated = ["-W", "ignore::sqlalchemy.exc.SAWarning", "-W", "ignore:Cadwyn:DeprecationWarning"]
    environment.run(
        "tests", ["python", "-m", "pytest", "-q", "-n", "2", *tolerated, "tests/airflow"], cwd=copy
    )
