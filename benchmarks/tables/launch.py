"""What the launch benchmark found, and its tables. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.limits import LAUNCH_BURST, LAUNCH_RATE
from benchmarks.report import Report, Table, Target, duration, extrapolated, percent, times

THEIRS, MINE = "AwsEcsExecutor", "AsyncEcsExecutor"
SETTLED = 10.0
"""Seconds after which an executor must have learnt the rate that AWS grants it."""


@dataclass(frozen=True, slots=True, order=True)
class Case:
    """What is launched without limits."""

    tasks: int
    latency: float
    """Of every API call, in seconds."""
    metrics: bool = False
    """Ours sends metrics to StatsD."""

    def __str__(self) -> str:
        """Return what its row says."""
        return f"{self.tasks:,} tasks, {self.latency * 1000:.0f} ms{', metrics on' * self.metrics}"


@dataclass(frozen=True, slots=True)
class Free:
    """A launch without limits."""

    done: int
    seconds: float
    """Until ECS had launched the last of `done`."""
    longest: float = 0.0
    """Heartbeat, in seconds."""
    cut: bool = False
    """Time was up in the middle of a heartbeat."""

    @property
    def rate(self) -> float:
        """Launches a second."""
        return self.done / self.seconds if self.seconds else 0.0

    def heartbeat(self, tasks: int) -> float:
        """Return the longest heartbeat with so many tasks waiting; all that it could not finish counts into it."""
        return (
            extrapolated(self.longest, self.done, tasks) if self.cut or tasks != self.done else self.longest
        )


@dataclass(frozen=True, slots=True)
class Limited:
    """A while under AWS's default limits."""

    launched: int
    allowed: float
    calls: int
    """RunTask calls of its own after the first `SETTLED` seconds."""
    throttled: int
    """How many of them."""
    longest: float
    """Heartbeat, in seconds."""
    cut: bool
    """Time was up in the middle of it."""


def report(
    free: Mapping[Case, tuple[Free, Free, Free]], limited: Mapping[tuple[str, bool], Limited]
) -> Report:
    """Make the tables of what is measured; without limits that comes first, and one measurement at least."""
    few = min(case.tasks for case in free)
    worst = max(case.latency for case in free)
    theirs, ours, bare_loop = free[Case(few, worst)]
    ratio = theirs.heartbeat(few) / ours.longest
    slowest = min(free.values(), key=lambda each: each[1].rate / each[2].rate)
    mine = {"alone": limited.get((MINE, False)), "beside another client": limited.get((MINE, True))}
    return Report(
        "launch",
        [
            Table(
                "Launches without rate limits",
                ("", "AwsEcs-\nExecutor", "AsyncEcs-\nExecutor", "bare\nclient", "ours of\nbare",
                 "longest heartbeat:\nAwsEcsExecutor", "\nAsyncEcsExecutor", "\nshorter"),
                [_free_row(case, *free[case]) for case in sorted(free)],
                "Launches per second, by ECS's createdAt. ~: AwsEcsExecutor launches all tasks in one heartbeat; it was stopped"
                " after a limited time for each latency, and the rest is extrapolated.",
            ),
            Table(
                "Launches under AWS's default limits",
                ("", "launched", "allowed", "share", "throttled", "longest heartbeat"),
                [_limited_row(*case) for case in limited.items()],
                f"Fargate: {LAUNCH_RATE:.0f} launches per second, burst {LAUNCH_BURST:.0f}; API latency 100 ms. Allowed:"
                " what the other client leaves. Throttled: share of the RunTask calls after the first"
                f" {SETTLED:.0f} s.",
            ),
        ],
        [
            Target(
                "launches without limits, in the worst row compared with a bare client",
                "400 per second, or 80 % of a bare client's",
                f"{slowest[1].rate:.0f} per second, {percent(slowest[1].rate, slowest[2].rate, 0)}",
                all(mine.rate >= min(400, 0.8 * client.rate) for _, mine, client in free.values()),
            ),
            Target(
                f"longest heartbeat with {few:,} tasks waiting, API latency {worst * 1000:.0f} ms, compared with AwsEcsExecutor's",
                "1,000 times shorter",
                f"{times(ratio)} times",
                ratio > 1000,
            ),
            *(
                Target(
                    f"launches under AWS's limits, {name}",
                    ">= 97 % of what is allowed, <= 1 % of the calls throttled",
                    f"{percent(each.launched, each.allowed)}, {percent(each.throttled, each.calls)}",
                    each.launched >= 0.97 * each.allowed and each.throttled <= 0.01 * each.calls,
                )
                for name, each in mine.items()
                if each is not None
            ),
        ],
        {
            "tasks": few,
            "latency": worst,
            "theirs_per_second": theirs.rate,
            "ours_per_second": ours.rate,
            "bare_per_second": bare_loop.rate,
            "theirs_cut_after": theirs.longest if theirs.cut else 0.0,
            "theirs_longest_heartbeat": theirs.heartbeat(few),
            "ours_longest_heartbeat": ours.longest,
        },
    )  # fmt: skip


def _free_row(case: Case, theirs: Free, ours: Free, client: Free) -> tuple[str, ...]:
    tasks = case.tasks
    computed = "~" if theirs.cut or theirs.done != tasks else ""
    return (
        str(case),
        f"{computed}{theirs.rate:,.0f}",
        f"{ours.rate:,.0f}",
        f"{client.rate:,.0f}",
        percent(ours.rate, client.rate, 0),
        computed + duration(theirs.heartbeat(tasks)),
        duration(ours.longest),
        f"{times(theirs.heartbeat(tasks) / ours.longest)} x",
    )


def _limited_row(case: tuple[str, bool], result: Limited) -> tuple[str, ...]:
    kind, other = case
    return (
        kind + (", beside another client that takes half" if other else ", alone"),
        f"{result.launched:,}",
        f"{result.allowed:,.0f}",
        percent(result.launched, result.allowed),
        percent(result.throttled, result.calls),
        ("> " if result.cut else "") + duration(result.longest),
    )
