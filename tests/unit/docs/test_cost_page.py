"""The examples of docs/cost.md are computed from the prices that it names."""

from __future__ import annotations

import re

import pytest

from tests.unit.docs.pages import ROOT

PAGE = (ROOT / "docs" / "cost.md").read_text("utf-8")


def number(cell: str) -> float:
    return float(cell.replace(",", ""))


def rows(start: str, end: str) -> list[list[str]]:
    """Return the cells of the table between two texts, without its header."""
    lines = PAGE.partition(start)[2].partition(end)[0].splitlines()
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    return table[2:]


PRICES = {cells[0]: number(cells[1]) for cells in rows("<!-- prices:", "<!-- /prices -->")}
EXAMPLES = rows("costs nothing.\n", "Ten busy slots")
HOURS = 730
"""In a month."""


def task(vcpu: float, gigabytes: float, seconds: float) -> float:
    """Return what a task costs, by the page's formula."""
    an_hour = vcpu * PRICES["Fargate, vCPU-hour"] + gigabytes * PRICES["Fargate, GB-hour"]
    return max(60.0, seconds) / 3600 * an_hour


@pytest.mark.parametrize("cells", EXAMPLES, ids=lambda cells: cells[0][:40])
def test_an_example_costs_what_its_formula_says(cells: list[str]) -> None:
    tasks, vcpu, gigabytes, seconds, dollars = map(number, cells[1:])
    assert dollars == round(tasks * task(vcpu, gigabytes, seconds), 2)


def test_there_are_examples_of_the_minimum_and_above_it() -> None:
    seconds = [number(cells[4]) for cells in EXAMPLES]
    assert min(seconds) == 60
    assert len({*seconds}) > 2


def test_the_sums_of_network_and_logs_follow_from_the_prices() -> None:
    shown = [number(cells[-1]) for cells in rows("## The network", "The third line")]
    shown += [number(cells[-1]) for cells in rows("## Logs", "A container's output")]
    tasks, image, endpoints, zones, log = 30_000, 0.5, 3, 2, 0.001  # GB
    written = tasks * log * PRICES["CloudWatch Logs, GB written"]
    assert shown == [
        pytest.approx(each, abs=0.005)
        for each in (
            HOURS * PRICES["NAT gateway, hour"],
            tasks * image * PRICES["NAT gateway, GB"],
            0.0,
            endpoints * zones * HOURS * PRICES["interface endpoint, hour in one zone"],
            tasks / 60 * PRICES["public IPv4 address, hour"],
            written,
            tasks * log * PRICES["S3, GB kept for a month"],
            2 * written,
        )
    ]


def test_the_page_says_as_of_when_and_where_its_prices_are() -> None:
    assert re.search(r"quoted in \w+ 20\d\d", PAGE)
    assert "us-east-1" in PAGE
