"""The command line that all benchmarks share: their sizes as options, --quick, --json."""

from __future__ import annotations

import argparse
import dataclasses
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.report import Report, machine, show, write

_progress = Console(stderr=True, style="dim", highlight=False)


@dataclass(frozen=True, slots=True)
class Size:
    """One option: its value in a full run and in a quick one, and the range that can be measured.

    Lists take several values; a value that is given twice counts once.
    """

    full: Any
    quick: Any
    says: str
    least: float = 0
    most: float = 3600


def parse(
    name: str,
    description: str | None,
    sizes: Mapping[str, Size],
    argv: Sequence[str] | None = None,
    *,
    add_own: Callable[[argparse.ArgumentParser], None] = lambda _: None,
) -> argparse.Namespace:
    """Read a benchmark's command line, with the options of its own that `add_own` adds; `argv` is for tests."""
    parser = argparse.ArgumentParser(
        prog=f"python -m benchmarks.{name}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for option, size in sizes.items():
        several = isinstance(size.full, list)
        parser.add_argument(
            f"--{option.replace('_', '-')}",
            nargs="+" if several else None,
            type=number(type(size.full[0] if several else size.full), size.least, size.most),
            metavar=option.upper(),
            help=f"{size.says}; {size.least:,} to {size.most:,} "
            f"(default: {_text(size.full)}; with --quick: {_text(size.quick)})",
        )
    parser.add_argument("--quick", action="store_true", help="small sizes (default: off)")
    parser.add_argument(
        "--json", type=new_file, metavar="PATH", help="write the report there (default: nowhere)"
    )
    add_own(parser)
    arguments = parser.parse_args(argv)
    for option, size in sizes.items():
        value = getattr(arguments, option)
        if value is None:
            value = size.quick if arguments.quick else size.full
        setattr(arguments, option, list(dict.fromkeys(value)) if isinstance(value, list) else value)
    return arguments


def number(kind: type[int] | type[float], least: float, most: float) -> Callable[[str], float]:
    """Return an argument's type: a number within these limits."""
    what = "whole number" if kind is int else "number"

    def read(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is not a {what} from {least:,} to {most:,}")
        return value

    return read


def new_file(text: str) -> Path:
    """Read an argument that names the file to write, and refuse at once what could not be written in the end."""
    path = Path(text)
    if path.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is a folder: name a file")
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {str(path.parent)!r}: make it before")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise argparse.ArgumentTypeError(f"{text!r} can't be written")
    return path


def new_folder(text: str) -> Path:
    """Read an argument that names a folder, which is made if it is not there."""
    path = Path(text)
    if path.exists() and not path.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is a file: name a folder")
    return path


def run(measure: Callable[[argparse.Namespace], Iterator[Report]], arguments: argparse.Namespace) -> None:
    """Measure, write, print.

    `measure` gives a report on all that it has measured so far after each of its parts. Each is written, and the last one
    is printed even if a later part fails: what was measured is not lost.
    """
    begun = time.monotonic()
    found, is_whole = None, False
    try:
        for report in measure(arguments):
            found = dataclasses.replace(
                report,
                quick=arguments.quick,
                seconds=round(time.monotonic() - begun, 1),
                machine=machine(),
                unfinished=True,
            )
            if arguments.json:
                write(found, arguments.json)
        is_whole = True
    finally:
        if found is not None:
            found = dataclasses.replace(found, unfinished=not is_whole)
            if arguments.json:
                write(found, arguments.json)
            console = Console()
            show(found, console if console.is_terminal else Console(width=130))


def say(text: str) -> None:
    """Tell, on standard error, what is being measured."""
    _progress.print(f"{time.strftime('%H:%M:%S')} {text}", soft_wrap=True)


def _text(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
