"""docs/warm-start.md: its numbers follow from the prices, its formula and the code, and its reasons are those of the code."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ecs_async_executor.cold_starts import CLASSES
from ecs_async_executor.config.settings import YOUNGEST_STANDBY, Settings
from ecs_async_executor.engine.standby.pool import LAST_MINUTE, READY_AFTER, REPLACED_AHEAD
from ecs_async_executor.engine.standby.standbys import PATIENCE, REST
from ecs_async_executor.executor.reconciler import STANDBY_PATIENCE
from ecs_async_executor.fargate_prices import FARGATE, MONTH
from ecs_async_executor.standby.command import BROKEN, LEASE_RENEWAL_SECONDS, LEASE_SECONDS, LEFT, NO_ACCESS
from tests.unit.docs.pages import ROOT

PAGE = (ROOT / "docs" / "warm-start.md").read_text("utf-8")
WORDS = " ".join(PAGE.split())
WORKING_HOURS = 22 * 8
GETS, PUTS = 0.0004 / 1000, 0.005 / 1000
"""Dollars for one request (https://aws.amazon.com/s3/pricing, S3 Standard in us-east-1)."""


def table(head: str) -> list[list[str]]:
    """Return the cells of the table that begins with this header."""
    lines = PAGE.partition(f"| {head} |")[2].partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


@pytest.mark.parametrize("cells", table("one standby of"), ids=lambda cells: cells[0])
def test_a_size_costs_what_its_price_says(cells: list[str]) -> None:
    size = re.fullmatch(r"([\d.]+) vCPU, ([\d.]+) GB", cells[0])
    assert size is not None
    vcpus, gb = map(float, size.groups())
    hours = [(FARGATE["X86_64"], MONTH), (FARGATE["ARM64"], MONTH), (FARGATE["X86_64"], WORKING_HOURS)]
    expected = [f"{each * (vcpus * vcpu + gb * memory):.2f}" for (vcpu, memory), each in hours]
    assert cells[1:] == expected


def test_the_page_has_several_sizes() -> None:
    assert len(table("one standby of")) == 5


def formula() -> Any:
    """Return the page's own function."""
    found: dict[str, Any] = {}
    exec(PAGE.partition("```python\n")[2].partition("```")[0], found)  # noqa: S102  the page's code
    return found["cold"]


@pytest.mark.parametrize("cells", table("tasks a minute"), ids=lambda cells: cells[0])
def test_so_many_standbys_are_enough_and_one_less_is_not(cells: list[str]) -> None:
    cold, rate = formula(), float(cells[0])
    for cell, most in zip(cells[1:], (0.05, 0.01), strict=True):
        assert cold(rate, 80, int(cell)) < most <= cold(rate, 80, int(cell) - 1)


def test_the_formula_is_erlang_s_with_known_values() -> None:
    """B(1, 1) = 1/2, B(2, 2) = 2/5: from the definition, (a^k / k!) / sum(a^i / i!)."""
    cold = formula()
    assert cold(1, 60, 1) == pytest.approx(1 / 2)
    assert cold(2, 60, 2) == pytest.approx(2 / 5)
    assert cold(1, 120, 2) == pytest.approx(2 / 5)
    assert len(table("tasks a minute")) == 7


def test_what_s3_and_an_address_cost_follows_from_their_prices() -> None:
    a_month = MONTH * 3600
    assert f"{a_month * GETS:.2f} dollars a month" in WORDS
    assert f"A lease costs its scheduler {a_month / LEASE_RENEWAL_SECONDS * PUTS:.2f}." in WORDS
    assert f"if the tasks have one: {MONTH * 0.005:.2f} a month" in WORDS
    assert "costs 30 cents a start" in WORDS
    assert float(table("one standby of")[0][1]) / 30 == pytest.approx(0.30, abs=0.005)


def test_each_reason_of_a_cold_start_is_explained_in_its_own_words() -> None:
    named = [cells[0].removesuffix(" …") for cells in table("cold start: …")]
    assert sorted(named) == sorted(CLASSES)


def test_the_times_and_exit_codes_are_the_code_s() -> None:
    assert f"{READY_AFTER} seconds in which it shows that it works" in WORDS
    assert LEASE_SECONDS + 30 < 240
    assert "within four minutes" in WORDS
    assert PATIENCE == 3
    assert "After three standbys that come to nothing, their queue rests for a quarter of an hour" in WORDS
    assert REST == 900
    assert (REPLACED_AHEAD, YOUNGEST_STANDBY, Settings.model_fields["standby_max_age"].default) == (
        180,
        360,
        3600,
    )
    assert "Its replacement starts three minutes before that end" in WORDS
    assert (
        f"in time, if it takes less than {REPLACED_AHEAD - LAST_MINUTE - READY_AFTER:.0f} seconds to start"
        in WORDS
    )
    assert "with 360, the least, a standby costs up to twice as much" in WORDS
    assert "5 % more: the three minutes in which each has its replacement beside it (3600 / 3420)" in WORDS
    assert STANDBY_PATIENCE == 60
    assert "isn't running after a minute" in WORDS
    assert f"{LEFT} it left, {NO_ACCESS} it can't read S3, {BROKEN} it can't import" in WORDS


def test_the_texts_of_the_audit_log_are_the_executor_s() -> None:
    state = ROOT / "ecs_async_executor" / "engine" / "state"
    warm, ledger = ((state / name).read_text("utf-8") for name in ("warm_starts.py", "ledger.py"))
    assert 'f"warm start: in a standby that had been running for {age:.0f} s"' in warm
    assert "warm start: in a standby that had been running for 412 s" in WORDS
    assert 'f"cold start: {why}"' in ledger
