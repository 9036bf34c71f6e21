from __future__ import annotations

import pytest

from tests.chaos.expected_outcomes import EXPECTED, outcome, shares


@pytest.mark.parametrize("tasks", [7, 25, 300])
def test_the_shares_of_all_fates_add_up(tasks: int):
    counts = shares(tasks)

    assert sum(counts.values()) == tasks
    assert counts.keys() == EXPECTED.keys()
    assert min(counts.values()) >= 1


def test_an_unexpected_try_ends_as_the_last_expected_one():
    assert [outcome("revives", number, 0) for number in (1, 2, 3)] == ["die", "succeed", "succeed"]


def test_a_task_that_waits_does_so_as_often_as_it_must():
    assert [outcome("waits", 1, waited) for waited in (0, 1, 2, 3)] == ["wait", "wait", "succeed", "succeed"]
