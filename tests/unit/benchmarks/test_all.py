from __future__ import annotations

from benchmarks.__main__ import BENCHMARKS, merged, minutes_left, run_all
from benchmarks.report import Report

OLD, NEW = Report("lag", [], seconds=1), Report("lag", [], seconds=2)
LAUNCH = Report("launch", [])


def test_a_benchmark_that_fails_is_named_and_loses_only_its_own_results():
    reports, failed = run_all(["no_such_benchmark", "nor_this"], quick=True)

    assert reports == {}
    assert failed == ["no_such_benchmark", "nor_this"]


def test_results_of_what_was_not_run_are_kept():
    assert merged({"lag": OLD, "launch": LAUNCH}, ["lag"], {"lag": NEW}) == {"launch": LAUNCH, "lag": NEW}


def test_old_results_of_what_has_failed_are_dropped():
    assert merged({"lag": OLD, "launch": LAUNCH}, ["lag"], {}) == {"launch": LAUNCH}


def test_results_stand_in_the_order_of_the_page():
    assert list(merged({"lag": OLD}, ["launch"], {"launch": LAUNCH})) == ["launch", "lag"]


def test_the_time_left_shrinks_with_every_benchmark():
    left = [minutes_left(BENCHMARKS[number:], quick=False) for number in range(len(BENCHMARKS) + 1)]

    assert left == sorted(set(left), reverse=True)
    assert left[-1] == 0
    assert minutes_left(BENCHMARKS, quick=True) < left[0]
