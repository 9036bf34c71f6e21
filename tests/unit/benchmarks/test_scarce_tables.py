from __future__ import annotations

import math
from dataclasses import replace

import pytest

from benchmarks.report import Report
from benchmarks.tables import scarce
from benchmarks.tables.launch import MINE, THEIRS
from benchmarks.tables.scarce import Case, Flow, Launched, Return, Waiting

GOOD = Flow(
    tasks=4,
    room=2,
    launches=[Launched(1, at, at + 10) for at in (0, 0.5, 10.5, 11)],
    taken=[],
    refused=0,
    failed=0,
    seconds=25,
    longest=0.02,
)
BACK = Return(dark=600, fits=60, launched=[3 + number / 20 for number in range(60)], given=180, refused=9)


def report(
    flow: Flow = GOOD, *, case: Case = Case.OWN, back: Return = BACK, waits: list[Waiting] | None = None
) -> Report:
    return scarce.report({(case, MINE): flow}, {MINE: back}, [(MINE, each) for each in waits or []], 10.0)


def met(found: Report) -> dict[str, bool]:
    return {target.what: target.met for target in found.targets}


def test_the_wall_time_is_compared_with_that_of_a_work_conserving_scheduler():
    assert (GOOD.whole, GOOD.wall, GOOD.ideal) == (True, 21, 20)
    assert report().tables[0].rows[0] == (
        "alone",
        MINE,
        "4",
        "0",
        "21.0 s",
        "20.0 s",
        "1.05",
        "0.0 %",
        "0",
        "0",
        "20.00 ms",
    )


def test_what_was_cut_is_compared_with_what_had_run_by_then():
    cut = replace(GOOD, launches=[*GOOD.launches[:2], Launched(1, 12, math.inf)])

    assert not cut.whole
    assert cut.ratio == 2.5
    assert report(cut).tables[0].rows[0][2:7] == ("2", "0", "25.0 s", "10.0 s", "~2.50")
    assert (
        met(report(cut))["scarce room, alone: wall time, compared with a work-conserving scheduler's"]
        is False
    )


def test_what_nothing_was_launched_in_has_no_ratio():
    assert report(replace(GOOD, launches=[])).tables[0].rows[0][5:8] == ("0.00 ms", "-", "-")


@pytest.mark.parametrize(("refused", "fine"), [(5, True), (6, False)])
def test_few_calls_may_be_refused_except_where_they_are_at_random(refused: int, fine: bool):
    flow = replace(GOOD, launches=[Launched(1, 0, 10)] * 100, refused=refused)

    assert met(report(flow))["scarce room, alone: refused calls"] is fine
    assert not any("refused calls" in what for what in met(report(flow, case=Case.RANDOM)))


@pytest.mark.parametrize(
    ("late", "overtaken", "behind_relaunched"),
    [
        (Launched(5, 1.5, 9), 1, 0),
        (Launched(5, 0.9, 9), 0, 0),
        (Launched(1, 1.5, 9), 0, 0),
        (Launched(5, 1.5, 9, refused=True), 0, 1),
    ],
    ids=["waited", "sent together", "of the same priority", "relaunched"],
)
def test_launches_before_a_higher_priority_are_counted(
    late: Launched, overtaken: int, behind_relaunched: int
):
    flow = replace(GOOD, launches=[Launched(1, 0, 9), Launched(5, 0.1, 9), late])

    assert (flow.overtaken(refused=False), flow.overtaken(refused=True)) == (overtaken, behind_relaunched)
    assert (
        met(report(flow))["scarce room: launches before a waiting run of a higher priority"] is not overtaken
    )


def test_the_time_that_awss_rate_needs_is_taken_off():
    assert BACK.last == pytest.approx(5.95)
    assert BACK.beyond == pytest.approx(3.95)
    assert report().tables[1].rows[0] == (MINE, "600 s", "9", "60", "60", "6.0 s", "4.0 s")  # fmt: skip


def test_room_that_was_not_filled_is_said_to_be_so():
    found = report(back=replace(BACK, launched=[1.0]))

    assert found.tables[1].rows[0][-3:] == ("1", "> 180 s", "-")
    assert list(met(found).values())[-1] is False


@pytest.mark.parametrize(
    ("many", "fine"),
    [
        (Waiting(10_000, [0.001] * 100, reads=2.5, calls=0.1), True),
        (Waiting(10_000, [0.001] * 100, reads=3.5, calls=0.1), False),
        (Waiting(10_000, [0.003] * 100, reads=2.0, calls=0.1), False),
    ],
)
def test_runs_that_wait_must_cost_nothing(many: Waiting, fine: bool):
    assert list(met(report(waits=[Waiting(0, [0.001], 2.0, 0.0), many])).values())[-1] is fine


def test_a_heartbeat_that_was_broken_off_is_marked():
    found = scarce.report({(Case.OWN, MINE): GOOD}, {}, [(THEIRS, Waiting(9, [30.0], 0, 5, cut=True))], 10)

    assert found.tables[-1].rows == [(THEIRS, "9", "1", "", "", "> 30.0 s", "", "5.0")]


def test_failures_are_doubtful_if_the_machine_was_too_slow():
    assert report(replace(GOOD, failed=3, late=True)).tables[0].rows[0][3] == "3 ?"
