from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.__main__ import BENCHMARKS
from benchmarks.performance_page import (
    CHART,
    PAGE,
    README,
    chart,
    markdown,
    read_results,
    with_tables,
    write_results,
)
from benchmarks.report import Report, Table, Target

REPORT = Report(
    "lag",
    [Table("How soon", ("", "long-\nest"), [("many | few", "~3 s")], "> is more")],
    [Target("lag", "<= 3 s", "2 s", met=True), Target("calls", "<= 50 %", "60 %", met=False)],
    seconds=120,
    machine={"cores": "2", "python": "3.11.7"},
)


@pytest.mark.parametrize("page", [PAGE, README], ids=lambda page: page.name)
def test_the_pages_show_the_committed_results(page: Path):
    text = page.read_text("utf-8")

    assert with_tables(text, read_results()) == text, "run `python -m benchmarks.performance_page`"


def test_the_chart_shows_the_committed_results():
    assert CHART.read_text("utf-8") == chart(read_results()), "run `python -m benchmarks.performance_page`"


def test_a_table_is_written_in_markdown_with_its_title_and_caption():
    assert markdown(REPORT.tables[0]).splitlines() == [
        "**How soon**",
        "",
        "|  | longest |",
        "| --- | ---: |",
        "| many \\| few | \\~3 s |",
        "",
        "> is more",
    ]


def test_only_what_lies_between_the_marks_is_written():
    before = "before\n<!-- bench:lag, written -->\nold\n<!-- /bench -->\nafter\n"

    after = with_tables(before, {"lag": REPORT})

    assert after.startswith("before\n<!-- bench:lag, written -->\n")
    assert after.endswith("<!-- /bench -->\nafter\n")
    assert "How soon" in after
    assert "old" not in after


@pytest.mark.parametrize(("cut_after", "shown", "said"), [(10.0, "\\~208 s", True), (0.0, "208 s", False)])
def test_the_readme_says_what_is_computed_and_that_nothing_was_measured_on_aws(
    cut_after: float, shown: str, said: bool
):
    figures = {
        "tasks": 1000.0,
        "latency": 0.2,
        "theirs_per_second": 4.9,
        "ours_per_second": 445.0,
        "theirs_cut_after": cut_after,
        "theirs_longest_heartbeat": 208.3,
        "ours_longest_heartbeat": 0.018,
    }
    launch = replace(REPORT, name="launch", figures=figures)

    text = with_tables("<!-- bench:short -->\n<!-- /bench -->", {"launch": launch})

    assert f"| {shown} | 18.00 ms |" in text
    assert "On a simulated AWS, with 200 ms for each call: nothing has been measured on AWS itself." in text
    assert ("~: computed from AwsEcsExecutor's first 10 s." in text) == said


def test_targets_and_machine_are_written_as_well():
    text = with_tables("<!-- bench:targets -->\n<!-- /bench --><!-- bench:machine -->\n<!-- /bench -->", {"lag": REPORT})  # fmt: skip

    assert "| lag | <= 3 s | 2 s | yes |" in text.replace("\\", "")
    assert "| calls | <= 50 % | 60 % | **no** |" in text.replace("\\", "")
    assert "2 minutes on one machine: 2 cores, python 3.11.7." in text


def test_the_page_names_quick_runs():
    reports = {"lag": REPORT, "client": replace(REPORT, name="client", quick=True)}
    text = "<!-- bench:machine -->\n<!-- /bench -->"

    assert "don't quote their figures: client.**" in with_tables(text, reports)
    assert "quoted" not in with_tables(text, {"lag": REPORT})


def test_every_benchmark_has_its_place_and_its_command_on_the_page():
    text = PAGE.read_text("utf-8")

    for name in BENCHMARKS:
        assert f"<!-- bench:{name}, " in text
        assert f"`python -m benchmarks.{name}`" in text


def test_a_benchmark_without_results_is_said_to_have_none():
    assert "Not measured" in with_tables("<!-- bench:lag -->\nold\n<!-- /bench -->", {})


def test_results_come_back_from_their_file(tmp_path: Path):
    write_results({"lag": REPORT}, tmp_path / "results.json")

    assert read_results(tmp_path / "results.json")["lag"].to_json() == REPORT.to_json()
    assert read_results(tmp_path / "none.json") == {}
