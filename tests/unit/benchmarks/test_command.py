from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import sizes
from benchmarks.command import Size, parse, run
from benchmarks.report import Report, Table

ALL = {name: getattr(sizes, name.upper()) for name in (*sizes.MINUTES, "faults")}
EACH = [(name, option) for name in ALL for option in ALL[name]]


@pytest.mark.parametrize("name", ALL)
def test_every_benchmark_has_its_full_sizes_unless_told_otherwise(name: str):
    arguments = parse(name, "", ALL[name], [])

    assert {option: getattr(arguments, option) for option in ALL[name]} == {
        option: size.full for option, size in ALL[name].items()
    }
    assert not arguments.quick
    assert arguments.json is None


@pytest.mark.parametrize("name", ALL)
def test_a_quick_run_has_the_small_sizes_but_for_those_that_are_given(name: str):
    option, size = next(iter(ALL[name].items()))
    given = size.full if isinstance(size.full, list) else [size.full]

    arguments = parse(name, "", ALL[name], ["--quick", f"--{option}", *map(str, given)])

    assert getattr(arguments, option) == size.full
    assert all(getattr(arguments, rest) == ALL[name][rest].quick for rest in list(ALL[name])[1:])


@pytest.mark.parametrize("name", ALL)
def test_help_shows_each_option_with_its_default(name: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        parse(name, "What is measured?", ALL[name], ["--help"])

    text = " ".join(capsys.readouterr().out.split())
    assert "What is measured?" in text
    assert text.count("default:") == len(ALL[name]) + 2  # --quick and --json
    assert all(f"--{option.replace('_', '-')}" in text for option in ALL[name])


def test_an_option_has_the_type_of_its_size(capsys: pytest.CaptureFixture[str]):
    some = {"live": Size([1, 2], [1], "live tasks"), "latency": Size(0.1, 0.1, "seconds")}

    assert parse("some", "", some, ["--live", "3", "4", "--latency", "2"]).live == [3, 4]
    with pytest.raises(SystemExit):
        parse("some", "", some, ["--live", "many"])
    assert "'many' is not a whole number" in capsys.readouterr().err


def test_all_benchmarks_together_take_about_an_hour_and_a_half():
    full, quick = (sum(minutes) for minutes in zip(*sizes.MINUTES.values(), strict=True))

    assert quick < full <= 100


def test_an_option_of_two_words_has_a_hyphen():
    assert parse("some", "", {"slow_seconds": Size(1.0, 1.0, "s")}, ["--slow-seconds", "2"]).slow_seconds == 2


@pytest.mark.parametrize("text", ["-1", "many", "", "nan", "inf", "1e999", str(10**30)])
@pytest.mark.parametrize(("name", "option"), EACH)
def test_a_size_that_can_not_be_measured_is_refused_with_the_range_that_can(
    name: str, option: str, text: str, capsys: pytest.CaptureFixture[str]
):
    with pytest.raises(SystemExit):
        parse(name, "", ALL[name], [f"--{option.replace('_', '-')}={text}"])

    size = ALL[name][option]
    assert f"number from {size.least:,} to {size.most:,}\n" in capsys.readouterr().err


@pytest.mark.parametrize(("name", "option"), EACH)
def test_the_smallest_and_the_largest_size_are_taken_and_nothing_beyond(name: str, option: str):
    size = ALL[name][option]
    kind = type(size.full[0] if isinstance(size.full, list) else size.full)
    for value, beyond in ((size.least, size.least - 0.001), (size.most, size.most + 1)):
        given = getattr(parse(name, "", ALL[name], [f"--{option.replace('_', '-')}={kind(value)}"]), option)
        assert given == ([value] if isinstance(size.full, list) else value)
        with pytest.raises(SystemExit):
            parse(name, "", ALL[name], [f"--{option.replace('_', '-')}={beyond}"])


def test_a_size_that_is_given_twice_is_measured_once():
    some = {"live": Size([1, 2], [1], "live tasks")}

    assert parse("some", "", some, ["--live", "3", "2", "3"]).live == [3, 2]


def test_a_report_that_could_not_be_written_is_refused_before_anything_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    for path, why in ((tmp_path, "is a folder"), (tmp_path / "none" / "report.json", "there is no folder")):
        with pytest.raises(SystemExit):
            parse("some", "", {}, ["--json", str(path)])
        assert why in capsys.readouterr().err


def arguments(path: Path) -> argparse.Namespace:
    return parse("some", "", {}, ["--json", str(path)])


def test_what_was_measured_is_printed_and_written_though_a_later_part_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    file = tmp_path / "report.json"

    def measure(_: argparse.Namespace) -> Iterator[Report]:
        yield Report("some", [Table("What there is", ("live",), [("1,000",)])])
        assert json.loads(file.read_text())["tables"], "it is not written as soon as it is there"
        raise TimeoutError("It took longer than 120 s.")

    with pytest.raises(TimeoutError):
        run(measure, arguments(file))

    assert json.loads(file.read_text())["unfinished"]
    printed = capsys.readouterr().out
    assert "1,000" in printed
    assert "The run broke off" in printed


def test_a_report_on_everything_is_not_called_unfinished(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    file = tmp_path / "report.json"

    def measure(_: argparse.Namespace) -> Iterator[Report]:
        yield Report("some", [])
        yield Report("some", [Table("All", ("live",), [("1,000",)])])

    run(measure, arguments(file))

    assert not json.loads(file.read_text())["unfinished"]
    assert capsys.readouterr().out.count("All") == 1
