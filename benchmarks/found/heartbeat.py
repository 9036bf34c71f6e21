"""What the heartbeat benchmark found, and its table. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.found.launch import Free
from benchmarks.report import Report, Table, Target, duration, percentile

A_SECOND = 20
"""Tasks launched, and ending, a second: Fargate's own limit."""
OWNERS_SIZE = 10_000
"""Live tasks for which the target is."""


@dataclass(frozen=True, slots=True)
class Heartbeats:
    """Seconds that each heartbeat took, with so many live tasks."""

    live: int
    idle: Sequence[float]
    busy: Sequence[float]


def report(results: Sequence[Heartbeats], theirs: Free, pending: int, latency: float) -> Report:
    """Make the table."""
    most = max((each for each in results if each.live <= OWNERS_SIZE), key=lambda each: each.live)
    slow, slowest = percentile([*most.idle, *most.busy], 99), max(*most.idle, *most.busy)
    rows = [
        (f"{each.live:,} live tasks", what, f"{len(values):,}", *_percentiles(values))
        for each in results
        for what, values in (("nothing happens", each.idle), (f"{A_SECOND} launches and ends a second", each.busy))
    ]  # fmt: skip
    computed = "~" if theirs.cut else ""
    rows.append(
        (
            f"AwsEcsExecutor, {pending:,} pending tasks",
            "it launches them",
            "1",
            "",
            "",
            computed + duration(theirs.heartbeat(pending)),
        )
    )
    return Report(
        "heartbeat",
        [
            Table(
                f"What a heartbeat takes, API latency {latency * 1000:.0f} ms",
                ("", "meanwhile", "heartbeats", "median", "99 %", "longest"),
                rows,
                "Rows in SQLite; a heartbeat every 50 ms. ~: cut off after a limited time, the rest is computed.",
            )
        ],
        [
            Target(
                f"heartbeats with {most.live:,} live tasks",
                "99 % <= 2 ms, longest <= 20 ms",
                f"{duration(slow)}, {duration(slowest)}",
                slow <= 0.002 and slowest <= 0.02,
            )
        ],
        {f"p99_{each.live}": percentile(each.busy, 99) for each in results},
    )


def _percentiles(values: Sequence[float]) -> tuple[str, str, str]:
    return duration(percentile(values, 50)), duration(percentile(values, 99)), duration(max(values))
