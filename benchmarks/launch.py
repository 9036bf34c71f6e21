"""How fast are tasks launched, and what do the scheduler's heartbeats take meanwhile?

AsyncEcsExecutor beside AwsEcsExecutor and a bare loop of RunTask calls, without limits and under AWS's default ones.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, nullcontext
from threading import Timer

from benchmarks.setup import (
    launched,
    local_ecs,
    metrics_to_statsd,
    prepare,
    throttled,
    without_limits,
)

# isort: split
from airflow.executors.base_executor import BaseExecutor
from airflow.providers.amazon.aws.executors.ecs import AwsEcsExecutor

from benchmarks import bare_client
from benchmarks.command import parse, run, say
from benchmarks.limits import LAUNCH_BURST, LAUNCH_RATE
from benchmarks.processes import beside, step_back
from benchmarks.report import Report
from benchmarks.scheduler_loop import Loop, created, cut_after, every, fresh
from benchmarks.sizes import LAUNCH
from benchmarks.tables.launch import MINE, SETTLED, THEIRS, Case, Free, Limited, report
from ecs_async_executor import AsyncEcsExecutor

KINDS: dict[str, type[BaseExecutor]] = {THEIRS: AwsEcsExecutor, MINE: AsyncEcsExecutor}


def measure_free(kind: str, tasks: int, latency: float, cap: float, *, metrics: bool = False) -> Free:
    """Launch `tasks` as fast as an executor can; theirs for `cap` seconds at most. For a process of its own."""
    os.environ |= without_limits()
    with metrics_to_statsd() if metrics else nullcontext(), local_ecs(latency) as ecs:
        executor = KINDS[kind]()
        loop = Loop(executor, tasks)
        loop.queue(tasks)
        count = every(0.25, lambda: launched(ecs))
        begun, cut = time.time(), True
        with cut_after(cap if kind == THEIRS else 0):
            loop.beat_until(lambda: count() >= tasks, 60 + tasks / 20)
            cut = False
        times = created(ecs)
        if isinstance(executor, AsyncEcsExecutor):
            loop.beat_for(1.0)  # what follows upon the launches counts, too
            executor.end()
    return Free(len(times), times[-1] - begun if times else cap, loop.longest, cut)


def measure_bare(tasks: int, latency: float) -> Free:
    """Launch them with a bare client, at the same niceness as the executors. For a process of its own."""
    with local_ecs(latency) as ecs:
        begun = bare_client.launch(ecs.endpoint_url, tasks)
        return Free(tasks, created(ecs)[-1] - begun)


def measure_limited(kind: str, seconds: float, *, other: bool) -> Limited:
    """Launch for a while under AWS's default limits, alone or beside another client. For a process of its own."""
    tasks = int(LAUNCH_BURST + LAUNCH_RATE * seconds) + 300
    settled = min(SETTLED, seconds / 2)
    with ExitStack() as stack:
        ecs = stack.enter_context(local_ecs(0.1, throttling=True))
        # The other client is forked first, while there is no thread yet.
        client = stack.enter_context(beside(bare_client.take_half, ecs.endpoint_url)) if other else None
        step_back()
        executor = KINDS[kind]()
        loop = Loop(executor, tasks)
        loop.queue(tasks)
        if client is not None:
            client.send("go")
        begun = time.time()
        before: list[tuple[int, int]] = []
        timer = Timer(settled, lambda: before.append(throttled(ecs)))
        timer.start()  # a heartbeat of theirs outlasts that
        cut = True
        with cut_after(seconds if kind == THEIRS else 0):
            loop.beat_for(seconds)
            cut = False
        timer.join()
        after, ended = throttled(ecs), time.time()
        if isinstance(executor, AsyncEcsExecutor):
            executor.end()
        if client is not None:
            client.send("stop")
        calls = client.recv() if client is not None else []
        late = [granted for at, granted in calls if begun + settled < at <= ended]
        taken = sum(begun <= at <= ended for at in created(ecs, of_other=True))
        return Limited(
            launched=sum(at <= ended for at in created(ecs)),
            allowed=LAUNCH_BURST + LAUNCH_RATE * (ended - begun) - taken,
            calls=after[0] - before[0][0] - len(late),
            throttled=after[1] - before[0][1] - late.count(False),
            longest=loop.longest,
            cut=cut,
        )


def measure(arguments: argparse.Namespace) -> Iterator[Report]:
    """Measure everything, and report after each part."""
    prepare()
    free: dict[Case, tuple[Free, Free, Free]] = {}
    limited: dict[tuple[str, bool], Limited] = {}
    middle = sorted(arguments.latency)[len(arguments.latency) // 2]
    for latency in arguments.latency:
        say(f"launch: AwsEcsExecutor, {latency * 1000:.0f} ms, at most {arguments.cap:.0f} s")
        theirs = fresh(measure_free, THEIRS, arguments.tasks, latency, arguments.cap)
        for tasks in dict.fromkeys((arguments.tasks, *[arguments.many] * (latency == middle))):
            say(f"launch: {tasks:,} tasks, {latency * 1000:.0f} ms: AsyncEcsExecutor, then a bare client")
            ours = fresh(measure_free, MINE, tasks, latency, arguments.cap)
            bare = fresh(measure_bare, tasks, latency)
            free[Case(tasks, latency)] = (theirs, ours, bare)
            if latency == middle:
                say(f"launch: {tasks:,} tasks, {latency * 1000:.0f} ms: AsyncEcsExecutor, metrics on")
                measured = fresh(measure_free, MINE, tasks, latency, arguments.cap, metrics=True)
                free[Case(tasks, latency, metrics=True)] = (theirs, measured, bare)
            yield report(free, limited)
    for kind, other in ((THEIRS, False), (MINE, False), (MINE, True)):
        company = ", next to another client" if other else ""
        say(f"launch: {kind} under AWS's limits{company}, {arguments.minute:.0f} s")
        limited[kind, other] = fresh(measure_limited, kind, arguments.minute, other=other)
        yield report(free, limited)


if __name__ == "__main__":
    run(measure, parse("launch", __doc__, LAUNCH))
