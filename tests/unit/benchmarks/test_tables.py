"""What the benchmarks make of what they have measured."""

from __future__ import annotations

import argparse

import pytest

from benchmarks import client
from benchmarks.report import Report
from benchmarks.tables import heartbeat, interference, lag, launch, memory
from benchmarks.tables.launch import MINE, THEIRS, Case, Free, Limited

CUT = Free(done=150, seconds=30, longest=30, cut=True)
GOOD = Limited(launched=1200, allowed=1220, calls=1000, throttled=5, longest=0.01, cut=False)


def launch_report(ours: Free, limited: Limited = GOOD) -> Report:
    results = (CUT, ours, Free(1000, 2))
    return launch.report(
        {Case(1000, 0.2): results}, {(THEIRS, False): GOOD, (MINE, False): GOOD, (MINE, True): limited}
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


def test_launches_with_metrics_have_a_row_beside_those_without():
    results = (CUT, Free(1000, 2.5, longest=0.02), Free(1000, 2))
    found = launch.report({Case(1000, 0.2): results, Case(1000, 0.2, metrics=True): results}, {})

    assert [row[0] for row in found.tables[0].rows] == [
        "1,000 tasks, 200 ms",
        "1,000 tasks, 200 ms, metrics on",
    ]


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


def beats(state: str, *walls: float, live: int = 10_000) -> heartbeat.Heartbeats:
    return heartbeat.Heartbeats(live, state, walls, [wall / 2 for wall in walls])


@pytest.mark.parametrize("state", [heartbeat.IDLE, heartbeat.BUSY])
@pytest.mark.parametrize(
    ("walls", "met"),
    [([0.001] * 99 + [0.02], True), ([0.001] * 99 + [0.03], False), ([0.001] * 98 + [0.003] * 2, False)],
)
def test_the_slowest_heartbeats_of_the_worst_state_count(state: str, walls: list[float], met: bool):
    # Ten times as many good ones in another state must not hide them.
    results = [beats("another", *[0.001] * 1000), beats(state, *walls)]

    assert heartbeat.report(results, CUT, 1000, 0.2).targets[0].met is met


@pytest.mark.parametrize(("longest", "met"), [(0.02, True), (0.03, False)])
def test_of_heartbeats_that_have_a_seconds_work_each_only_the_longest_is_judged(longest: float, met: bool):
    results = [beats(heartbeat.IDLE, 0.001), beats(heartbeat.SLOW, 0.004, longest)]

    assert heartbeat.report(results, CUT, 1000, 0.2).targets[0].met is met


def test_heartbeats_are_judged_with_the_most_tasks_that_the_target_is_for():
    results = [
        beats(heartbeat.IDLE, 0.5, live=1000),
        beats(heartbeat.IDLE, 0.001),
        beats(heartbeat.IDLE, 0.5, live=50_000),
    ]

    target = heartbeat.report(results, CUT, 1000, 0.2).targets[0]

    assert target.measured == "1.00 ms, 1.00 ms"
    assert target.met


def test_a_heartbeat_is_shown_with_the_cpu_of_its_thread():
    rows = heartbeat.report([beats("idle", 0.002, 0.004)], CUT, 1000, 0.2).tables[0].rows

    assert rows[0] == ("10,000 live tasks", "idle", "2", "2.00 ms", "4.00 ms", "4.00 ms", "2.00 ms")
    assert rows[-1][-2] == "~200 s"


def windows(*speeds: float, kept: float = 0.97) -> list[interference.Window]:
    return [interference.Window(speed, kept, others=0.02) for speed in speeds]


WATCHES = interference.Case("one", 10_000)
STEADY = interference.Result(windows(100, 100), windows(100, kept=0.99))


def test_speed_is_compared_with_that_of_the_windows_around_it():
    result = interference.Result(windows(100, 200, 200, 100), windows(147, 196, 75))

    report = interference.report({interference.NONE: STEADY, WATCHES: result})

    assert result.shares == [0.98, 0.98, 0.5]
    assert report.tables[0].rows[1][1:] == ("97.0 %", "97.0 %", "2.0 %", "98.0 %", "50.0 %")


@pytest.mark.parametrize(("kept", "met"), [(0.95, True), (0.94, False)])
def test_the_main_thread_must_keep_its_time(kept: float, met: bool):
    result = interference.Result(windows(100, 100), windows(60, kept=kept))

    target = interference.report({interference.NONE: STEADY, WATCHES: result}).targets[0]

    assert target.measured == f"{100 * kept:.1f} %"
    assert target.met is met


def test_nothing_is_judged_if_time_is_lost_without_an_executor():
    noise = interference.Result(windows(100, 100), windows(100, kept=0.9))

    report = interference.report({interference.NONE: noise, WATCHES: STEADY})

    assert "too noisy to judge" in report.tables[0].caption
    assert "too noisy to judge" in report.targets[0].measured
    assert not report.targets[0].met


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


# --- a report renders what there is, from the first measurement on -------------------------------------------------------


def test_heartbeats_with_more_tasks_than_the_target_is_for_are_shown_and_not_judged():
    report = heartbeat.report([beats(heartbeat.IDLE, 0.5, live=50_000)], CUT, 1000, 0.2)

    assert report.tables[0].rows[0][:2] == ("50,000 live tasks", heartbeat.IDLE)
    assert not report.targets
    assert not report.figures


def test_heartbeats_are_shown_before_the_other_executor_is_measured():
    assert len(heartbeat.report([beats(heartbeat.IDLE, 0.001)], None, 1000, 0.2).tables[0].rows) == 1


def test_launches_are_shown_before_those_under_limits_are_measured():
    report = launch.report({Case(1000, 0.2): (CUT, Free(1000, 2.5, longest=0.02), Free(1000, 2))}, {})

    assert [len(table.rows) for table in report.tables] == [1, 0]
    assert len(report.targets) == 2


def test_an_executor_that_has_launched_nothing_in_its_time_has_no_heartbeat_to_compare_with():
    nothing = Free(done=0, seconds=0.1, longest=0.0, cut=True)

    report = launch.report({Case(1000, 0.2): (nothing, Free(1000, 2.5, longest=0.02), Free(1000, 2))}, {})

    assert report.tables[0].rows[0] == (
        "1,000 tasks, 200 ms",
        "~0",
        "400",
        "500",
        "80 %",
        "~-",
        "20.00 ms",
        "- x",
    )
    assert "inf" not in str(report.targets)
    assert "theirs_longest_heartbeat" not in report.to_json()["figures"]


def test_interference_is_shown_and_not_judged_before_an_executor_with_tasks_is_measured():
    report = interference.report({interference.NONE: STEADY})

    assert len(report.tables[0].rows) == 1
    assert not report.targets


def test_lags_are_shown_before_the_many_short_tasks_are_measured_and_with_no_end_seen():
    report = lag.report({"20": lag.Lags(live=20, ends=1, lags=[], calls=1, seconds=1)}, None, 0.1)

    assert report.tables[0].rows[0] == ("20", "1", "-", "-", "-", "1.0", "5 %", "1")


def test_memory_is_shown_before_allocations_are_traced():
    report = memory.report([memory.Memory(1, None, 50_000)])

    assert report.tables[0].rows == [("1", "-", "50,000 bytes")]
    assert not report.targets


def test_a_client_is_shown_before_its_rates_and_its_parsing_are_measured():
    costs = dict.fromkeys(client.TARGETS, (2.0, 1.0))

    report = client.report(costs, {}, None, argparse.Namespace(flight=1, latency=0.0))

    assert [len(table.rows) for table in report.tables] == [2, 0]
    assert len(report.targets) == 2
