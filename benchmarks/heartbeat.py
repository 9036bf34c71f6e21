"""What does a heartbeat cost the scheduler, with how many live tasks?

While nothing happens, and while 20 tasks a second are launched and as many end.
"""

from __future__ import annotations

import argparse

from benchmarks.command import parse, run, say
from benchmarks.found.heartbeat import A_SECOND, Heartbeats, report
from benchmarks.found.launch import THEIRS
from benchmarks.launch import measure_free
from benchmarks.live import LIVES, live_tasks
from benchmarks.loop import fresh
from benchmarks.report import Report
from benchmarks.sizes import HEARTBEAT
from benchmarks.world import prepare


def measure_one(live: int, latency: float, seconds: float) -> Heartbeats:
    """Measure heartbeats with so many live tasks. For a process of its own."""
    with live_tasks(live, latency=latency, more=int(A_SECOND * (seconds + LIVES)) + A_SECOND) as world:
        loop = world.loop
        loop.beat_for(seconds)
        idle = loop.heartbeats.copy()
        stream = world.stream(A_SECOND)
        loop.beat_for(LIVES, each=stream)  # until the first of them end
        loop.heartbeats.clear()
        loop.beat_for(seconds, each=stream)
        return Heartbeats(live, idle, loop.heartbeats.copy())


def measure(arguments: argparse.Namespace) -> Report:
    """Measure everything."""
    prepare()
    results = []
    for live in arguments.live:
        say(f"heartbeat: {live:,} live tasks, {arguments.latency * 1000:.0f} ms")
        results.append(fresh(measure_one, live, arguments.latency, arguments.seconds))
    say(f"heartbeat: AwsEcsExecutor, {arguments.pending:,} pending tasks, at most {arguments.cap:.0f} s")
    theirs = fresh(measure_free, THEIRS, arguments.pending, arguments.latency, arguments.cap)
    return report(results, theirs, arguments.pending, arguments.latency)


if __name__ == "__main__":
    run(measure, parse("heartbeat", __doc__, HEARTBEAT))
