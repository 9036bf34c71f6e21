"""Runs all benchmarks, each in a process of its own, and refreshes docs/performance.md and its chart.

A full run takes about an hour and a half. Results are written after each benchmark. What fails loses only its own results;
with --only, the others' are kept. A quick run is printed, and writes nothing unless --results says where.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.command import new_file, say
from benchmarks.performance_page import RESULTS, Reports, read_results, write_results
from benchmarks.performance_page import main as write_page
from benchmarks.report import Report
from benchmarks.sizes import MINUTES

BENCHMARKS = tuple(MINUTES)


def main() -> None:
    """Run them; exits with 1 if one has failed."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="small sizes (default: off)")
    parser.add_argument(
        "--only",
        nargs="+",
        choices=BENCHMARKS,
        default=BENCHMARKS,
        metavar="NAME",
        help="default: %(default)s",
    )
    parser.add_argument(
        "--results",
        type=new_file,
        metavar="PATH",
        help=f"default: benchmarks/{RESULTS.name}; with --quick: nowhere",
    )
    arguments = parser.parse_args()
    names = list(dict.fromkeys(arguments.only))
    path = arguments.results or (None if arguments.quick else RESULTS)
    results = read_results(path) if path is not None else {}
    failed = []
    for name, report in run_all(names, quick=arguments.quick):
        if report is None:
            failed.append(name)
        results = merged(results, [name], {} if report is None else {name: report})
        if path is not None:
            write_results(results, path)
    if path is not None and path.resolve() == RESULTS.resolve():
        write_page()
    if failed:
        raise SystemExit(f"Failed: {', '.join(failed)}")


def merged(before: Reports, names: Sequence[str], reports: Reports) -> Reports:
    """Return all reports in the page's order: of those that were run now, only what they gave now."""
    kept = {name: report for name, report in before.items() if name not in names}
    return {name: (kept | reports)[name] for name in BENCHMARKS if name in kept or name in reports}


def minutes_left(names: Sequence[str], *, quick: bool) -> float:
    """Return about how long these benchmarks take."""
    return sum(MINUTES[name][quick] for name in names if name in MINUTES)


def run_all(names: Sequence[str], *, quick: bool) -> Iterator[tuple[str, Report | None]]:
    """Run benchmarks one after another; return each one's report when it is there, None if it has failed."""
    with TemporaryDirectory(prefix="ecs-async-bench-") as folder:
        for number, name in enumerate(names, 1):
            say(
                f"{name}: {number} of {len(names)}; about {minutes_left(names[number - 1 :], quick=quick):.0f} minutes left"
            )
            file = Path(folder) / f"{name}.json"
            command = [sys.executable, "-m", f"benchmarks.{name}", "--json", str(file)]
            if quick:
                command.append("--quick")
            code = subprocess.run(command, check=False).returncode  # noqa: S603  our own module
            is_whole = code == 0 and file.exists()
            yield name, Report.from_json(json.loads(file.read_text("utf-8"))) if is_whole else None


if __name__ == "__main__":
    main()
