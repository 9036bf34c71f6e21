"""The container's text: short, and the module's own."""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest

from ecs_async_executor.standby.compact import compact

MODULE = '''
"""A docstring."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import reduce
from typing import Any

LIMIT: int = 3
"""A constant."""
later: str


def add(first: int, *others: int, each: Callable[[int], int] = lambda value: value, **options: Any) -> int:
    """Add."""
    # A comment.
    total: int = first
    for other in others:
        total += each(other)
    try:
        raise ValueError(options.get("other", "none"))
    except ValueError as error:
        print(error, sys.argv[1:], os.sep, "sum: %s" % total)
    (name, rest), file = (1, 2), [first for first in others if first < LIMIT]
    return reduce(max, [total, name, rest, *file], LIMIT)


if __name__ == "__main__":
    print(add(1, 2, 3, **{"other": "kept"}))
'''


def run(text: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", text, "one", "two"], capture_output=True, text=True, check=True, timeout=60
    ).stdout


def test_it_does_the_same() -> None:
    assert run(compact(MODULE)) == run(MODULE) == "kept ['one', 'two'] / sum: 6\n6\n"


def test_only_readers_miss_something() -> None:
    text = compact(MODULE)
    assert len(text) < len(MODULE) * 0.55
    for gone in (
        "A docstring",
        "A constant",
        "comment",
        "Callable",
        "Any",
        "annotations",
        "->",
        "__main__",
    ):
        assert gone not in text
    assert text.startswith("import os,sys\nfrom functools import reduce\n")


def test_names_of_others_are_kept() -> None:
    names = {node.id for node in ast.walk(ast.parse(compact(MODULE))) if isinstance(node, ast.Name)}
    assert {"os", "sys", "reduce", "print", "max", "ValueError"} <= names


def test_it_is_the_same_each_time() -> None:
    assert compact(MODULE) == compact(MODULE)


def test_more_names_than_letters_are_refused() -> None:
    with pytest.raises(StopIteration):
        compact("\n".join(f"name{number} = 1" for number in range(53)))
