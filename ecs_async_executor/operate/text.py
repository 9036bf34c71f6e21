"""Tables and times for a terminal of any width. Pure."""

from __future__ import annotations

import re
import shutil
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from ecs_async_executor.tokens import without_tokens

GAP = "  "
_NARROWEST = 40
# Names and texts come from users and from AWS: what a terminal would obey is left out.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table."""

    title: str
    right: bool = False
    """Whether its values are numbers, which end at the same place."""
    shrinks_to: int | None = None
    """The width to which it may be cut if the screen is narrow; None: it is never cut."""
    in_the_middle: bool = False
    """Whether it is cut in the middle, and not at its end."""


def screen_width() -> int:
    """Return the terminal's width in characters (the variable COLUMNS, else the terminal, else 120 as in a pipe)."""
    return max(_NARROWEST, shutil.get_terminal_size((120, 40)).columns)


def table_width() -> int:
    """Return how wide a table may be: as the screen, but unlimited in a pipe, where `grep` and people need whole names."""
    return max(_NARROWEST, shutil.get_terminal_size((sys.maxsize, 40)).columns)


def clean(text: str) -> str:
    """Return a text without tokens, line breaks and other control characters."""
    return " ".join(_CONTROL.sub(" ", without_tokens(text)).split())


def table(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """Return the lines of a table, its titles first, cut to `width` characters where a column allows it."""
    cells = [[clean(cell) for cell in row] for row in rows]
    widths = [
        max(len(column.title), *(len(row[index]) for row in cells)) if cells else len(column.title)
        for index, column in enumerate(columns)
    ]
    _shrink(columns, widths, width - len(GAP) * (len(columns) - 1))
    lines = [[column.title for column in columns], *cells]
    return [
        GAP.join(_fit(cell, widths[index], columns[index]) for index, cell in enumerate(line)).rstrip()
        for line in lines
    ]


def wrapped(text: str, width: int, indent: str = "") -> list[str]:
    """Return a text in lines of at most `width` characters, all but the first one indented a little more."""
    return textwrap.wrap(
        clean(text),
        width,
        initial_indent=indent,
        subsequent_indent=f"{indent}  ",
        break_on_hyphens=False,
        break_long_words=False,
    )


def age(seconds: float | None) -> str:
    """Return a time span with its two largest units: `12s`, `3m 05s`, `2h 07m`, `4d 03h`; `-` if unknown."""
    if seconds is None:
        return "-"
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02d}s"
    if whole < 86400:
        return f"{whole // 3600}h {whole % 3600 // 60:02d}m"
    return f"{whole // 86400}d {whole % 86400 // 3600:02d}h"


def count(number: int, what: str, plural: str = "") -> str:
    """Return a number and its noun: `1 task`, `2 tasks`."""
    return f"{number:,} {what if number == 1 else plural or what + 's'}"


def _shrink(columns: Sequence[Column], widths: list[int], room: int) -> None:
    """Take the missing characters from the widest columns that may be cut."""
    while sum(widths) > room:
        candidates = [
            index
            for index, column in enumerate(columns)
            if column.shrinks_to is not None and widths[index] > max(column.shrinks_to, len(column.title))
        ]
        if not candidates:
            return
        widths[max(candidates, key=lambda index: widths[index])] -= 1


def _fit(cell: str, width: int, column: Column) -> str:
    if len(cell) <= width:
        return cell.rjust(width) if column.right else cell.ljust(width)
    end = (width - 1) // 2 if column.in_the_middle else 0
    return f"{cell[: width - 1 - end]}…{cell[len(cell) - end :]}"
