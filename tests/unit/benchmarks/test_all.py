from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import __main__ as all_benchmarks
from benchmarks.__main__ import BENCHMARKS, merged, minutes_left, run_all
from benchmarks.performance_page import read_results
from benchmarks.report import Report

OLD, NEW = Report("lag", [], seconds=1), Report("lag", [], seconds=2)
LAUNCH = Report("launch", [])


def test_no_benchmark_imports_the_tests():
    modules = Path(all_benchmarks.__file__).parent.rglob("*.py")

    assert [path.name for path in modules if "from tests" in path.read_text("utf-8")] == []


def test_a_benchmark_that_fails_is_named_and_loses_only_its_own_results():
    found = list(run_all(["no_such_benchmark", "nor_this"], quick=True))

    assert found == [("no_such_benchmark", None), ("nor_this", None)]


def test_results_are_written_after_each_benchmark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file = tmp_path / "results.json"

    def broken_off(names: list[str], *, quick: bool) -> Iterator[tuple[str, Report | None]]:
        assert names == ["lag", "launch"]
        assert not quick
        yield "lag", NEW
        assert list(read_results(file)) == ["lag"]
        raise KeyboardInterrupt

    monkeypatch.setattr(all_benchmarks, "run_all", broken_off)
    monkeypatch.setattr("sys.argv", ["benchmarks", "--results", str(file), "--only", "lag", "launch", "lag"])

    with pytest.raises(KeyboardInterrupt):
        all_benchmarks.main()
    assert read_results(file)["lag"].seconds == NEW.seconds


def test_a_file_that_holds_something_else_is_refused_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    file = tmp_path / "results.json"
    file.write_text("[1]")
    monkeypatch.setattr("sys.argv", ["benchmarks", "--results", str(file)])

    with pytest.raises(SystemExit, match="holds no results of these benchmarks"):
        all_benchmarks.main()


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
