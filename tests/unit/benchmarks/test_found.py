"""What the benchmarks make of what they have measured."""

from __future__ import annotations

import pytest

from benchmarks.found import heartbeat, interference, lag, launch, memory
from benchmarks.found.launch import MINE, THEIRS, Free, Limited
from benchmarks.report import Report

CUT = Free(done=150, seconds=30, longest=30, cut=True)
GOOD = Limited(launched=1200, allowed=1220, calls=1000, throttled=5, longest=0.01, cut=False)


def launch_report(ours: Free, limited: Limited = GOOD) -> Report:
    results = (CUT, ours, Free(1000, 2))
    return launch.report(
        {(1000, 0.2): results}, {(THEIRS, False): GOOD, (MINE, False): GOOD, (MINE, True): limited}
    )


def test_a_heartbeat_that_was_cut_is_reckoned_to_its_end():
    assert CUT.heartbeat(1000) == 200
    assert CUT.rate == 5


def test_a_whole_heartbeat_is_taken_as_it_was_and_reckoned_for_more_tasks():
    whole = Free(done=100, seconds=10, longest=10)

    assert whole.heartbeat(100) == 10
    assert whole.heartbeat(1000) == 100


def test_reckoned_figures_are_marked():
    row = launch_report(Free(1000, 2.5, longest=0.02)).tables[0].rows[0]

    assert row == ("1,000 tasks, 200 ms", "~5", "400", "500", "80 %", "~200 s", "20.00 ms", "10,000 x")


@pytest.mark.parametrize(
    ("ours", "met"),
    [
        (Free(1000, 2.5, longest=0.02), [True, True]),
        (Free(1000, 2.6, longest=0.02), [False, True]),
        (Free(1000, 2.5, longest=0.3), [True, False]),
    ],
)
def test_launches_must_be_fast_and_heartbeats_short(ours: Free, met: list[bool]):
    assert [target.met for target in launch_report(ours).targets[:2]] == met


@pytest.mark.parametrize(
    ("launched", "throttled", "met"), [(1200, 5, True), (1100, 5, False), (1200, 11, False)]
)
def test_beside_another_client_nearly_all_that_is_left_must_be_launched_nearly_without_throttles(
    launched: int, throttled: int, met: bool
):
    limited = Limited(launched, 1220, calls=1000, throttled=throttled, longest=0.01, cut=False)

    assert launch_report(Free(1000, 2.5, longest=0.02), limited).targets[-1].met is met


def test_the_slowest_heartbeats_count_whether_anything_happened_or_not():
    quiet = heartbeat.Heartbeats(10_000, idle=[0.001] * 100, busy=[0.001] * 100)
    noisy = heartbeat.Heartbeats(10_000, idle=[0.001] * 100, busy=[0.001] * 99 + [0.03])

    assert heartbeat.report([quiet], CUT, 1000, 0.2).targets[0].met
    assert not heartbeat.report([noisy], CUT, 1000, 0.2).targets[0].met
    assert heartbeat.report([noisy], CUT, 1000, 0.2).tables[0].rows[-1][-1] == "~200 s"


def test_speed_is_compared_pair_by_pair():
    alone = [interference.Window(speed) for speed in (100.0, 200.0, 100.0)]
    beside = [interference.Window(speed, others=0.02) for speed in (98.0, 196.0, 50.0)]
    result = interference.Result(alone, beside)
    case = interference.Case("one", 10_000)

    report = interference.report({interference.Case("none", None): result, case: result})

    assert result.shares == [0.98, 0.98, 0.5]
    assert report.tables[0].rows[1][1:4] == ("98.0 %", "50.0 %", "2.0 %")
    assert report.targets[0].measured == "98.0 %"
    assert report.targets[0].met


def test_an_end_that_was_not_seen_is_wrong():
    seen = lag.Lags(live=100, ends=2, lags=[1.0], calls=100, seconds=10)

    assert lag.report({"100": seen}, None, 0.1).tables[0].rows == [
        ("100", "2", "1.0 s", "1.0 s", "1.0 s", "10.0", "50 %", "1")
    ]


@pytest.mark.parametrize(
    ("many", "met"),
    [
        (lag.Lags(100, 100, [1.0] * 100, calls=100, seconds=10), [True, True, True]),
        (lag.Lags(100, 100, [1.0] * 100, calls=100, seconds=10, wrong=1), [False, True, True]),
        (lag.Lags(100, 100, [4.0] * 100, calls=100, seconds=10), [True, False, True]),
        (lag.Lags(100, 100, [1.0] * 98 + [11.0] * 2, calls=100, seconds=10), [True, False, True]),
        (lag.Lags(100, 100, [1.0] * 100, calls=110, seconds=10), [True, True, False]),
    ],
)
def test_many_short_tasks_must_be_right_and_seen_soon_and_at_few_calls(many: lag.Lags, met: list[bool]):
    assert [target.met for target in lag.report({"many": many}, many, 0.1).targets] == met


def test_memory_is_given_for_each_task():
    results = [
        memory.Memory(10, None, 50_000),
        memory.Memory(20, None, 60_000),
        memory.Memory(10, 30_000, None),
    ]

    report = memory.report(results)

    assert report.tables[0].rows == [("10", "3,000 bytes", "5,000 bytes"), ("20", "-", "3,000 bytes")]
    assert report.targets[0].met
