from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from ecs_async_executor.cli import main

AIRFLOW = version("apache-airflow-core")
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture
def engine(tmp_path: Path) -> Path:
    """A docker whose every image has this environment's Python; it keeps what it was called with."""
    return make_engine(tmp_path, f'shift 7; exec "{sys.executable}" "$@"')


def make_engine(folder: Path, script: str) -> Path:
    engine = folder / "engine"
    engine.write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" | head -1 > "{folder}/called"\n{script}\n')
    engine.chmod(0o755)
    return engine


def check(engine: Path, *arguments: str) -> int:
    return main(["image", "check", "my-image:1", "--engine", str(engine), *arguments])


def test_the_build_arguments_are_this_environments(capsys: pytest.CaptureFixture[str]):
    assert main(["image", "build-args"]) == 0
    assert capsys.readouterr().out == (
        f"--build-arg airflow_version={AIRFLOW} --build-arg python_version={PYTHON}\n"
    )


def test_an_image_with_the_same_versions_fits(
    engine: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert check(engine) == 0
    assert capsys.readouterr().out == f"my-image:1 matches: Airflow {AIRFLOW} on Python {PYTHON}.\n"
    assert (
        (tmp_path / "called")
        .read_text("utf-8")
        .startswith("run --rm --network none --entrypoint python my-image:1 -c")
    )


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--airflow-version", "3.2.9"], f"Airflow 3.2.9 on Python {PYTHON}"),
        (["--python-version", "3.9"], f"Airflow {AIRFLOW} on Python 3.9"),
    ],
)
def test_an_image_with_other_versions_does_not_fit_and_the_output_says_how_to_build_it(
    arguments: list[str], expected: str, engine: Path, capsys: pytest.CaptureFixture[str]
):
    assert check(engine, *arguments) == 1
    errors = capsys.readouterr().err
    assert f"it has Airflow {AIRFLOW} on Python {PYTHON}; the scheduler has {expected}." in errors
    assert f"--build-arg {arguments[0][2:].replace('-', '_')}={arguments[1]}" in errors


def test_pythons_patch_level_does_not_matter(engine: Path):
    assert check(engine, "--python-version", f"{PYTHON}.99") == 0


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo 'no such image' >&2; exit 125", "Can't inspect my-image:1: no such image"),
        ("exit 3", "exited with code 3 and printed no error"),
        ("echo hello", "its Python printed no versions"),
        ("true", "its Python printed no versions"),
        ("echo 3", "its Python printed no versions"),
        (f'shift 7; exec "{sys.executable}" -S "$@"', "has no Airflow 3"),
    ],
)
def test_an_image_that_cannot_be_looked_into_does_not_fit(
    script: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert check(make_engine(tmp_path, script)) == 1
    assert words in capsys.readouterr().err


def test_what_an_image_prints_at_its_start_does_not_matter(tmp_path: Path):
    assert check(make_engine(tmp_path, f'echo welcome; shift 7; exec "{sys.executable}" "$@"')) == 0


@pytest.mark.parametrize(
    "arguments", [("--python-version", "abc"), ("--python-version", "3"), ("--airflow-version", "latest")]
)
def test_what_is_no_version_is_a_usage_error(
    arguments: tuple[str, str], engine: Path, capsys: pytest.CaptureFixture[str]
):
    with pytest.raises(SystemExit) as caught:
        check(engine, *arguments)
    assert caught.value.code == 2
    assert (
        f"argument {arguments[0]}: {arguments[1]!r} is not a version, such as 3.12" in capsys.readouterr().err
    )


def test_an_engine_that_hangs_is_not_waited_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("ecs_async_executor.cli.image._PATIENCE", 0.2)
    assert check(make_engine(tmp_path, "exec sleep 30")) == 1
    assert "didn't answer within 0 s" in capsys.readouterr().err


def test_without_an_engine_it_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert check(tmp_path / "nowhere") == 1
    assert (
        "(No such file or directory). Name another container engine with --engine" in capsys.readouterr().err
    )
