from __future__ import annotations

import pytest

from benchmarks import sizes
from benchmarks.command import Size, parse

ALL = {name: getattr(sizes, name.upper()) for name in sizes.MINUTES}


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
    assert "invalid int value" in capsys.readouterr().err


def test_all_benchmarks_together_take_about_half_an_hour():
    full, quick = (sum(minutes) for minutes in zip(*sizes.MINUTES.values(), strict=True))

    assert quick < full <= 35


def test_an_option_of_two_words_has_a_hyphen():
    assert parse("some", "", {"slow_seconds": Size(1.0, 1.0, "s")}, ["--slow-seconds", "2"]).slow_seconds == 2
