"""The tables of states in docs/architecture.md say what the code says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

import pytest

from ecs_async_executor.engine.state import entry
from ecs_async_executor.engine.state.ledger import Ledger
from ecs_async_executor.executor import run_state
from tests.support.engine import options
from tests.support.reconciler import Executor, make_reconciler
from tests.unit.docs.pages import ROOT

PAGE = (ROOT / "docs" / "architecture.md").read_text("utf-8")


@dataclass(frozen=True)
class Table:
    """A table of the page, and what it describes."""

    heading: str
    transitions: Mapping[Any, frozenset[Any]]
    holders: tuple[object, ...]
    """The objects whose attributes the table names."""

    @property
    def states(self) -> list[Enum]:
        """The states in the order of their definition."""
        return list(self.transitions)

    def rows(self) -> dict[str, tuple[str, str, str]]:
        """The table's other columns by state."""
        section = PAGE.partition(f"### {self.heading}\n")[2].partition("\n#")[0]
        cells = [
            [cell.strip() for cell in line.strip("|").split("|")]
            for line in section.splitlines()
            if line.startswith("|")
        ]
        return {name: (meaning, where, end) for name, meaning, where, end in cells[2:]}


ENGINE = Table("In the engine", entry.TRANSITIONS, (Ledger(options(), lambda: 0.0),))
EXECUTOR = Table(
    "In the executor",
    run_state.TRANSITIONS,
    (make_reconciler(Executor(), []), make_reconciler(Executor(), [])._dispatcher),
)
TABLES = [pytest.param(ENGINE, id="engine"), pytest.param(EXECUTOR, id="executor")]


@pytest.mark.parametrize("table", TABLES)
def test_each_state_is_listed_with_its_meaning(table: Table) -> None:
    assert {name: row[0] for name, row in table.rows().items()} == {
        state.name: state.value for state in table.states
    }


@pytest.mark.parametrize("table", TABLES)
def test_what_ends_a_state_names_exactly_the_states_that_may_follow(table: Table) -> None:
    names = {state.name for state in table.states}
    listed = {name: set(re.findall(r"[A-Z_]{2,}", row[2])) & names for name, row in table.rows().items()}
    assert listed == {
        state.name: {after.name for after in following} for state, following in table.transitions.items()
    }


def test_the_runs_that_the_engine_has_are_those_that_a_new_engine_gets() -> None:
    where = {name for name, row in EXECUTOR.rows().items() if "the engine's ledger" in row[1]}
    # The dispatcher keeps the orders of dropped runs itself.
    assert where == {state.name for state in run_state.WITH_ENGINE} | {"DROPPED"}


@pytest.mark.parametrize("table", TABLES)
def test_each_collection_exists(table: Table) -> None:
    named = {span for row in table.rows().values() for span in re.findall(r"`([A-Z]\w+)\.(\w+)`", row[1])}
    holders = {type(holder).__name__: holder for holder in table.holders}
    assert named
    assert [f"{kind}.{name}" for kind, name in named if not hasattr(holders[kind], name)] == []
