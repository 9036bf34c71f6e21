"""Writes the tables of docs/performance.md and README.md from benchmarks/results.json, and draws the chart.

`python -m benchmarks.performance_page`
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TypeAlias

from benchmarks.chart import draw, panels_of
from benchmarks.report import Report, Table, Target, duration

RESULTS = Path(__file__).parent / "results.json"
PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
README = Path(__file__).parents[1] / "README.md"
CHART = PAGE.with_suffix(".svg")
_BETWEEN = re.compile(r"(<!-- bench:(\w+).*?-->\n).*?(<!-- /bench -->)", re.DOTALL)

Reports: TypeAlias = dict[str, Report]
"""By the benchmark's name. One that failed is not among them."""


def read_results(path: Path = RESULTS) -> dict[str, Report]:
    """Read what `write_results` wrote; nothing, if nothing was. Raises `SystemExit` if it is something else."""
    try:
        documents = json.loads(path.read_text("utf-8")) if path.exists() else {}
        return {name: Report.from_json(document) for name, document in documents.items()}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise SystemExit(
            f"{path} holds no results of these benchmarks ({type(error).__name__}): remove it, or name another file."
        ) from None


def write_results(reports: Reports, path: Path = RESULTS) -> None:
    """Write all reports into one file."""
    documents = {name: report.to_json() for name, report in reports.items()}
    path.write_text(json.dumps(documents, indent=1) + "\n", "utf-8")


def with_tables(text: str, reports: Reports) -> str:
    """Return the page's text with the current tables in it."""
    return _BETWEEN.sub(lambda match: match[1] + _section(match[2], reports) + match[3], text)


def chart(reports: Reports) -> str:
    """Return the chart as SVG."""
    return draw(panels_of(reports["launch"].figures))


def markdown(table: Table) -> str:
    """Return a table in Markdown, its title above and its caption below."""
    columns = [" ".join(column.replace("-\n", "").split()) for column in table.columns]
    rows = [columns, ["---", *["---:"] * (len(columns) - 1)], *table.rows]
    lines = ["| " + " | ".join(_cell(cell) for cell in row) + " |" for row in rows]
    caption = f"\n{table.caption}\n" if table.caption else ""
    return f"**{table.title}**\n\n" + "\n".join(lines) + "\n" + caption


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("~", "\\~").replace(">", "\\>")


def _section(name: str, reports: Reports) -> str:
    if name == "targets":
        return _targets(target for report in reports.values() for target in report.targets)
    if name == "machine":
        return _machine(reports)
    if name == "short":
        return _short(reports["launch"]) if "launch" in reports else "\nNot measured.\n\n"
    if name not in reports:
        return "\nNot measured.\n\n"
    return "\n" + "\n".join(map(markdown, reports[name].tables)) + "\n"


def _targets(targets: Iterable[Target]) -> str:
    lines = [
        f"| {_cell(each.what)} | {_cell(each.wanted)} | {_cell(each.measured)} | {'yes' if each.met else '**no**'} |"
        for each in targets
    ]
    return "\n".join(["", "| | wanted | measured | met |", "|---|---|---|---|", *lines, "", ""])


def _short(launch: Report) -> str:
    """Return what the README says of the launches: where the two executors differ most, and how it was measured."""
    figures = launch.figures
    cut, latency = figures["theirs_cut_after"], f"{figures['latency'] * 1000:.0f} ms"
    computed = f" ~: computed from AwsEcsExecutor's first {cut:.0f} s." if cut else ""
    seconds = (
        "\\~" * bool(cut) + duration(figures["theirs_longest_heartbeat"]),
        duration(figures["ours_longest_heartbeat"]),
    )
    rates = f"{figures['theirs_per_second']:,.0f}", f"{figures['ours_per_second']:,.0f}"
    waiting = f"longest time that the scheduler stands still, with {figures['tasks']:,.0f} tasks queued"
    lines = [
        "| | AwsEcsExecutor | AsyncEcsExecutor |",
        "|---|---:|---:|",
        f"| {waiting} | {seconds[0]} | {seconds[1]} |",
        f"| launches per second, where AWS sets no limit | {rates[0]} | {rates[1]} |",
        "",
        f"On a simulated AWS, with {latency} for each call: nothing has been measured on AWS itself.{computed}",
    ]
    return "\n".join(["", *lines, "", ""])


def _machine(reports: Reports) -> str:
    if not reports:
        return "\nNothing was measured.\n\n"
    first = next(iter(reports.values()))
    about = ", ".join(
        f"{value} {name}" if name == "cores" else f"{name} {value}" for name, value in first.machine.items()
    )
    minutes = sum(report.seconds for report in reports.values()) / 60
    names = ", ".join(name for name, report in reports.items() if report.quick)
    quick = f" **Quick runs; don't quote their figures: {names}.**" if names else ""
    return f"\nMeasured in {minutes:.0f} minutes on one machine: {about}.{quick}\n\n"


def main() -> None:
    """Write the pages and the chart."""
    reports = read_results()
    for page in (PAGE, README):
        page.write_text(with_tables(page.read_text("utf-8"), reports), "utf-8")
    if "launch" in reports:
        CHART.write_text(chart(reports), "utf-8")


if __name__ == "__main__":
    argparse.ArgumentParser(prog="python -m benchmarks.performance_page", description=__doc__).parse_args()
    main()
