"""What a container that lacks its Dag prints."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ecs_async_executor.logs.lines import shown
from ecs_async_executor.logs.startup import startup_failure

BUNDLE = {"name": "dags-folder", "version": None}
ROWS: list[tuple[dict[str, Any], str]] = [
    (
        {"event": "Dag not found during start up", "dag_id": "etl", "bundle": BUNDLE, "path": "etl.py"},
        "The container has no Dag etl in etl.py of the bundle dags-folder.",
    ),
    (
        {
            "event": "Dag not found during start up",
            "dag_id": "etl",
            "bundle": "BundleInfo(name='dags-folder', version=None)",
            "path": "etl.py",
        },
        "The container has no Dag etl in etl.py of the bundle dags-folder.",
    ),
    (
        {
            "event": "Task not found in Dag during start up",
            "dag_id": "etl",
            "task_id": "load",
            "path": "etl.py",
        },
        "In the container, the Dag etl in etl.py has no task load.",
    ),
]


def test_what_a_standby_has_printed_before_it_got_the_task_hides_nothing():
    before = ["Standby: waits in s3://bucket/airflow/standby", "Standby: has a workload"]
    lines = [
        shown({"timestamp": 1_800_000_000_000 + index, "message": text}) for index, text in enumerate(before)
    ]
    assert startup_failure(lines) is None
    missing, summary = ROWS[0]
    found = startup_failure([*lines, json.dumps(missing)])
    assert found is not None
    assert found.summary == summary


@pytest.mark.parametrize(("line", "summary"), ROWS)
def test_it_names_the_dag_the_file_and_the_bundle(line: dict[str, Any], summary: str):
    found = startup_failure([json.dumps({"event": "starting"}), json.dumps(line)])
    assert found is not None
    assert found.summary == summary
    assert "dag_bundle_config_list" in found.remedy


def test_other_lines_say_nothing():
    assert (
        startup_failure([json.dumps({"event": "Rescheduling task, marking task as UP_FOR_RESCHEDULE"})])
        is None
    )
