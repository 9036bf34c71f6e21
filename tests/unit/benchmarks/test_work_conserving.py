from __future__ import annotations

import math

import pytest

from benchmarks.work_conserving import wall_time


@pytest.mark.parametrize(
    ("tasks", "room", "seconds"),
    [
        ([], 1, 0),
        ([5, 5, 5], 3, 5),
        ([5, 5, 5], 1, 15),
        ([5, 1, 1, 1, 1, 1], 2, 5),
        ([1] * 20, 100, 1),
        ([1] * 40, 100, 2),
    ],
    ids=["none", "all at once", "one by one", "short ones beside a long one", "a burst", "beyond the burst"],
)
def test_each_slot_is_filled_at_once_within_awss_rate(tasks: list[float], room: int, seconds: float):
    assert wall_time(tasks, room) == pytest.approx(seconds)


def test_a_slot_that_others_hold_is_used_before_and_afterwards():
    assert wall_time([2, 2, 2, 2], 2, [(2, 10)]) == 6
    assert wall_time([2, 2], 1, [(0, 10)]) == 14


def test_a_task_that_runs_when_others_take_its_slot_goes_on():
    assert wall_time([4, 1], 1, [(1, 3)]) == 5


def test_without_any_slot_it_never_ends():
    assert wall_time([1], 1, [(0, math.inf)]) == math.inf
