"""Each known fault of AwsEcsExecutor has a test that is named after its number."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parents[2]
FAULTS = range(1, 59)

NOT_NAMED_YET = {
    **dict.fromkeys(range(44, 50), "visibility"),
}
"""Faults whose tests, if there are any, have names of their own; and the part of the list they stand in."""


def numbers_in_names() -> Iterator[int]:
    for file in TESTS.rglob("test_*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                number = re.match(r"test_f(\d\d)_", node.name)
                if number:
                    yield int(number[1])


def test_each_fault_has_a_test_that_is_named_after_it() -> None:
    assert set(FAULTS) - set(numbers_in_names()) == set(NOT_NAMED_YET)
