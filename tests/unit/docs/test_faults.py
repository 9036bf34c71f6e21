"""Each known fault of AwsEcsExecutor (`tests/airflow/faults/known_faults.py`) has a test named after its number."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.airflow.faults.known_faults import FAULTS

TESTS = Path(__file__).parents[2]

NOT_NAMED_YET = {44, 45, 46, 47, 48, 49}
"""Faults that have no test of that name yet; some are tested under names of their own."""


def numbers_in_names() -> Iterator[int]:
    for file in TESTS.rglob("test_*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                number = re.match(r"test_f(\d\d)_", node.name)
                if number:
                    yield int(number[1])


def test_each_fault_has_a_test_that_is_named_after_it() -> None:
    assert set(FAULTS) - set(numbers_in_names()) == NOT_NAMED_YET
