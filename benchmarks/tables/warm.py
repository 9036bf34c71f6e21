"""What `benchmarks.warm` has measured, as tables and targets. Pure: nothing here knows Airflow."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from benchmarks.report import Report, Table, Target, duration, median, percentile

MINE, THEIRS = "AsyncEcsExecutor", "AwsEcsExecutor"


class Way(Enum):
    """How tasks are started."""

    WARM = "AsyncEcsExecutor, warm, one after another"
    AT_ONCE = "AsyncEcsExecutor, warm, at once"
    COLD = "AsyncEcsExecutor, cold"
    THEIRS = "AwsEcsExecutor"


class Pool(Enum):
    """A pool of standbys that serves no task, and why; or no pool."""

    NONE = "none configured"
    EMPTY = "empty: its standbys don't get ready"
    BROKEN = "broken: its standbys end at once"
    FORBIDDEN = "forbidden: S3 denies it"
    REVOKED = "forbidden when its standbys are ready"


@dataclass(frozen=True, slots=True)
class Start:
    """When one task passed each step, in epoch seconds; NaN where it passed none such, or nobody knows."""

    queued: float
    """Airflow's scheduler has queued it: `queued_dttm`."""
    ordered: float
    """The executor has it, in its heartbeat."""
    running: float
    """It runs: `start_date`."""
    handed_over: float
    """S3 has its workload (warm), or ECS has created its ECS task (cold)."""
    claim: float = math.nan
    """A standby is assigned, and its row is to name that."""
    claimed: float = math.nan
    """The engine knows that the row does."""
    read: float = math.nan
    """The standby has read its workload."""
    warm: bool = False

    @property
    def wait(self) -> float:
        """Seconds from queued to running."""
        return self.running - self.queued


@dataclass(frozen=True, slots=True)
class Starts:
    """The tasks that were started in one way."""

    way: Way
    starts: Sequence[Start]
    beats: Sequence[float]
    """What each heartbeat of the executor took meanwhile, in seconds."""
    load: float
    """The machine's load average over the last minute, at the end."""


@dataclass(frozen=True, slots=True)
class Launches:
    """Cold launches beside a pool that can't serve them."""

    pool: Pool
    waits: Sequence[float]
    """Seconds from the executor's order to its first RunTask call, in the order in which the tasks were queued."""


@dataclass(frozen=True, slots=True)
class Burst:
    """Many tasks queued at once."""

    tasks: int
    warm: bool
    handed_over: Sequence[float]
    """Seconds from the order until S3 has answered (warm), or RunTask is called (cold)."""
    read: Sequence[float]
    """Seconds from the order until the standby has read its workload."""
    beats: Sequence[float]
    """What each heartbeat took from the order until the last hand-over, in seconds."""


_STEPS: Mapping[str, Callable[[Start], float]] = {
    "the executor gets it from the scheduler": lambda each: each.ordered - each.queued,
    "a standby is assigned": lambda each: each.claim - each.ordered,
    "its row names the standby": lambda each: each.claimed - each.claim,
    "S3 has its workload": lambda each: each.handed_over - each.claimed,
    "the standby looks, and reads it": lambda each: each.read - each.handed_over,
    "Airflow in the container starts it": lambda each: each.running - each.read,
    "all": lambda each: each.wait,
}


def report(
    starts: Mapping[Way, Starts], launches: Mapping[Pool, Launches], bursts: Sequence[Burst], start: float
) -> Report:
    """Report on what was measured so far; containers took `start` seconds to start."""
    loads = ", ".join(f"{each.load:.1f}" for each in starts.values())
    tables = [
        Table(
            f"From queued to running: a container takes {start:.0f} s to start",
            ("executor", "tasks", "of these warm", "median", "99 %", "longest", "order to hand-over,\nmedian", "99 %"),
            [_starts(each) for each in starts.values()],
            "`queued_dttm` to `start_date`. Scheduler, API server, database (SQLite), ECS, S3 and all containers share the machine's "
            f"cores; its load after each row was {loads}. Hand-over: S3 has the workload; cold: ECS has created the ECS task.",
        ),
        Table(
            "Where a warm start's time goes (one after another)",
            ("step", "median", "99 %", "longest"),
            [(step, *_three([of(each) for each in _warm(starts, Way.WARM)])) for step, of in _STEPS.items()]
            if _warm(starts, Way.WARM)
            else [],
            "A standby looks at its object each 0.5 to 1.5 s; the engine looks at its orders each 0.1 s.",
        ),
        Table(
            "Many tasks at once",
            ("tasks", "handed over,\nmedian", "99 %", "longest", "read by its standby,\nmedian", "99 %", "longest"),
            [
                (f"{each.tasks:,} {'warm' if each.warm else 'cold'}", *_three(each.handed_over), *_three(each.read))
                for each in bursts
            ],
            "From the executor's order. The containers are simulated, since so many real ones would measure this machine: each looks "
            "at S3 as a standby does, and runs nothing. Cold: until RunTask is called, within AWS's rate.",
        ),
        Table(
            "Cold launches beside a pool that can't serve them: from the order to RunTask",
            ("pool", "launches", "median", "99 %", "longest"),
            [(pool.value, f"{len(each.waits):,}", *_three(each.waits)) for pool, each in launches.items()],
            "One launch each 0.2 s. Only the first task of the last row is given a standby: S3 refuses its workload, and it starts cold.",
        ),
        Table(
            "Heartbeats",
            ("executor", "heartbeats", "median", "99 %", "longest"),
            [
                *((each.way.value, f"{len(each.beats):,}", *_three(each.beats)) for each in starts.values()),
                *(
                    (f"{each.tasks:,} at once, {'warm' if each.warm else 'cold'}", f"{len(each.beats):,}", *_three(each.beats))
                    for each in bursts
                ),
            ],
            "The first rows are those of the real scheduler, which shares the cores with everything else; the last ones those of a bare "
            "loop with a heartbeat every 50 ms, until all was handed over.",
        ),
    ]  # fmt: skip
    return Report(
        "warm",
        [table for table in tables if table.rows],
        list(_targets(starts, launches, bursts)),
        _figures(starts),
    )


def _warm(starts: Mapping[Way, Starts], way: Way) -> list[Start]:
    return [each for each in starts[way].starts if each.warm] if way in starts else []


def _starts(each: Starts) -> tuple[str, ...]:
    hand_overs = [one.handed_over - one.ordered for one in each.starts]
    return (
        each.way.value,
        f"{len(each.starts):,}",
        f"{sum(one.warm for one in each.starts):,}",
        *_three([one.wait for one in each.starts]),
        duration(median(hand_overs)),
        duration(percentile(hand_overs, 99)),
    )


def _three(values: Sequence[float]) -> tuple[str, str, str]:
    return (
        duration(median(values)),
        duration(percentile(values, 99)),
        duration(max(values, default=math.nan)),
    )


def _targets(
    starts: Mapping[Way, Starts], launches: Mapping[Pool, Launches], bursts: Sequence[Burst]
) -> list[Target]:
    targets = []
    for way in (Way.WARM, Way.AT_ONCE):
        if way in starts:
            waits = [each.wait for each in starts[way].starts]
            half, most = median(waits), percentile(waits, 99)
            cold = sum(not each.warm for each in starts[way].starts)
            targets.append(
                Target(
                    f"from queued to running: {way.value}",
                    "all warm; median <= 1.5 s, 99 % <= 3 s",
                    f"{len(waits) - cold:,} of {len(waits):,} warm; {duration(half)}, {duration(most)}",
                    not cold and half <= 1.5 and most <= 3.0,
                )
            )
    for burst in bursts:
        if burst.warm:
            most = percentile(burst.read, 99)
            targets.append(
                Target(
                    f"{burst.tasks:,} warm tasks at once, from the order to the container",
                    "all; 99 % <= 3 s",
                    f"{len(burst.read):,}; {duration(most)}",
                    len(burst.read) == burst.tasks and most <= 3.0,
                )
            )
    if Pool.NONE in launches:
        without = launches[Pool.NONE].waits
        for pool in (Pool.EMPTY, Pool.BROKEN, Pool.FORBIDDEN):
            if pool in launches:
                beside = launches[pool].waits
                more = [percentile(beside, part) - percentile(without, part) for part in (50, 99)]
                targets.append(
                    Target(
                        f"what a pool adds to a cold launch, {pool.value}",
                        "median and 99 % <= 100 ms",
                        ", ".join(f"{1000 * each:+.0f} ms" for each in more),
                        max(more) <= 0.1,
                    )
                )
    if Way.WARM in starts and Way.COLD in starts:
        on, off = (percentile(starts[way].beats, 99) for way in (Way.WARM, Way.COLD))
        targets.append(
            Target(
                "heartbeats with standbys, 99 %, compared with those without",
                "at most 5 ms longer",
                f"{duration(on)} ({duration(off)} without)",
                on <= off + 0.005,
            )
        )
    return targets


def _figures(starts: Mapping[Way, Starts]) -> dict[str, float]:
    found = {}
    for way, each in starts.items():
        waits = [one.wait for one in each.starts]
        found[f"{way.name.lower()}_median"] = median(waits)
        found[f"{way.name.lower()}_99"] = percentile(waits, 99)
    return found
