"""What the lag benchmark found, and its table. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.limits import READ_RATE
from benchmarks.report import Report, Table, Target, duration, percent, percentile


@dataclass(frozen=True, slots=True)
class Lags:
    """How the ends of tasks were seen."""

    live: int
    ends: int
    """How many tasks ended while it was measured."""
    lags: Sequence[float]
    """Seconds from ECS's `stoppedAt` to the free slot, of each end that was seen."""
    calls: int
    """DescribeTasks and ListTasks meanwhile."""
    seconds: float
    wrong: int = 0
    """Tasks that did not run exactly once, or whose row does not show success."""
    age: float = 0.0
    """Seconds from ECS's `createdAt` to `stoppedAt`, the median."""


def report(results: Mapping[str, Lags], many: Lags | None, latency: float) -> Report:
    """Make the table."""
    targets, figures = [], {}
    if many is not None:
        middle, slow = percentile(many.lags, 50), percentile(many.lags, 99)
        share = many.calls / many.seconds / READ_RATE
        targets = [
            Target(
                f"{many.ends:,} tasks under AWS's default limits",
                "all right",
                f"{many.wrong} wrong in {many.seconds:.0f} s",
                not many.wrong,
            ),
            Target(
                f"lag from the container's end to the free slot, of these {many.ends:,}",
                "median <= 3 s, 99 % <= 10 s",
                f"{duration(middle)}, {duration(slow)}",
                middle <= 3 and slow <= 10,
            ),
            Target("share of the read bucket that they use", "<= 50 %", f"{100 * share:.0f} %", share <= 0.5),
        ]
        figures = {"many_lag_p50": middle, "many_lag_p99": slow, "many_read_share": share}
    return Report(
        "lag",
        [
            Table(
                f"From the container's end to the free slot, API latency {latency * 1000:.0f} ms",
                ("", "ends", "median", "99 %", "longest", "calls per second", "of the read bucket", "wrong"),
                [(name, *_row(result)) for name, result in results.items()],
                "From ECS's stoppedAt to the heartbeat after which the executor has a free slot; there is a heartbeat every 50 ms."
                " The age is the median of the tasks that end. A task is polled again after a tenth of the time it has run,"
                " but after 10 s at most (poll_interval), or after 10 to 20 s with 10,000 tasks: the ends of older tasks are"
                " noticed later than these."
                f" Calls: DescribeTasks and ListTasks, of which AWS allows {READ_RATE:.0f} per second.",
            )
        ],
        targets,
        figures,
    )


def _row(result: Lags) -> tuple[str, ...]:
    rate = result.calls / result.seconds
    lost = result.ends - len(result.lags)
    return (
        f"{result.ends:,}",
        duration(percentile(result.lags, 50)),
        duration(percentile(result.lags, 99)),
        duration(max(result.lags, default=math.nan)),
        f"{rate:.1f}",
        percent(rate, READ_RATE, 0),
        str(max(result.wrong, lost)),
    )
