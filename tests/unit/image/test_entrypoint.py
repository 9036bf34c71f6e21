from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path

import pytest

from tests.support import image
from tests.support.image import TOKEN

PYTHON = sys.executable
PRINT_DAGS_FOLDER = "import os; print(os.environ.get('AIRFLOW__CORE__DAGS_FOLDER'))"


def test_it_becomes_the_command_with_its_arguments_and_exit_code():
    program = "import os, sys; print(os.getpid(), sys.argv[1:]); sys.exit(7)"
    with image.start("entrypoint.sh", PYTHON, "-c", program, "a b", "*", "") as process:
        output, errors = process.communicate()

    assert output == f"{process.pid} ['a b', '*', '']\n"
    assert (process.returncode, errors) == (7, "")


def test_a_signal_reaches_the_command():
    program = (
        "import signal, sys\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(9))\n"
        "print('ready', flush=True)\n"
        "signal.pause()"
    )
    with image.start("entrypoint.sh", PYTHON, "-c", program) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        process.communicate()

    assert process.returncode == 9


@pytest.mark.parametrize(
    ("command", "exit_code", "words"),
    [
        ([], 78, "No command was given."),
        (["no-such-program", TOKEN], 127, "no-such-program: not found"),
        (["/etc/passwd", TOKEN], 126, "Permission denied"),
    ],
)
def test_a_command_that_cannot_run_is_one_clear_line(command: list[str], exit_code: int, words: str):
    code, output, errors = image.run("entrypoint.sh", *command)

    assert (code, output) == (exit_code, "")
    assert words in errors
    assert TOKEN not in errors


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"S3_URL": "bucket/dags"}, "S3_URL is 'bucket/dags'; it must look like s3://bucket/prefix."),
        ({"S3_URI": "https://bucket.s3.amazonaws.com/dags"}, "it must look like s3://bucket/prefix."),
        ({"S3_URL": "s3:///dags"}, "it must look like s3://bucket/prefix."),
        (
            {"S3_URL": "s3://bucket", "S3_SYNC_TIMEOUT": "5m"},
            "S3_SYNC_TIMEOUT is '5m'; it must be a number of seconds",
        ),
        (
            {"S3_URL": "s3://bucket", "CONTAINER_DAG_PATH": "/etc/passwd/dags"},
            "to /etc/passwd/dags.",
        ),
    ],
)
def test_a_wrong_setting_fails_the_container_with_what_is_wrong(environment: dict[str, str], words: str):
    code, output, errors = image.run("entrypoint.sh", "echo", TOKEN, environment=environment)

    assert (code, output) == (78, "")
    assert words in errors
    assert TOKEN not in errors


def test_an_image_without_the_aws_cli_says_so(tmp_path: Path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "bash").symlink_to(str(shutil.which("bash")))
    environment = {"S3_URL": "s3://bucket", "PATH": str(tmp_path / "bin")}

    code, _, errors = image.run("entrypoint.sh", "echo", environment=environment)

    assert code == 78
    assert "this image has no AWS CLI" in errors


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({}, "None"),
        ({"CONTAINER_DAG_PATH": "/opt/airflow/dags"}, "None"),
        ({"CONTAINER_DAG_PATH": "/dags"}, "/dags"),
        ({"CONTAINER_DAG_PATH": "/dags", "AIRFLOW__CORE__DAGS_FOLDER": "/dags/team"}, "/dags/team"),
    ],
)
def test_airflow_learns_of_an_unusual_folder(environment: dict[str, str], folder: str):
    code, output, _ = image.run("entrypoint.sh", PYTHON, "-c", PRINT_DAGS_FOLDER, environment=environment)

    assert (code, output) == (0, f"{folder}\n")


def test_credentials_in_the_image_are_warned_of_at_each_start(tmp_path: Path):
    (tmp_path / ".aws").mkdir()
    environment = {"HOME": str(tmp_path)}
    assert image.run("entrypoint.sh", "true", environment=environment) == (0, "", "")

    (tmp_path / ".aws" / "from-build").touch()
    code, _, errors = image.run("entrypoint.sh", "true", environment=environment)

    assert code == 0
    assert errors.startswith("entrypoint: WARNING: this image holds AWS credentials.")


def test_the_scripts_may_be_executed():
    assert all(os.access(script, os.X_OK) for script in image.SCRIPTS.iterdir())
