"""How soon does a task run that a standby serves?

A real Airflow, with real containers' processes on a local ECS where a container takes half a minute to start: from queued to
running, warm and cold, beside AwsEcsExecutor. Then, with simulated containers: many tasks at once, and what a pool that
can't serve costs a cold launch.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.setup import prepare

# isort: split
from benchmarks.command import parse, run, say
from benchmarks.report import Report
from benchmarks.scheduler_loop import fresh
from benchmarks.sizes import WARM
from benchmarks.tables.warm import MINE, THEIRS, Burst, Launches, Pool, Start, Starts, Way, report
from benchmarks.warm_airflow import warm_airflow
from benchmarks.warm_pools import measure_burst, measure_pool

FEW = 10
"""Standbys in a pool that can't serve."""


def measure_warm(sizes: argparse.Namespace) -> tuple[Starts, Starts]:
    """Start tasks in standbys: one after another, and as many at once as there are. For a process of its own."""
    with (
        TemporaryDirectory(prefix="ecs-async-warm-") as folder,
        warm_airflow(MINE, sizes.standbys, sizes.start, Path(folder)) as world,
    ):
        world.until_ready()
        one_by_one = world.run(sizes.warm, sizes.every)
        beats, load = world.beats(), os.getloadavg()[0]
        at_once: list[Start] = []
        for _ in range(sizes.rounds):
            world.until_ready()
            at_once += world.run(sizes.standbys, 0.0)
        rest = world.beats()[len(beats) :]
    return Starts(Way.WARM, one_by_one, beats, load), Starts(Way.AT_ONCE, at_once, rest, os.getloadavg()[0])


def measure_cold(kind: str, sizes: argparse.Namespace) -> Starts:
    """Start tasks without standbys. For a process of its own."""
    with (
        TemporaryDirectory(prefix="ecs-async-warm-") as folder,
        warm_airflow(kind, 0, sizes.start, Path(folder)) as world,
    ):
        starts = world.run(sizes.cold, sizes.every)
        beats = world.beats()
    return Starts(Way.COLD if kind == MINE else Way.THEIRS, starts, beats, os.getloadavg()[0])


def measure(arguments: argparse.Namespace) -> Iterator[Report]:
    """Measure as many parts as are asked for, and report after each."""
    prepare()
    yield from islice(_measure_parts(arguments), arguments.parts)


def _measure_parts(arguments: argparse.Namespace) -> Iterator[Report]:
    starts: dict[Way, Starts] = {}
    launches: dict[Pool, Launches] = {}
    bursts: list[Burst] = []

    def so_far() -> Report:
        in_order = {way: starts[way] for way in Way if way in starts}
        return report(in_order, launches, bursts, arguments.start)

    for pool in Pool:
        say(f"warm: {arguments.launches:,} cold launches; standbys: {pool.value}")
        launches[pool] = fresh(measure_pool, pool, arguments.launches, FEW)
        yield so_far()
    for warm in (True, False):
        say(f"warm: {arguments.burst:,} tasks at once, {'warm' if warm else 'cold'}")
        bursts.append(fresh(measure_burst, arguments.burst, warm=warm))
        yield so_far()
    say(f"warm: {MINE}, {arguments.warm:,} tasks in standbys")
    for each in fresh(measure_warm, arguments):
        starts[each.way] = each
    yield so_far()
    for kind in (MINE, THEIRS):
        say(f"warm: {kind}, {arguments.cold:,} tasks cold")
        cold = fresh(measure_cold, kind, arguments)
        starts[cold.way] = cold
        yield so_far()


if __name__ == "__main__":
    run(measure, parse("warm", __doc__, WARM))
