"""What the heartbeat benchmark found, and its table. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.report import Report, Table, Target, duration, percentile
from benchmarks.tables.launch import Free

A_SECOND = 20
"""Tasks launched, and ending, a second: Fargate's own limit."""
OWNERS_SIZE = 10_000
"""Live tasks for which the target is."""


IDLE = "nothing happens"
BUSY = f"{A_SECOND} launches and ends a second"
SLOW = f"{BUSY}, one heartbeat each second"
"""What happens while heartbeats are measured: one every 50 ms, if nothing else is said."""


@dataclass(frozen=True, slots=True)
class Heartbeats:
    """Seconds that each heartbeat took, with so many live tasks, in one of the states above."""

    live: int
    state: str
    walls: Sequence[float]
    cpus: Sequence[float]
    """Of the scheduler's thread."""


def report(results: Sequence[Heartbeats], theirs: Free | None, pending: int, latency: float) -> Report:
    """Make the table; `theirs` is None as long as it is not measured."""
    rows = [(f"{each.live:,} live tasks", each.state, *_figures(each)) for each in results]
    if theirs is not None:
        computed = "~" if theirs.cut else ""
        longest = computed + duration(theirs.heartbeat(pending))
        rows.append(
            (f"AwsEcsExecutor, {pending:,} pending tasks", "it launches them", "1", "", "", longest, "")
        )
    targets, figures = _judged(results)
    return Report(
        "heartbeat",
        [
            Table(
                f"What a heartbeat takes, API latency {latency * 1000:.0f} ms",
                ("", "meanwhile", "heartbeats", "median", "99 %", "longest", "CPU: 99 %"),
                rows,
                "Rows in SQLite; a heartbeat every 50 ms, or where it is said each second, which has 20 times as much to"
                " do. CPU: of the scheduler's thread in the heartbeat. The rest of the time it waits, for a core that"
                " other processes have and for Python's lock; on few cores that can be most of the 99 %, and of the longest."
                " ~: cut off after a limited time, the rest is computed.",
            )
        ],
        targets,
        figures,
    )


def _judged(results: Sequence[Heartbeats]) -> tuple[list[Target], dict[str, float]]:
    """Judge the most tasks that the target is for; nothing, if there were more each time."""
    most = max((each.live for each in results if each.live <= OWNERS_SIZE), default=None)
    if most is None:
        return [], {}
    judged = [each for each in results if each.live == most]
    # Once a second, each does a second's work: what that takes is shown, and only the longest is judged.
    slow = max(percentile(each.walls, 99) for each in judged if each.state != SLOW)
    slowest = max(max(each.walls) for each in judged)
    target = Target(
        f"heartbeats with {most:,} live tasks that follow one another, and the longest of all",
        "99 % <= 2 ms, longest <= 20 ms",
        f"{duration(slow)}, {duration(slowest)}",
        slow <= 0.002 and slowest <= 0.02,
    )
    return [target], {f"p99_{most}": slow, f"longest_{most}": slowest}


def _figures(beats: Heartbeats) -> tuple[str, ...]:
    walls = beats.walls
    return (
        f"{len(walls):,}",
        *(duration(seconds) for seconds in (percentile(walls, 50), percentile(walls, 99), max(walls))),
        duration(percentile(beats.cpus, 99)),
    )
