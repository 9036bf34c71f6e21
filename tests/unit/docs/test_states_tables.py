"""The tables of states in docs/architecture.md say what the code says."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from itertools import product
from typing import Any, cast
from uuid import uuid4

import pytest

from ecs_async_executor.engine.standby.pool import Pool, Stage, Standby
from ecs_async_executor.engine.standby.standbys import Standbys
from ecs_async_executor.engine.state import entry
from ecs_async_executor.engine.state.ledger import Ledger
from ecs_async_executor.engine.workers.hand_over import HandOver
from ecs_async_executor.executor import run_state
from ecs_async_executor.messages import Diagnosis, Request, Running, StandbyPool, Stopped
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

    def introduction(self) -> str:
        """The text above the table."""
        return PAGE.partition(f"### {self.heading}\n")[2].partition("\n|")[0]

    def rows(self) -> dict[str, tuple[str, str, str]]:
        """The table's other columns by state."""
        section = PAGE.partition(f"### {self.heading}\n")[2].partition("\n#")[0]
        cells = [
            [cell.strip() for cell in line.strip("|").split("|")]
            for line in section.splitlines()
            if line.startswith("|")
        ]
        return {name: (meaning, where, end) for name, meaning, where, end in cells[2:]}


def hand_over() -> HandOver:
    """Make one that does nothing: only its attributes' names count."""
    nothing = cast("Any", None)
    return HandOver(
        nothing, nothing, nothing, nothing, nothing, nothing, random=lambda: 0.0, on_change=lambda: None
    )


POOL = StandbyPool("p", 1, 3600.0, lambda *_: Request({}, "c"), "cluster", "c", "s3://bucket/x/")


def take(standbys: Standbys, standby: Standby, now: float) -> None:
    standbys.take(POOL.name, now)


def run(standbys: Standbys, standby: Standby, now: float) -> None:
    standbys.note(Running(standby.run_id, "arn"), now)


def end(standbys: Standbys, standby: Standby, now: float) -> None:
    diagnosis = Diagnosis("It ended.")
    standbys.note(
        Stopped(standby.run_id, 1, "arn", exit_code=76, ran=True, permanent=False, diagnosis=diagnosis),
        now,
    )


def renew(standbys: Standbys, standby: Standby, now: float) -> None:
    standbys.note_definition(POOL.name, standby.run_id, "revision:1")
    standbys.note_definition(POOL.name, "a run", "revision:2")
    standbys.plan(now, {})


def give_way(standbys: Standbys, standby: Standby, now: float) -> None:
    standbys.plan(now, {POOL.cluster: 2})


def give_back(standbys: Standbys, standby: Standby, now: float) -> None:
    if standby.stage is Stage.ASSIGNED:
        standbys.give_back(standby)


def spoil(standbys: Standbys, standby: Standby, now: float) -> None:
    if standby.stage is Stage.ASSIGNED:
        standbys.spoil(standby)


def serve(standbys: Standbys, standby: Standby, now: float) -> None:
    if standby.stage is Stage.ASSIGNED:
        standbys.served(standby, now)


HAPPENINGS: tuple[Callable[[Standbys, Standby, float], None], ...] = (
    run,
    take,
    give_back,
    spoil,
    serve,
    renew,
    give_way,
    end,
)


def stages() -> Mapping[Stage, frozenset[Stage]]:
    """Return which stage follows which, whatever happens to a standby, in any order."""
    following: dict[Stage, set[Stage]] = {stage: set() for stage in Stage}
    for story in product(HAPPENINGS, repeat=4):
        standbys = Standbys(uuid4)
        standbys.keep([POOL])
        standbys.plan(0.0, {})
        (standby,) = standbys
        for number, happen in enumerate(story, 1):
            before = standby.stage
            happen(standbys, standby, number * 60.0)
            if not standbys.is_usable(standby):
                break
            if standby.stage is not before:
                following[before].add(standby.stage)
    return {stage: frozenset(after) for stage, after in following.items()}


ENGINE = Table("In the engine", entry.TRANSITIONS, (Ledger(options(), lambda: 0.0), hand_over()))
EXECUTOR = Table(
    "In the executor",
    run_state.TRANSITIONS,
    (make_reconciler(Executor(), []), make_reconciler(Executor(), [])._dispatcher),
)
STANDBY = Table(
    "A standby",
    stages(),
    (Pool(POOL), Standbys(uuid4), Ledger(options(), lambda: 0.0), hand_over()),
)
TABLES = [
    pytest.param(ENGINE, id="engine"),
    pytest.param(EXECUTOR, id="executor"),
    pytest.param(STANDBY, id="standby"),
]


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
    spans = re.compile(r"`([A-Z]\w+)\.(\w+)`")
    named = {span for row in table.rows().values() for span in spans.findall(row[1])}
    named |= set(spans.findall(table.introduction()))
    holders = {type(holder).__name__: holder for holder in table.holders}
    assert named
    assert [f"{kind}.{name}" for kind, name in named if not hasattr(holders[kind], name)] == []
