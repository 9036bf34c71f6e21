"""What a benchmark gives: tables, targets and figures; printed for a person, written as JSON for docs/performance.md.

Pure but for `show` and `write`. Nothing here knows Airflow.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from operator import attrgetter
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table as RichTable

PACKAGES = ("apache-airflow-core", "apache-airflow-providers-amazon", "aiobotocore", "botocore")


@dataclass(frozen=True, slots=True)
class Table:
    """One table, its cells formatted already. The first column is text, the others are numbers."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""
    """How to read it, and what is not measured but computed."""


@dataclass(frozen=True, slots=True)
class Target:
    """One target, and what was measured."""

    what: str
    wanted: str
    measured: str
    met: bool


@dataclass(frozen=True, slots=True)
class Report:
    """One benchmark's answer."""

    name: str
    tables: Sequence[Table]
    targets: Sequence[Target] = ()
    figures: Mapping[str, float] = field(default_factory=dict)
    """Raw numbers, for the chart and for comparisons."""
    quick: bool = False
    """Taken with the small sizes of --quick: shows that it works, but not how fast."""
    unfinished: bool = False
    """The run broke off: what is missing was not measured."""
    seconds: float = 0.0
    """How long it took."""
    machine: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON, for `from_json`. JSON has no infinite numbers: such a figure is left out."""
        finite = {name: figure for name, figure in self.figures.items() if math.isfinite(figure)}
        document: dict[str, Any] = json.loads(
            json.dumps({**dataclasses.asdict(self), "figures": finite}, allow_nan=False)
        )
        return document

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Report:
        """Read what `to_json` gave."""
        tables = [Table(**table) for table in document["tables"]]
        targets = [Target(**target) for target in document["targets"]]
        return cls(**{**document, "tables": tables, "targets": targets})


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest value that at least `percent` of all values do not exceed; NaN if there are none."""
    if not values:
        return math.nan
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]


def median(values: Sequence[float]) -> float:
    """Return the 50th percentile."""
    return percentile(values, 50)


def extrapolated(seconds: float, done: int, wanted: int) -> float:
    """Return how long `wanted` take if `done` of them took `seconds`; infinitely long if none was done."""
    return seconds * wanted / done if done else math.inf


def duration(seconds: float) -> str:
    """Write a duration in the unit that a person would choose."""
    if not math.isfinite(seconds):
        return "-"
    if seconds < 0.1:
        return f"{seconds * 1000:.2f} ms"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 100 else f"{seconds:,.0f} s"


def times(ratio: float) -> str:
    """Write how many times as much it is."""
    return f"{ratio:,.0f}" if math.isfinite(ratio) else "-"


def percent(part: float, whole: float, digits: int = 1) -> str:
    """Write a share."""
    return f"{100 * part / whole:.{digits}f} %" if whole else "-"


def machine() -> dict[str, str]:
    """Say what was measured on: nothing that identifies it."""
    return {
        "cores": str(os.cpu_count()),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
    }


def show(report: Report, console: Console) -> None:
    """Print it."""
    for table in filter(attrgetter("rows"), report.tables):
        printed = RichTable(title=table.title, caption=table.caption or None)
        for index, column in enumerate(table.columns):
            printed.add_column(column, justify="right" if index else "left")
        for row in table.rows:
            printed.add_row(*row)
        console.print(printed)
    for target in report.targets:
        mark = "[green]met[/green]: " if target.met else "[red]missed[/red]: "
        wanted = f"a full run's target: {target.wanted}" if report.quick else f"target: {target.wanted}"
        console.print(f"{'' if report.quick else mark}{target.what}: {target.measured} ({wanted})")
    if report.unfinished:
        console.print("The run broke off: what is missing here was not measured.", style="red")
    if report.quick:
        console.print("Quick run: it only shows that the benchmark works. Don't quote its figures.")


def write(report: Report, path: Path) -> None:
    """Write it as JSON."""
    path.write_text(json.dumps(report.to_json(), indent=2) + "\n", "utf-8")
