"""How much of its time, and of its speed, does the scheduler's thread keep while the engine works in the same process?

A loop that only counts runs in turns in a process without an executor, and in the main thread of one with it; what runs
besides, on the same cores, is the same for both.
"""

from __future__ import annotations

import argparse
import json
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from multiprocessing.connection import Connection
from pathlib import Path

from benchmarks.command import parse, run, say
from benchmarks.live_tasks import LIVES, Live, live_tasks
from benchmarks.processes import beside
from benchmarks.report import Report
from benchmarks.setup import forget_all, prepare
from benchmarks.sizes import INTERFERENCE
from benchmarks.tables.interference import A_SECOND, LATENCY, NONE, Case, Result, Window, report

WARM = 0.1
"""Seconds to count before it is measured."""
_HEADERS = {
    "X-Amz-Target": "AmazonEC2ContainerServiceV20141113.DescribeTasks",
    "Content-Type": "application/x-amz-json-1.1",
}


def count_for(seconds: float, world: Live | None = None) -> Window:
    """Count for so long, with a heartbeat each second if there is an executor."""
    _count(time.perf_counter() + WARM)
    others, waited, cpu, begun = _others_cpu(), _waited(), time.thread_time(), time.perf_counter()
    steps, beats, now = 0, 0.0, begun
    while now < begun + seconds:
        until = min(now + 1.0, begun + seconds)
        if world is not None:
            before = time.thread_time()
            world.loop.beat()
            beats += time.thread_time() - before
        steps += _count(until)
        now = time.perf_counter()
    took = now - begun
    counted = time.thread_time() - cpu - beats
    had = took - (_waited() - waited)
    return Window(steps / had, min(1.0, counted / had), max(0.0, _others_cpu() - others) / took)


def _count(until: float) -> int:
    steps = 0
    while time.perf_counter() < until:
        for _ in range(2000):
            steps += 1
    return steps


def _others_cpu() -> float:
    """Return the seconds of CPU that all threads but this one have had."""
    return time.process_time() - time.thread_time()


def _waited() -> float:
    """Return the seconds that this thread could have run, but other processes had the cores; 0 where Linux doesn't tell."""
    path = Path("/proc/thread-self/schedstat")
    return int(path.read_text("ascii").split()[1]) / 1e9 if path.exists() else 0.0


def play(connection: Connection, case: Case, seconds: float) -> None:
    """Count when asked to, with the executor of a case in this process; its main thread only waits in between."""
    with ExitStack() as stack:
        world = None
        if case.live is not None:
            # The executor itself keeps to AWS's 20 launches a second, and always has more to launch.
            more = int((seconds * 2 + LIVES) * A_SECOND) if case.launches else 0
            world = stack.enter_context(
                live_tasks(case.live, latency=LATENCY, more=more, limits=case.launches)
            )
            world.loop.beat_for(case.rest, pause=1.0)
            if case.launches:
                world.ecs.set_plan(duration=LIVES)
                world.loop.queue(more)
                world.loop.beat_for(LIVES)  # until the first of them end
        connection.send(0.0 if world is None else _task_bytes(world))
        while (window := connection.recv()) is not None:
            connection.send(count_for(window, world))


def measure_case(case: Case, pairs: int, window: float) -> Result:
    """Measure in turns here, where there is no executor, and beside one; here at the end as well."""
    forget_all()
    alone, other = [], []
    with beside(play, case, (pairs + 2) * (window + WARM) * 2) as connection:
        task_bytes = connection.recv()
        for _ in range(pairs):
            alone.append(count_for(window))
            connection.send(window)
            other.append(connection.recv())
        alone.append(count_for(window))
        connection.send(None)
    return Result(alone, other, task_bytes)


def measure(arguments: argparse.Namespace) -> Iterator[Report]:
    """Measure everything, and report after each part."""
    prepare()
    results = {}
    for case in (
        NONE,
        Case("idle", 0),
        Case(f"watches {arguments.live:,} tasks, just launched", arguments.live),
        Case(
            f"the same, {arguments.rest:.0f} s later",
            arguments.live,
            rest=arguments.rest,
        ),
        Case(f"launches {A_SECOND} tasks per second", 0, launches=True),
    ):
        say(f"interference: {case.name}")
        results[case] = measure_case(case, arguments.pairs, arguments.window)
        yield report(results)


def _task_bytes(world: Live) -> float:
    """Return the length of a DescribeTasks answer, for each task."""
    arns = [task["taskArn"] for task in world.ecs.tasks()[:100]]
    if not arns:
        return 0.0
    request = urllib.request.Request(  # noqa: S310  the local ECS's own address
        world.ecs.endpoint_url, json.dumps({"tasks": arns}).encode(), _HEADERS
    )
    with urllib.request.urlopen(request) as answer:  # noqa: S310  as above
        return len(answer.read()) / len(arns)


if __name__ == "__main__":
    run(measure, parse("interference", __doc__, INTERFERENCE))
