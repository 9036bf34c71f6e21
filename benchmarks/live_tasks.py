"""An AsyncEcsExecutor with thousands of live tasks and simulated workers."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.scheduler_loop import Loop, every
from benchmarks.setup import launched, local_ecs, without_limits
from benchmarks.sql_workers import count_rows, sql_workers
from ecs_async_executor import AsyncEcsExecutor
from ecs_async_executor.local import Control

LIVES = 10.0
"""Seconds that a task of the stream lives; its code takes less, since its row must show success before it ends."""
WORK = 6.0
QUICKLY = 0.02
"""API latency while the live tasks are launched, in seconds."""


@dataclass(frozen=True, slots=True)
class Live:
    """The loop of an executor with `count` live tasks that never end, and its ECS."""

    count: int
    loop: Loop
    ecs: Control

    def stream(self, a_second: float) -> Callable[[], None]:
        """Return a function that queues so many short tasks a second, when it is called between heartbeats."""
        self.ecs.set_plan(duration=LIVES)
        begun, queued = time.monotonic(), 0

        def queue_more() -> None:
            nonlocal queued
            due = int((time.monotonic() - begun) * a_second) - queued
            self.loop.queue(due)
            queued += due

        return queue_more


@contextmanager
def live_tasks(
    count: int, *, latency: float, more: int = 0, stay: bool = False, limits: bool = False
) -> Iterator[Live]:
    """Launch `count` tasks that never end. `more` rows wait, for tasks that end, or stay. For a process of its own.

    The executor launches without limits, unless told otherwise, and reads within AWS's.
    """
    if not limits:
        os.environ |= without_limits()
    # The workers are forked first, while there is no thread yet.
    with local_ecs(QUICKLY) as ecs, sql_workers(work=WORK, spare=count + (more if stay else 0)):
        executor = AsyncEcsExecutor()
        loop = Loop(executor, count + more)
        raise_to(loop, ecs, count)
        ecs.set_conditions(latency={"*": latency})
        yield Live(count, loop, ecs)
        executor.end()


def raise_to(loop: Loop, ecs: Control, count: int) -> None:
    """Launch tasks until there are so many, and all are known to run; a thousand at once, as a scheduler would."""
    running = every(0.5, lambda: launched(ecs) >= loop.queued and count_rows("running") >= loop.queued)
    while loop.queued < count:
        loop.queue(min(1000, count - loop.queued))
        loop.beat_until(every(0.2, lambda: launched(ecs) >= loop.queued), 120)
    loop.beat_until(running, 60 + count / 50)
    loop.beat_for(1.0)
    loop.heartbeats.clear()
