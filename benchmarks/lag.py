"""How long after its container has ended is a task's slot free, and how many calls does that cost?

With few and many live tasks; and a great many short tasks through one executor, under AWS's default limits.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

from benchmarks.command import parse, run, say
from benchmarks.limits import LAUNCH_RATE
from benchmarks.live_tasks import live_tasks
from benchmarks.report import Report, median
from benchmarks.scheduler_loop import Loop, every, fresh
from benchmarks.setup import local_ecs, prepare, reads
from benchmarks.sizes import LAG
from benchmarks.sql_workers import count_rows, external_ids, sql_workers, succeed
from benchmarks.tables.lag import Lags, report
from ecs_async_executor import AsyncEcsExecutor

AHEAD = 5.0
"""Seconds by which a task's row shows success before its container ends, at most."""
PATIENCE = 120.0
"""Seconds after which an end that was not seen counts as lost."""


class Slots:
    """Notes when the executor frees the slots that it has."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._taken = self._running()
        self.freed: dict[int, float] = {}
        """When, in epoch seconds, by map index."""

    def look(self) -> None:
        """Look, after a heartbeat."""
        gone = self._taken - self._running()
        if gone:
            self.freed |= dict.fromkeys(gone, time.time())
            self._taken -= gone

    def _running(self) -> set[int]:
        keys: set[Any] = self._loop.executor.running
        return {key.map_index for key in keys}


def measure_ends(live: int, ends: int, seconds: float, latency: float) -> Lags:
    """Let some of many live tasks end, one after the other. For a process of its own."""
    ends = min(ends, live // 2)
    with live_tasks(live, latency=latency) as world:
        world.loop.beat_for(AHEAD)  # until the watcher is used to them
        arns = external_ids()
        slots = Slots(world.loop)
        calls, begun = reads(world.ecs), time.monotonic()
        done = told = 0

        def end_some() -> None:
            nonlocal done, told
            elapsed = time.monotonic() - begun
            due = min(ends, int(ends * elapsed / seconds))
            soon = min(ends, int(ends * (elapsed + AHEAD) / seconds))
            if soon >= told + max(1, ends // 20) or soon == ends > told:
                succeed(list(range(told, soon)))
                told = soon
            for index in range(done, min(due, told)):
                world.ecs.interrupt(arns[index])
            done = max(done, min(due, told))
            slots.look()

        world.loop.beat_for(seconds, each=end_some)
        world.loop.beat_until(lambda: done == ends, 60, each=end_some)
        took, calls = time.monotonic() - begun, reads(world.ecs) - calls
        patience = time.monotonic() + PATIENCE
        world.loop.beat_until(
            lambda: len(slots.freed) >= ends or time.monotonic() > patience, PATIENCE + 60, each=slots.look
        )
        tasks = {task["taskArn"]: task for task in world.ecs.tasks()}
    ended = [(index, tasks[arns[index]]) for index in range(ends)]
    lags = [slots.freed[index] - task["stoppedAt"] for index, task in ended if index in slots.freed]
    age = median([task["stoppedAt"] - task["createdAt"] for _, task in ended])
    return Lags(live, ends, lags, calls, took, wrong=len(slots.freed) - len(lags), age=age)


def measure_many(many: int, lives: float, latency: float) -> Lags:
    """Run many short tasks under AWS's default limits, from the first to the last. For a process of its own."""
    # The workers are forked first, while there is no thread yet.
    with local_ecs(latency, throttling=True, task_seconds=lives) as ecs, sql_workers(work=lives * 0.6):
        executor = AsyncEcsExecutor()
        loop = Loop(executor, many)
        run_ids = external_ids()
        loop.queue(many)
        loop.beat()
        slots = Slots(loop)
        begun = time.monotonic()
        progress = every(60, lambda: say(f"lag: {len(slots.freed):,} of {many:,} have ended"))
        patience = begun + many / LAUNCH_RATE * 1.5 + lives + PATIENCE

        def look() -> None:
            slots.look()
            progress()

        loop.beat_until(
            lambda: len(slots.freed) >= many or time.monotonic() > patience, patience - begun + 60, each=look
        )
        took, calls = time.monotonic() - begun, reads(ecs)
        tasks = ecs.tasks()
        right = count_rows("success")
        executor.end()
    # The run id is the end of startedBy.
    by_run_id = {task["startedBy"].rpartition("/")[2]: task for task in tasks}
    containers = Counter(task["startedBy"] for task in tasks)
    again = sum(count - 1 for count in containers.values())
    lags = [
        at - by_run_id[run_ids[index]]["stoppedAt"]
        for index, at in slots.freed.items()
        if "stoppedAt" in by_run_id.get(run_ids[index], {})
    ]
    return Lags(many, many, lags, calls, took, wrong=many - min(right, len(lags)) + again)


def measure(arguments: argparse.Namespace) -> Iterator[Report]:
    """Measure everything, and report after each part."""
    prepare()
    results: dict[str, Lags] = {}
    for live in arguments.live:
        say(f"lag: {live:,} live tasks")
        found = fresh(measure_ends, live, arguments.ends, arguments.seconds, arguments.latency)
        results[f"{live:,} live tasks, {found.age:.0f} s old"] = found
        yield report(results, None, arguments.latency)
    if arguments.many:
        minutes = (arguments.many / LAUNCH_RATE + arguments.lives) / 60
        say(f"lag: {arguments.many:,} tasks of {arguments.lives:.0f} s; {minutes:.0f} minutes")
        many = fresh(measure_many, arguments.many, arguments.lives, arguments.latency)
        results[f"{arguments.many:,} tasks of {arguments.lives:.0f} s, AWS's limits"] = many
        yield report(results, many, arguments.latency)


if __name__ == "__main__":
    run(measure, parse("lag", __doc__, LAG))
