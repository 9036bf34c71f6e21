"""A standby's command, and the names of what it looks at."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess

import pytest

from ecs_async_executor.engine.payloads import url_of
from ecs_async_executor.launch_id import LaunchId
from ecs_async_executor.standby import command as standby
from ecs_async_executor.standby.command import (
    BROKEN,
    CODE,
    LEASE_RENEWAL_SECONDS,
    LEASE_SECONDS,
    LEFT,
    NO_ACCESS,
    is_standby,
    lease_url,
    location_of,
    object_url,
    standby_command,
)

LOCATION = "s3://bucket/airflow/"
NONCE, RUN_ID = "0123456789abcdef" * 2, "98563cbe-2248-432f-9c29-41c0e4ae0962"
LEASE, OWN = lease_url(LOCATION, RUN_ID.replace("-", "")), object_url(LOCATION, NONCE)
LONGEST = 2480
"""Characters of the text, whichever Python makes it. RunTask takes 8192 of all overrides (API reference: TaskOverride)."""


def test_the_command_has_the_text_and_what_it_waits_for() -> None:
    assert standby_command("eu-west-1", 3600.0, LEASE, OWN) == [
        "python",
        "-c",
        CODE,
        "eu-west-1",
        "3600",
        LEASE,
        OWN,
    ]


def test_without_a_region_the_containers_environment_decides() -> None:
    assert standby_command(None, 60, LEASE, OWN)[3] == ""


def test_the_text_is_short() -> None:
    assert len(CODE) < LONGEST
    assert len(json.dumps(CODE)) < LONGEST + 110


def test_the_text_has_nothing_that_only_readers_need() -> None:
    nodes = list(ast.walk(ast.parse(CODE)))
    assert not [node for node in nodes if isinstance(node, ast.arg) and node.annotation]
    assert not [
        node
        for node in nodes
        if isinstance(node, ast.FunctionDef) and (node.returns or ast.get_docstring(node))
    ]
    assert "#" not in CODE


def test_the_text_has_no_f_string_because_newer_pythons_write_them_as_older_ones_can_not_read_them() -> None:
    assert not [node for node in ast.walk(ast.parse(CODE)) if isinstance(node, ast.JoinedStr)]


@pytest.mark.parametrize("version", ["3.10", "3.11", "3.12", "3.13"])
def test_each_python_that_airflow_runs_on_can_read_it(version: str) -> None:
    python = shutil.which(f"python{version}")
    found = python and subprocess.run([python, "--version"], capture_output=True, check=False).returncode == 0
    ast.parse(CODE, feature_version=(3, int(version.partition(".")[2])))
    if python and found:
        subprocess.run(
            [python, "-c", "compile(__import__('sys').stdin.read(), 'standby', 'exec')"],
            input=CODE,
            text=True,
            check=True,
        )


def test_a_standbys_object_is_known_by_its_name() -> None:
    assert is_standby(OWN)
    assert is_standby(object_url("s3://bucket/", NONCE))
    assert is_standby(object_url("s3://bucket/a/standby/", NONCE))


@pytest.mark.parametrize(
    "other",
    [
        "",
        LEASE,
        url_of(LOCATION, str(LaunchId(RUN_ID, 1))),
        url_of("s3://bucket/standby/", str(LaunchId(RUN_ID, 1))),
        f"s3://standby/{NONCE}.json",
        f"s3://bucket/my-standby/{NONCE}.json",
        f"{OWN}x",
        OWN.replace("s3:", "https:"),
        object_url(LOCATION, NONCE.upper().replace(NONCE[0], "G")),
    ],
)
def test_no_other_object_is_taken_for_one(other: str) -> None:
    assert not is_standby(other)


def test_what_lies_beside_other_workloads_is_in_a_folder_of_its_own() -> None:
    assert f"s3://bucket/airflow/standby/{NONCE}.json" == OWN
    assert LEASE.startswith("s3://bucket/airflow/standby/lease-")
    assert {location_of(OWN), location_of(LEASE)} == {LOCATION}


def test_the_exit_codes_are_no_others() -> None:
    of_airflow, of_python, of_the_entrypoint, not_fetched = {0, 1}, {1, 2, 120}, {75, 78}, {69}
    ours = {LEFT, NO_ACCESS, BROKEN}
    assert len(ours) == 3
    assert not ours & (of_airflow | of_python | of_the_entrypoint | not_fetched)
    assert max(ours) < 125  # from there on, shells and container runtimes


def test_two_renewals_may_fail() -> None:
    assert 2 * LEASE_RENEWAL_SECONDS < LEASE_SECONDS


def test_all_public_names_exist() -> None:
    assert [name for name in standby.__all__ if not hasattr(standby, name)] == []
