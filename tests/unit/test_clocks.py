"""The system's clock may jump: no waiting time of ours is taken from it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import ecs_async_executor

PACKAGE = Path(ecs_async_executor.__file__).parent
SOURCES = [*PACKAGE.glob("*.py"), *(PACKAGE / "engine").glob("*.py")]
WALL_CLOCKS = {
    "time.time",
    "time.time_ns",
    "datetime.now",
    "datetime.utcnow",
    "datetime.today",
    "timezone.utcnow",
}
ALLOWED = {"rows.py": {"timezone.utcnow"}}
"""Workers' heartbeats are stamped by it, and Airflow compares them with it."""


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_code_of_the_executor_reads_the_wall_clock(source: Path) -> None:
    names = {
        ast.unparse(node)
        for node in ast.walk(ast.parse(source.read_text()))
        if isinstance(node, ast.Attribute)
    }
    read = {name for name in names if name.removeprefix("datetime.") in WALL_CLOCKS}
    assert not read - ALLOWED.get(source.name, set())
    imported = {
        alias.name
        for node in ast.walk(ast.parse(source.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module == "time"
        for alias in node.names
    }
    assert not imported & {"time", "time_ns"}
