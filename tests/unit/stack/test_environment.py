"""Outputs become variables, and a file that only its owner can read."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from ecs_async_executor.errors import OperationError
from ecs_async_executor.stack.environment import as_text, variables, write

FOUND = {"AWS_DEFAULT_REGION": "eu-central-1", "AIRFLOW__SECRETS__BACKEND_KWARGS": '{"config_prefix": ""}'}


def test_an_output_is_the_variable_that_its_description_names():
    outputs = [
        {"OutputKey": "Cluster", "OutputValue": "c", "Description": "AIRFLOW__ECS_ASYNC_EXECUTOR__CLUSTER"},
        {"OutputKey": "Other", "OutputValue": "x", "Description": "Something that somebody added"},
        {"OutputKey": "Bare", "OutputValue": "x"},
    ]
    assert variables(outputs) == {"AIRFLOW__ECS_ASYNC_EXECUTOR__CLUSTER": "c"}


@pytest.mark.parametrize(
    ("form", "line"),
    [
        ("shell", """AIRFLOW__SECRETS__BACKEND_KWARGS='{"config_prefix": ""}'"""),
        ("docker", """AIRFLOW__SECRETS__BACKEND_KWARGS={"config_prefix": ""}"""),
    ],
)
def test_values_are_quoted_for_a_shell_and_not_for_docker(form: str, line: str):
    assert as_text(FOUND, form).splitlines() == ["AWS_DEFAULT_REGION=eu-central-1", line]


def test_json_is_an_object():
    assert json.loads(as_text(FOUND, "json")) == FOUND


def test_the_file_is_the_owners_and_replaces_one_that_others_could_read(tmp_path: Path):
    path = tmp_path / "airflow.env"
    path.write_text("old", encoding="utf-8")
    path.chmod(0o644)
    before = os.umask(0)
    try:
        write(path, "new")
    finally:
        os.umask(before)
    assert path.read_text("utf-8") == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["airflow.env"]


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path):
    with pytest.raises(OperationError, match="nowhere"):
        write(tmp_path / "nowhere" / "airflow.env", "")
