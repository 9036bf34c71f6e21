"""What the benchmark of scarce room found, and its tables. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from benchmarks.limits import LAUNCH_BURST, LAUNCH_RATE
from benchmarks.report import Report, Table, Target, duration, percent, percentile
from benchmarks.tables.launch import MINE, THEIRS
from benchmarks.work_conserving import wall_time

AS_IT_COMES = f"{THEIRS}, 3 attempts"
"""With its default `max_run_task_attempts`, after which it fails a task; otherwise it may try without end here."""
RANDOM = 0.6
"""Share of the RunTask calls that ECS refuses at random, in one case."""
IN_FLIGHT = 1.0
"""Seconds by which two launches that were sent together may be apart."""


class Case(Enum):
    """Why room is scarce."""

    OWN = "alone"
    OTHER = "beside a client that takes and frees half of it"
    RANDOM = f"{RANDOM:.0%} of the calls refused at random"


@dataclass(frozen=True, slots=True)
class Launched:
    """A run that ECS has launched, in seconds from when it was queued."""

    priority: int
    at: float
    until: float
    """When its task had stopped; infinite if it hasn't yet."""
    refused: bool = False
    """An earlier launch of it was refused, so that it came back to the queue later."""


@dataclass(frozen=True, slots=True)
class Flow:
    """How many tasks ran through a small room."""

    tasks: int
    room: int
    launches: Sequence[Launched]
    taken: Sequence[tuple[float, float]]
    """From when until when another client held a slot."""
    refused: int
    failed: int
    """Tasks that Airflow shows as failed."""
    seconds: float
    """That it was given, or needed."""
    longest: float = 0.0
    """Heartbeat, in seconds."""
    late: bool = False
    """The machine was too slow to play the containers' code in time, so some failures may be its own."""

    @property
    def ended(self) -> Sequence[float]:
        """The seconds for which each task that has ended held its slot, in the order of launches."""
        done = (each for each in self.launches if each.until < math.inf)
        return [each.until - each.at for each in sorted(done, key=lambda each: each.at)]

    @property
    def whole(self) -> bool:
        """Whether every task has run."""
        return len(self.ended) == self.tasks

    @property
    def wall(self) -> float:
        """Seconds until the last task had stopped, if all have run; otherwise those that it was given."""
        return max(each.until for each in self.launches) if self.whole else self.seconds

    @property
    def ideal(self) -> float:
        """Seconds that a work-conserving scheduler needs for what has run."""
        return wall_time(self.ended, self.room, self.taken)

    @property
    def ratio(self) -> float:
        """How many times as long as a work-conserving scheduler it took."""
        return self.wall / self.ideal if self.ended else math.inf

    def overtaken(self, *, refused: bool) -> int:
        """Count the launches before a run of a higher priority that waited: one that was never refused, or one that was."""
        waiting: dict[int, float] = {}
        for each in self.launches:
            if each.refused is refused:
                waiting[each.priority] = max(each.at, waiting.get(each.priority, 0.0))
        return sum(
            any(priority > each.priority and last > each.at + IN_FLIGHT for priority, last in waiting.items())
            for each in self.launches
        )


@dataclass(frozen=True, slots=True)
class Return:
    """Room came back after none for a while."""

    dark: float
    """Seconds without any."""
    fits: int
    launched: Sequence[float]
    """When, in seconds after the room was back."""
    given: float
    """Seconds after that in which it was watched."""
    refused: int
    """Calls while there was none."""

    @property
    def last(self) -> float:
        """Seconds after the return until everything that fits was launched; infinite if it wasn't."""
        return sorted(self.launched)[self.fits - 1] if len(self.launched) >= self.fits else math.inf

    @property
    def beyond(self) -> float:
        """Seconds beyond those that AWS's rate needs."""
        return self.last - max(0.0, (self.fits - LAUNCH_BURST) / LAUNCH_RATE)


@dataclass(frozen=True, slots=True)
class Waiting:
    """Heartbeats while so many runs waited for room."""

    count: int
    walls: Sequence[float]
    """Seconds that each heartbeat took."""
    reads: float
    """Rows read a second."""
    calls: float
    """RunTask calls a second."""
    cut: bool = False
    """Time was up in the middle of a heartbeat."""


def report(
    flows: Mapping[tuple[Case, str], Flow],
    returns: Mapping[str, Return],
    waits: Sequence[tuple[str, Waiting]],
    task_seconds: float,
) -> Report:
    """Make the tables of what is measured; at least one of `flows` is."""
    first = next(iter(flows.values()))
    tables = [
        Table(
            f"Room for {first.room}: {first.tasks:,} tasks of {task_seconds:.0f} s",
            ("", "executor", "ran", "failed", "wall time", "work-\nconserving", "ratio",
             "refused calls\nof launches", "launched before\na higher priority", "... that was\nrelaunched", "longest\nheartbeat"),
            [(case.value, *_flow(who, flow)) for (case, who), flow in flows.items()],
            "Work-conserving: what a scheduler needs that fills every slot at once, if each task holds its slot as long as it"
            " did, from RunTask to STOPPED. ~: stopped after a limited time, and compared with what that scheduler needs for"
            f" what had run by then. Refused: RunTask without room; where {RANDOM:.0%} are refused at random, each launch costs"
            f" {RANDOM / (1 - RANDOM):.1f} refused calls at least. Before a higher priority: launches more than {IN_FLIGHT:.0f} s"
            " before one of a higher priority, which had waited all the time, or (the last column) which ECS had refused"
            " once, so that it may have been on its way back to the queue. AWS's default rate limits apply. ?: the machine was too"
            " slow for the simulated containers, and some failures may be its own.",
        ),
        Table(
            "The room is back, after there was none",
            ("executor", "without room", "calls meanwhile", "fits", "launched", "after", "beyond AWS's rate"),
            [(who, *_return(each)) for who, each in returns.items()],
            "After: until everything that fits was launched. The rate: 20 launches per second after a burst of 20.",
        ),
        Table(
            "Heartbeats while runs wait for room",
            ("executor", "waiting", "heartbeats", "median", "99 %", "longest", "rows read\nper second", "RunTask calls\nper second"),
            [(who, *_waiting(each)) for who, each in waits],
            "There is a heartbeat every 50 ms; the room is full of tasks that run on.",
        ),
    ]  # fmt: skip
    return Report(
        "scarce",
        [table for table in tables if table.rows],
        list(_targets(flows, returns, [each for who, each in waits if who == MINE])),
        _figures(flows, returns),
    )


def _flow(who: str, flow: Flow) -> tuple[str, ...]:
    mark = "" if flow.whole else "~"
    return (
        who,
        f"{len(flow.ended):,}",
        f"{flow.failed:,}{' ?' * flow.late}",
        duration(flow.wall),
        duration(flow.ideal),
        f"{mark}{flow.ratio:.2f}" if flow.ended else "-",
        percent(flow.refused, len(flow.launches)),
        f"{flow.overtaken(refused=False):,}",
        f"{flow.overtaken(refused=True):,}",
        duration(flow.longest),
    )


def _return(each: Return) -> tuple[str, ...]:
    late = each.last == math.inf
    return (
        duration(each.dark),
        f"{each.refused:,}",
        f"{each.fits:,}",
        f"{min(each.fits, len(each.launched)):,}",
        f"> {duration(each.given)}" if late else duration(each.last),
        "-" if late else f"{each.beyond:.1f} s",
    )


def _waiting(each: Waiting) -> tuple[str, ...]:
    longest = max(each.walls, default=math.nan)
    return (
        f"{each.count:,}",
        f"{len(each.walls):,}",
        *(["", ""] if each.cut else [duration(percentile(each.walls, part)) for part in (50, 99)]),
        ("> " if each.cut else "") + duration(longest),
        "" if each.cut else f"{each.reads:.1f}",
        f"{each.calls:.1f}",
    )


def _targets(
    flows: Mapping[tuple[Case, str], Flow], returns: Mapping[str, Return], waits: Sequence[Waiting]
) -> list[Target]:
    mine = [(case, flow) for (case, who), flow in flows.items() if who == MINE]
    targets = [
        Target(
            f"scarce room, {case.value}: wall time, compared with a work-conserving scheduler's",
            "all ran, <= 1.1 times",
            f"{len(flow.ended):,} of {flow.tasks:,}, {flow.ratio:.2f} times",
            flow.whole and flow.ratio <= 1.1,
        )
        for case, flow in mine
    ]
    targets += [
        Target(
            f"scarce room, {case.value}: refused calls",
            "<= 5 % of launches",
            percent(flow.refused, len(flow.launches)),
            flow.refused <= 0.05 * len(flow.launches),
        )
        for case, flow in mine
        if case is not Case.RANDOM
    ]
    if mine:
        overtaken = sum(flow.overtaken(refused=False) for _, flow in mine)
        targets.append(
            Target("scarce room: launches before a waiting run of a higher priority", "0", f"{overtaken:,}", not overtaken)
        )  # fmt: skip
    if MINE in returns:
        beyond = returns[MINE].beyond
        what = f"everything launched after {duration(returns[MINE].dark)} without room, beyond AWS's rate"
        targets.append(Target(what, "<= 15 s", duration(beyond), beyond <= 15.0))
    if len(waits) > 1:
        none, many = waits[0], waits[-1]
        before, after = (percentile(each.walls, 99) for each in (none, many))
        targets.append(
            Target(
                f"heartbeats with {many.count:,} waiting for room, and rows read per second",
                "99 % <= 2 ms; at most one row per second more than with none",
                f"{duration(after)} ({duration(before)} with none), {many.reads:.1f} ({none.reads:.1f})",
                after <= 0.002 and many.reads <= none.reads + 1.0,
            )
        )
    return targets


def _figures(flows: Mapping[tuple[Case, str], Flow], returns: Mapping[str, Return]) -> dict[str, float]:
    found: dict[str, float] = {}
    for (case, who), flow in flows.items():
        found[f"{case.name.lower()}_{who}_ratio"] = flow.ratio
        found[f"{case.name.lower()}_{who}_refused_share"] = flow.refused / max(1, len(flow.launches))
    return found | {f"return_{who}_beyond": each.beyond for who, each in returns.items()}
