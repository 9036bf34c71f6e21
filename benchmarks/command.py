"""The command line that all benchmarks share: their sizes as options, --quick, --json."""

from __future__ import annotations

import argparse
import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.report import Report, machine, show, write

_progress = Console(stderr=True, style="dim", highlight=False)


@dataclass(frozen=True, slots=True)
class Size:
    """One option: its value in a full run and in a quick one. Lists take several values."""

    full: Any
    quick: Any
    says: str


def parse(
    name: str, description: str | None, sizes: Mapping[str, Size], argv: Sequence[str] | None = None
) -> argparse.Namespace:
    """Read a benchmark's command line; `argv` is for tests."""
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
            type=type(size.full[0] if several else size.full),
            metavar=option.upper(),
            help=f"{size.says} (default: {_text(size.full)}; with --quick: {_text(size.quick)})",
        )
    parser.add_argument("--quick", action="store_true", help="small sizes (default: off)")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the report there (default: nowhere)")
    arguments = parser.parse_args(argv)
    for option, size in sizes.items():
        if getattr(arguments, option) is None:
            setattr(arguments, option, size.quick if arguments.quick else size.full)
    return arguments


def run(measure: Callable[[argparse.Namespace], Report], arguments: argparse.Namespace) -> None:
    """Measure, print, write."""
    begun = time.monotonic()
    report = dataclasses.replace(
        measure(arguments),
        quick=arguments.quick,
        seconds=round(time.monotonic() - begun, 1),
        machine=machine(),
    )
    console = Console()
    show(report, console if console.is_terminal else Console(width=130))
    if arguments.json:
        write(report, arguments.json)


def say(text: str) -> None:
    """Tell, on standard error, what is being measured."""
    _progress.print(f"{time.strftime('%H:%M:%S')} {text}", soft_wrap=True)


def _text(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
