"""What does a heartbeat cost the scheduler, with how many live tasks?

While nothing happens, and while 20 tasks a second are launched and as many end: with a heartbeat every 50 ms, and with
one each second, as a scheduler whose own work takes that long. (Airflow's loop sleeps only while nothing is queued.)
The first two are measured again for the most live tasks, with metrics sent to StatsD.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import nullcontext

from benchmarks.command import parse, run, say
from benchmarks.launch import measure_free
from benchmarks.live_tasks import LIVES, live_tasks
from benchmarks.report import Report
from benchmarks.scheduler_loop import PAUSE, fresh
from benchmarks.setup import metrics_to_statsd, prepare
from benchmarks.sizes import HEARTBEAT
from benchmarks.tables.heartbeat import A_SECOND, BUSY, IDLE, SLOW, Heartbeats, report
from benchmarks.tables.launch import THEIRS


def measure_one(
    live: int, latency: float, seconds: float, slow_seconds: float, *, metrics: bool = False
) -> list[Heartbeats]:
    """Measure heartbeats with so many live tasks, with metrics on or off. For a process of its own."""
    with metrics_to_statsd() if metrics else nullcontext():
        return _measure_one(live, latency, seconds, slow_seconds, metrics=metrics)


def _measure_one(
    live: int, latency: float, seconds: float, slow_seconds: float, *, metrics: bool
) -> list[Heartbeats]:
    more = int(A_SECOND * (LIVES + seconds + slow_seconds)) + A_SECOND * 3
    with live_tasks(live, latency=latency, more=more) as world:
        loop = world.loop

        def measured(state: str, seconds: float, pause: float, each: Callable[[], None] | None) -> Heartbeats:
            loop.heartbeats.clear()
            loop.beat_for(seconds, each=each, pause=pause)
            walls, cpus = zip(*loop.heartbeats, strict=True)
            return Heartbeats(live, state, walls, cpus, metrics)

        found = [measured(IDLE, seconds, PAUSE, None)]
        stream = world.stream(A_SECOND)
        loop.beat_for(LIVES, each=stream)  # until the first of them end
        found.append(measured(BUSY, seconds, PAUSE, stream))
        if live and not metrics:
            found.append(measured(SLOW, slow_seconds, 1.0, stream))
        return found


def measure(arguments: argparse.Namespace) -> Iterator[Report]:
    """Measure everything, and report after each part."""
    prepare()
    results: list[Heartbeats] = []
    for live in arguments.live:
        say(f"heartbeat: {live:,} live tasks, {arguments.latency * 1000:.0f} ms")
        results += fresh(measure_one, live, arguments.latency, arguments.seconds, arguments.slow_seconds)
        yield report(results, None, arguments.pending, arguments.latency)
    say(f"heartbeat: {max(arguments.live):,} live tasks, metrics on")
    results += fresh(
        measure_one,
        max(arguments.live),
        arguments.latency,
        arguments.seconds,
        arguments.slow_seconds,
        metrics=True,
    )
    yield report(results, None, arguments.pending, arguments.latency)
    say(f"heartbeat: AwsEcsExecutor, {arguments.pending:,} pending tasks, at most {arguments.cap:.0f} s")
    theirs = fresh(measure_free, THEIRS, arguments.pending, arguments.latency, arguments.cap)
    yield report(results, theirs, arguments.pending, arguments.latency)


if __name__ == "__main__":
    run(measure, parse("heartbeat", __doc__, HEARTBEAT))
