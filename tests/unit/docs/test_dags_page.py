"""The bundles of docs/dags.md are ones that Airflow takes."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest
from airflow._shared.module_loading import import_string

from tests.support.blocks import ROOT, Block, run_by

BLOCKS = run_by(__file__, ROOT / "docs" / "dags.md")


def bundle(block: Block) -> dict[str, Any]:
    """Return the bundle that a shell exports, by the page's own command."""
    print_it = 'printf %s "$AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"'
    command = ["bash", "-c", f"{block.code}\n{print_it}"]
    exported = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    (found,) = json.loads(exported)
    return dict(found)


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_a_bundle_is_json_with_a_name_a_class_and_arguments(block: Block) -> None:
    assert bundle(block).keys() == {"name", "classpath", "kwargs"}


def test_the_bundle_of_s3_takes_its_arguments() -> None:
    (found,) = (each for each in map(bundle, BLOCKS) if "amazon" in each["classpath"])
    made = import_string(found["classpath"])(name=found["name"], **found["kwargs"])
    assert (made.bucket_name, made.prefix, made.aws_conn_id) == ("my-dags", "dags/", None)
