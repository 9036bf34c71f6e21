"""Tables and times on a terminal."""

from __future__ import annotations

from typing import NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_async_executor.operate.text import (
    Column,
    age,
    clean,
    count,
    screen_width,
    table,
    table_width,
    wrapped,
)
from tests.support.operation import TOKEN

COLUMNS = [
    Column("A", right=True),
    Column("NAME", shrinks_to=6, in_the_middle=True),
    Column("TEXT", shrinks_to=6),
]


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(None, "-"), (-3, "0s"), (59.9, "59s"), (60, "1m 00s"), (3725, "1h 02m"), (90_000, "1d 01h")],
)
def test_a_time_span_has_two_units(seconds: float | None, shown: str) -> None:
    assert age(seconds) == shown


def test_a_table_that_fits_is_not_cut() -> None:
    assert table(COLUMNS, [["1", "abc", "x"], ["22", "d", "yz"]], 80) == [
        " A  NAME  TEXT",
        " 1  abc   x",
        "22  d     yz",
    ]


def test_a_name_is_cut_in_the_middle_and_a_text_at_its_end() -> None:
    assert table(COLUMNS, [["1", "abcdefghij", "klmnopqrst"]], 20)[1] == "1  abc…hij  klmnopq…"


@given(
    rows=st.lists(st.tuples(st.text(max_size=3), st.text(max_size=50), st.text(max_size=50))),
    width=st.integers(30, 200),
)
def test_no_line_is_wider_than_the_screen(rows: list[tuple[str, str, str]], width: int) -> None:
    assert all(len(line) <= width for line in table(COLUMNS, rows, width))


def test_what_a_terminal_would_obey_and_tokens_are_left_out() -> None:
    assert clean(f"a\x1b[31m\nb {TOKEN}\x9b") == "a [31m b ***"


def test_an_address_is_not_broken() -> None:
    address = "https://example.com/" + "x" * 60
    assert address in wrapped(f"See {address} for more.", 40)[1]


def test_one_is_singular() -> None:
    assert [count(number, "task") for number in (0, 1, 2000)] == ["0 tasks", "1 task", "2,000 tasks"]


def test_a_table_in_a_pipe_has_whole_names_and_on_a_screen_the_screens_width(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = "n" * 300
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setattr("os.get_terminal_size", _no_terminal)
    assert table(COLUMNS, [["1", name, "x"]], table_width())[1] == f"1  {name}  x"
    monkeypatch.setenv("COLUMNS", "80")
    assert table_width() == screen_width() == 80


def _no_terminal(_: int) -> NoReturn:
    raise OSError
