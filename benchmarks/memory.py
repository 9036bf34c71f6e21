"""How much memory does a live task take in the scheduler's process?

What is allocated with many live tasks, less what is with a hundred, when nothing else holds their workloads.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import os
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

from benchmarks.command import parse, run, say
from benchmarks.live_tasks import live_tasks, raise_to
from benchmarks.report import Report
from benchmarks.scheduler_loop import fresh
from benchmarks.setup import prepare
from benchmarks.sizes import MEMORY
from benchmarks.tables.memory import FEW, Memory, report


def measure_one(live: int, rest: float, *, trace: bool) -> Memory:
    """Measure one number of live tasks. For a process of its own."""
    with live_tasks(FEW, latency=0.0, more=live, stay=True) as world:
        world.loop.beat_for(rest / 5)
        if trace:
            tracemalloc.start()
        before = _used()
        raise_to(world.loop, world.ecs, FEW + live)
        world.loop.beat_for(rest)  # all have been looked at, and what is queued is worked off
        after = _used()
    allocated, resident = (now - then for now, then in zip(after, before, strict=True))
    return Memory(live, allocated, None) if trace else Memory(live, None, resident)


def measure(arguments: argparse.Namespace) -> Iterator[Report]:
    """Measure everything, and report after each part."""
    prepare()
    results = []
    for live in arguments.live:
        say(f"memory: {live:,} live tasks")
        results.append(fresh(measure_one, live, arguments.rest, trace=False))
        yield report(results)
    few = min(arguments.live)
    say(f"memory: {few:,} live tasks, every allocation traced, which is slow")
    results.append(fresh(measure_one, few, arguments.rest, trace=True))
    yield report(results)


def _used() -> tuple[int, int]:
    """Return the bytes that Python has allocated, and those that are resident."""
    gc.collect()
    if sys.platform == "linux":
        ctypes.CDLL(None).malloc_trim(0)
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return tracemalloc.get_traced_memory()[0], pages * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    run(measure, parse("memory", __doc__, MEMORY))
