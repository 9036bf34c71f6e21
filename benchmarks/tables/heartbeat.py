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


IDLE = "idle"
BUSY = f"{A_SECOND} launches and ends per second"
SLOW = f"{BUSY}, one heartbeat per second"
"""What happens while heartbeats are measured: one every 50 ms, if nothing else is said."""


@dataclass(frozen=True, slots=True)
class Heartbeats:
    """Seconds that each heartbeat took, with so many live tasks, in one of the states above."""

    live: int
    state: str
    walls: Sequence[float]
    cpus: Sequence[float]
    """Of the scheduler's thread."""
    metrics: bool = False
    """Airflow sent metrics meanwhile."""


def report(results: Sequence[Heartbeats], theirs: Free | None, pending: int, latency: float) -> Report:
    """Make the table; `theirs` is None as long as it is not measured."""
    rows = [(_name(each), each.state, *_figures(each)) for each in results]
    if theirs is not None:
        computed = "~" if theirs.cut else ""
        longest = computed + duration(theirs.heartbeat(pending))
        rows.append((f"AwsEcsExecutor, {pending:,} pending tasks", "launches them", "1", "", "", longest, ""))
    targets, figures = _judged(results)
    return Report(
        "heartbeat",
        [
            Table(
                f"Duration of a heartbeat, API latency {latency * 1000:.0f} ms",
                ("", "load", "heartbeats", "median", "99 %", "longest", "CPU: 99 %"),
                rows,
                "Rows are in SQLite. There is a heartbeat every 50 ms; with one per second, each has 20 times as much to do. CPU:"
                " what the scheduler's thread used in the heartbeat. The rest of the time it waited for a core or for"
                " Python's lock, which with few cores may explain most of the 99 % and of the longest. ~: stopped after a"
                " limited time and extrapolated.",
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
        f"back-to-back heartbeats with {most:,} live tasks, and the longest of all",
        "99 % <= 2 ms, longest <= 20 ms",
        f"{duration(slow)}, {duration(slowest)}",
        slow <= 0.002 and slowest <= 0.02,
    )
    return [target], {f"p99_{most}": slow, f"longest_{most}": slowest, **_ratio(judged)}


def _ratio(judged: Sequence[Heartbeats]) -> dict[str, float]:
    """Return how long the median busy heartbeat takes with metrics on, by what it takes without."""
    medians = {each.metrics: percentile(each.walls, 50) for each in judged if each.state == BUSY}
    return {"metrics_on_by_off": medians[True] / medians[False]} if len(medians) == 2 else {}


def _name(beats: Heartbeats) -> str:
    return f"{beats.live:,} live tasks{', metrics on' if beats.metrics else ''}"


def _figures(beats: Heartbeats) -> tuple[str, ...]:
    walls = beats.walls
    return (
        f"{len(walls):,}",
        *(duration(seconds) for seconds in (percentile(walls, 50), percentile(walls, 99), max(walls))),
        duration(percentile(beats.cpus, 99)),
    )
