"""What do executors make of a cluster with room for few tasks?

Many tasks go through a small room: alone, beside a client that takes and frees half of it, and where ECS refuses many calls
at random. Room comes back after a while without any. Thousands of runs wait while heartbeats are measured. AsyncEcsExecutor
beside AwsEcsExecutor, both within AWS's default rate limits.
"""

from __future__ import annotations

import argparse
import math
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import islice
from multiprocessing.connection import Connection
from threading import Timer
from typing import Any

from benchmarks.setup import local_ecs, prepare

# isort: split
from airflow.executors.base_executor import BaseExecutor
from airflow.models.taskinstance import TaskInstance
from airflow.providers.amazon.aws.executors.ecs import AwsEcsExecutor
from airflow.utils.session import create_session
from sqlalchemy import select, update

from benchmarks import bare_client
from benchmarks.bare_client import OTHER
from benchmarks.command import parse, run, say
from benchmarks.processes import beside, step_back
from benchmarks.report import Report
from benchmarks.scheduler_loop import Loop, created, cut_after, every, fresh
from benchmarks.setup import FOR_EVER
from benchmarks.sizes import SCARCE
from benchmarks.sql_workers import count_rows
from benchmarks.tables.launch import MINE, THEIRS
from benchmarks.tables.scarce import AS_IT_COMES, RANDOM, Case, Flow, Launched, Return, Waiting, report
from benchmarks.workers import Workers
from ecs_async_executor import AsyncEcsExecutor
from ecs_async_executor.executor.rows.thread import RowQuery, RowThread
from ecs_async_executor.launch_id import LaunchId
from ecs_async_executor.local import Control

KINDS: dict[str, type[BaseExecutor]] = {
    MINE: AsyncEcsExecutor,
    THEIRS: AwsEcsExecutor,
    AS_IT_COMES: AwsEcsExecutor,
}
LATENCY = (0.1, 0.2)
"""Of every API call: at least, and at random in addition, in seconds."""
START = {"pending": [0.2, 0.5], "pull": [0.3, 1.5], "activating": 0.2, "deprovisioning": 0.3}
"""Phases of a task on an instance that has most of its image, in seconds."""
CODE = 0.6
"""Share of a task's time that its code takes, as its row must show success before it ends."""
PRIORITIES = 10
"""Task instances have one of so many priorities."""
WATCHED = 180.0
"""Seconds in which everything should be launched after room is back: AwsEcsExecutor waits up to two minutes."""
REFUSAL = {"kind": "capacity", "reason": "RESOURCE:MEMORY", "probability": RANDOM}


def measure_flow(kind: str, case: Case, sizes: argparse.Namespace) -> Flow:
    """Run many tasks through a small room; theirs for a while at most. For a process of its own."""
    tasks, room, seconds = sizes.tasks, sizes.room, sizes.seconds
    if kind == THEIRS:
        os.environ["AIRFLOW__AWS_ECS_EXECUTOR__MAX_RUN_TASK_ATTEMPTS"] = "1000000"
    with ExitStack() as stack:
        ecs = stack.enter_context(local_ecs(0.0, throttling=True))
        ecs.set_plan({"started_by": OTHER, "duration": FOR_EVER}, duration=seconds, **START)
        faults = [REFUSAL] if case is Case.RANDOM else []
        ecs.set_conditions(room=room, latency={"*": LATENCY}, faults=faults)
        # The other processes are forked first, while there is no thread yet.
        client = None
        if case is Case.OTHER:
            client = stack.enter_context(
                beside(bare_client.take_room, ecs.endpoint_url, room // 2, sizes.period)
            )
        workers = stack.enter_context(_workers(ecs, CODE * seconds))
        step_back()
        executor = KINDS[kind]()
        loop = Loop(executor, tasks)
        priorities = _label_rows()
        loop.queue(tasks)
        if client is not None:
            client.send("go")
        begun = time.time()
        with cut_after(sizes.cap if isinstance(executor, AwsEcsExecutor) else 0):
            loop.beat_until(lambda: not executor.slots_occupied, 600 + 10 * tasks * seconds / room)
        ended = time.time()
        calls = ecs.calls().get("RunTask", {})
        others_refused = 0
        if client is not None:
            client.send("stop")
            others_refused = client.recv()
        workers.send("stop")
        late = workers.recv() > (1 - CODE) * seconds
        all_tasks = ecs.tasks()
        failed = count_rows("failed")
        if isinstance(executor, AsyncEcsExecutor):
            executor.end()
    ours = [task for task in all_tasks if task.get("startedBy") != OTHER and task["createdAt"] <= ended]
    others = [task for task in all_tasks if task.get("startedBy") == OTHER]
    return Flow(
        tasks,
        room,
        [_launched(task, priorities, begun, ended) for task in ours],
        [(task["createdAt"] - begun, task.get("stoppedAt", math.inf) - begun) for task in others],
        refused=calls.get("failures", 0) - others_refused,
        failed=failed,
        seconds=ended - begun,
        longest=loop.longest,
        late=late,
    )


def measure_return(kind: str, room: int, dark: float) -> Return:
    """Wait without room for a while, and see how fast it is found when it is back. For a process of its own."""
    os.environ["AIRFLOW__AWS_ECS_EXECUTOR__MAX_RUN_TASK_ATTEMPTS"] = "1000000"
    with ExitStack() as stack:
        ecs = stack.enter_context(local_ecs(0.0, throttling=True))
        ecs.set_plan(duration=FOR_EVER, **START)
        ecs.set_conditions(room=0, latency={"*": LATENCY})
        stack.enter_context(_workers(ecs, FOR_EVER))
        step_back()
        executor = KINDS[kind]()
        loop = Loop(executor, 2 * room)
        _label_rows()
        loop.queue(2 * room)
        back: list[tuple[float, int]] = []

        def bring_back() -> None:
            refused = ecs.calls().get("RunTask", {}).get("failures", 0)
            ecs.set_conditions(room=room)
            back.append((time.time(), refused))

        timer = Timer(dark, bring_back)
        timer.start()  # a heartbeat of theirs may outlast that
        count = every(0.5, lambda: len(created(ecs)))
        with cut_after(dark + WATCHED):
            loop.beat_until(lambda: count() >= room, dark + WATCHED)
        timer.join()
        ended, times = time.time(), created(ecs)
        if isinstance(executor, AsyncEcsExecutor):
            executor.end()
    (since, refused) = back[0]
    return Return(dark, room, [at - since for at in times], ended - since, refused)


def measure_waiting(kind: str, waiting: int, room: int, seconds: float) -> Waiting:
    """Measure heartbeats while so many runs wait for room; theirs is broken off. For a process of its own."""
    with ExitStack() as stack:
        ecs = stack.enter_context(local_ecs(0.0, throttling=True))
        ecs.set_plan(duration=FOR_EVER, **START)
        ecs.set_conditions(room=room, latency={"*": LATENCY})
        stack.enter_context(_workers(ecs, FOR_EVER))
        step_back()
        executor = KINDS[kind]()
        loop = Loop(executor, room + waiting)
        _label_rows()
        loop.queue(room)
        cap = seconds if isinstance(executor, AwsEcsExecutor) else 0
        running = every(0.5, lambda: count_rows("running") >= room)
        with cut_after(60 + 5 * cap if cap else 0):
            loop.beat_until(running, 60 + room)
        loop.queue(waiting)
        if not cap:
            loop.beat_for(seconds)  # until they have reached the engine, and single probes follow pauses
        loop.heartbeats.clear()
        reads = _count_reads()
        before, begun = _run_task_calls(ecs), time.monotonic()
        cut = True
        with cut_after(cap):
            loop.beat_for(seconds)
            cut = False
        took = time.monotonic() - begun
        calls = _run_task_calls(ecs) - before
        found = sum(reads)
        if isinstance(executor, AsyncEcsExecutor):
            executor.end()
    walls = [beat.wall for beat in loop.heartbeats]
    return Waiting(waiting, walls, found / took, calls / took, cut=cut)


def _count_reads() -> list[int]:
    """Have this process note how many rows each query of the executor reads; return the growing list."""
    counts: list[int] = []
    ask = RowThread.ask

    def noted(self: RowThread, query: RowQuery) -> None:
        counts.append(len(query.reads) + len(query.in_turn))
        ask(self, query)

    setattr(RowThread, "ask", noted)  # noqa: B010  mypy takes no assignment to a method
    return counts


@contextmanager
def _workers(ecs: Control, work: float) -> Iterator[Connection]:
    """Simulate the containers' code in a process of its own; it takes `work` seconds.

    After a message, the process answers how late it was at most, in seconds.
    """
    with beside(_play, ecs.endpoint_url, work) as connection:
        yield connection


def _play(connection: Connection, endpoint_url: str, work: float) -> None:
    workers = Workers(Control(endpoint_url), work)
    while not connection.poll(0.2):
        workers.step()
    connection.send(workers.lateness)


def _label_rows() -> dict[str, int]:
    """Label the rows for `Workers`, and give them priorities; return these by the row's id."""
    with create_session(scoped=False) as session:
        rows = session.execute(select(TaskInstance.id, TaskInstance.map_index)).all()
        priorities = {str(each): index * 7 % PRIORITIES + 1 for each, index in rows}
        changes: list[dict[str, Any]] = [
            {
                "id": each,
                "priority_weight": priorities[str(each)],
                "executor_config": {"group": f"task/{each}"},
            }
            for each, _ in rows
        ]
        if changes:
            session.execute(update(TaskInstance), changes)
    return priorities


def _launched(task: dict[str, Any], priorities: dict[str, int], begun: float, ended: float) -> Launched:
    stopped_at = task.get("stoppedAt", math.inf)
    launch = LaunchId.parse(task.get("clientToken", ""))
    return Launched(
        priorities[task["group"].partition("/")[2]],
        task["createdAt"] - begun,
        stopped_at - begun if stopped_at <= ended else math.inf,
        refused=launch is not None and launch.number > 1,
    )


def _run_task_calls(ecs: Control) -> int:
    return sum(ecs.calls().get("RunTask", {}).values())


def measure(arguments: argparse.Namespace) -> Iterator[Report]:
    """Measure as many parts as are asked for, and report after each."""
    prepare()
    yield from islice(_measure_parts(arguments), arguments.parts)


def _measure_parts(arguments: argparse.Namespace) -> Iterator[Report]:
    flows: dict[tuple[Case, str], Flow] = {}
    returns: dict[str, Return] = {}
    waits: list[tuple[str, Waiting]] = []
    tasks, room, seconds = arguments.tasks, arguments.room, arguments.seconds
    for case in Case:
        for kind in KINDS if case is Case.OWN else (MINE, THEIRS):
            say(f"scarce: {kind}, {tasks:,} tasks of {seconds:.0f} s, room for {room}, {case.value}")
            flows[case, kind] = fresh(measure_flow, kind, case, arguments)
            yield report(flows, returns, waits, seconds)
    for kind in (MINE, THEIRS):
        # AwsEcsExecutor's pauses don't grow any more after a minute and a half.
        dark = arguments.dark if kind == MINE else min(arguments.dark, arguments.cap)
        say(f"scarce: {kind}, {dark:.0f} s without room, and then some")
        returns[kind] = fresh(measure_return, kind, 2 * room, dark)
        yield report(flows, returns, waits, seconds)
    for kind, waiting in ((MINE, 0), (MINE, arguments.waiting), (THEIRS, arguments.waiting)):
        say(f"scarce: {kind}, {waiting:,} runs wait for room")
        waits.append((kind, fresh(measure_waiting, kind, waiting, room, arguments.watch)))
        yield report(flows, returns, waits, seconds)


if __name__ == "__main__":
    run(measure, parse("scarce", __doc__, SCARCE))
