from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.report import Report
from benchmarks.tables import warm
from benchmarks.tables.warm import Burst, Launches, Pool, Start, Starts, Way

START = Start(
    queued=100.0,
    ordered=100.125,
    claim=100.25,
    claimed=100.5,
    handed_over=100.625,
    read=101.0,
    running=101.25,
    warm=True,
)
COLD = Start(queued=100.0, ordered=100.125, handed_over=100.5, running=131.0)


def report(
    *starts: Starts,
    launches: dict[Pool, list[float]] | None = None,
    bursts: list[Burst] | None = None,
) -> Report:
    pools = {pool: Launches(pool, waits) for pool, waits in (launches or {}).items()}
    return warm.report({each.way: each for each in starts}, pools, bursts or [], 30.0)


def warm_starts(*starts: Start, beats: tuple[float, ...] = (0.001,), way: Way = Way.WARM) -> Starts:
    return Starts(way, starts, beats, 2.5)


def met(found: Report) -> list[bool]:
    return [target.met for target in found.targets]


def test_each_way_of_starting_is_a_row_with_its_hand_over():
    found = report(warm_starts(START, START), Starts(Way.THEIRS, [COLD], [0.3], 3.25))

    assert found.tables[0].rows == [
        (Way.WARM.value, "2", "2", "1.2 s", "1.2 s", "1.2 s", "500 ms", "500 ms"),
        (Way.THEIRS.value, "1", "0", "31.0 s", "31.0 s", "31.0 s", "375 ms", "375 ms"),
    ]
    assert "2.5, 3.2" in found.tables[0].caption  # the loads


def test_the_steps_of_a_warm_start_add_up_to_all_of_it():
    rows = report(warm_starts(START)).tables[1].rows

    assert [row[1] for row in rows] == [
        "125 ms", "125 ms", "250 ms", "125 ms", "375 ms", "250 ms", "1.2 s",
    ]  # fmt: skip


def test_cold_starts_have_no_table_of_a_warm_starts_steps():
    titles = [table.title for table in report(warm_starts(COLD)).tables]

    assert not any("Where a warm start" in title for title in titles)


@pytest.mark.parametrize(
    ("starts", "fine"),
    [
        ([START], True),
        ([replace(START, running=101.6)], False),
        ([START] * 99 + [replace(START, running=104.0)], True),
        ([START] * 90 + [replace(START, running=104.0)] * 2, False),
        ([START, replace(START, warm=False)], False),
    ],
)
def test_all_must_start_warm_half_of_them_within_one_and_a_half_seconds(starts: list[Start], fine: bool):
    assert met(report(warm_starts(*starts))) == [fine]


def test_a_burst_must_reach_all_its_containers_soon():
    good = Burst(3, True, [0.1, 0.2, 0.3], [0.5, 1.0, 2.0], [0.001])

    assert met(report(bursts=[good])) == [True]
    assert met(report(bursts=[replace(good, read=[0.5, 1.0])])) == [False]
    assert met(report(bursts=[replace(good, read=[0.5, 1.0, 3.5])])) == [False]
    assert met(report(bursts=[replace(good, warm=False, read=[])])) == []


@pytest.mark.parametrize(("waits", "fine"), [([0.05], True), ([0.12], True), ([0.05] * 50 + [0.2], False)])
def test_a_pool_that_cannot_serve_may_add_a_tenth_of_a_second_to_a_cold_launch(
    waits: list[float], fine: bool
):
    found = report(launches={Pool.NONE: [0.05], Pool.EMPTY: waits})

    assert met(found) == [fine]
    assert [row[0] for row in found.tables[0].rows] == [Pool.NONE.value, Pool.EMPTY.value]


def test_what_a_task_costs_whose_standby_s3_refuses_is_shown_but_no_target():
    found = report(launches={Pool.NONE: [0.05], Pool.REVOKED: [0.4, 0.05]})

    assert found.targets == []
    assert found.tables[0].rows[1] == (Pool.REVOKED.value, "2", "50.00 ms", "400 ms", "400 ms")


@pytest.mark.parametrize(("on", "fine"), [(0.004, True), (0.006, True), (0.0061, False)])
def test_heartbeats_with_standbys_are_compared_with_those_without(on: float, fine: bool):
    found = report(warm_starts(START, beats=(on,)), warm_starts(COLD, beats=(0.001,), way=Way.COLD)).targets[
        -1
    ]

    assert found.what.startswith("heartbeats")
    assert found.met is fine


def test_the_figures_name_the_ways():
    assert report(warm_starts(START)).figures == {
        "warm_median": 1.25,
        "warm_99": 1.25,
    }
