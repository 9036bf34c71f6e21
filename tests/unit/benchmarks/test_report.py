from __future__ import annotations

import io
import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.report import (
    Report,
    Table,
    Target,
    duration,
    extrapolated,
    machine,
    median,
    percent,
    percentile,
    show,
    write,
)

REPORT = Report(
    "launch",
    [Table("Speed", ("", "fast"), [("tasks", "400")], "a second")],
    [Target("speed", ">= 400", "390", met=False)],
    {"speed": 390.0},
    quick=True,
    seconds=12.5,
    machine={"cores": "2"},
)


@pytest.mark.parametrize(("percents", "value"), [(0, 1), (50, 2), (75, 3), (99, 4), (100, 4)])
def test_a_percentile_is_a_value_that_so_many_do_not_exceed(percents: float, value: float):
    assert percentile([4.0, 1.0, 3.0, 2.0], percents) == value


def test_the_median_is_no_mean():
    assert median([1.0, 1.0, 100.0]) == 1.0


def test_no_values_have_no_percentile():
    assert math.isnan(percentile([], 50))


def test_what_is_not_done_is_reckoned_to_take_as_long_as_what_is():
    assert extrapolated(30.0, 150, 1000) == 200.0
    assert extrapolated(30.0, 0, 1000) == math.inf


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.00021, "0.21 ms"), (0.5, "500 ms"), (2.5551, "2.6 s"), (2000.4, "2,000 s"), (math.nan, "-"), (math.inf, "-")],
)  # fmt: skip
def test_a_duration_is_written_in_its_unit(seconds: float, text: str):
    assert duration(seconds) == text


def test_a_share_of_nothing_is_not_known():
    assert percent(1, 3) == "33.3 %"
    assert percent(0, 0) == "-"


def test_a_report_comes_back_from_json(tmp_path: Path):
    write(REPORT, tmp_path / "report.json")

    assert Report.from_json(json.loads((tmp_path / "report.json").read_text("utf-8"))).to_json() == REPORT.to_json()  # fmt: skip


def test_a_report_is_shown_with_its_table_and_whether_the_target_is_met():
    output = io.StringIO()

    show(replace(REPORT, quick=False), Console(file=output, width=100))

    assert "Speed" in output.getvalue()
    assert "missed: speed: 390 (target: >= 400)" in output.getvalue()
    assert "Don't quote" not in output.getvalue()


def test_a_quick_run_is_not_judged():
    output = io.StringIO()

    show(replace(REPORT, quick=True), Console(file=output, width=100))

    assert "speed: 390 (a full run's target: >= 400)" in output.getvalue()
    assert "missed" not in output.getvalue()
    assert "Don't quote" in output.getvalue()


def test_the_machine_is_described_without_its_name_or_paths():
    assert set(machine()) == {
        "cores", "system", "python",
        "apache-airflow-core", "apache-airflow-providers-amazon", "aiobotocore", "botocore",
    }  # fmt: skip
    assert not any("/" in value for value in machine().values())
