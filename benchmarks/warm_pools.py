"""What a pool of standbys does to a scheduler's executor, with simulated containers: a burst, and pools that can't serve."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.setup import FOR_EVER, local_ecs

# isort: split
from benchmarks.processes import beside, step_back
from benchmarks.scheduler_loop import Loop, every
from benchmarks.stamps import ORDERED, RUN_TASK, WRITTEN, Stamped, Stamps, stamp_engine
from benchmarks.standby_players import play, url_of
from benchmarks.tables.warm import Burst, Launches, Pool
from ecs_async_executor import AsyncEcsExecutor
from ecs_async_executor.engine.aws.ecs import EcsClient
from ecs_async_executor.engine.aws.s3 import S3Client
from ecs_async_executor.local import Control
from ecs_async_executor.standby.command import READY_SECONDS

DEPLOYMENT = "warm"
STANDBY = f"airflow/{DEPLOYMENT}/standby"
LATENCY = {"*": [0.02, 0.1], "s3:*": [0.01, 0.05]}
"""Of every API call: at least, and at random in addition, in seconds."""
SETTLED = 3.0
"""Seconds until a pool that can't serve has shown it."""
READY = READY_SECONDS + 7.0
"""Seconds from a container's start until its standby surely counts as ready: the engine counts from its first look."""
APART = 0.2
"""Seconds between two tasks where each is launched alone."""


class _Ours(Stamped, AsyncEcsExecutor):
    def start(self) -> None:
        AsyncEcsExecutor.start(self)

    def heartbeat(self) -> None:
        AsyncEcsExecutor.heartbeat(self)


def measure_pool(pool: Pool, tasks: int, standbys: int) -> Launches:
    """Launch tasks one after another, each cold, whatever the pool is. For a process of its own."""
    rule: dict[str, Any] = {
        Pool.EMPTY: {"pending": FOR_EVER},
        Pool.BROKEN: {"duration": 0.0, "exit_code": 1},
    }.get(pool, {})
    with _world(0 if pool is Pool.NONE else standbys, tasks, rule) as world:
        if pool is Pool.FORBIDDEN:
            world.forbid()
        if pool is Pool.REVOKED:
            world.until_ready(standbys)
            world.forbid()
        world.loop.beat_for(SETTLED)
        for _ in range(tasks):
            world.loop.queue(1)
            world.loop.beat_for(APART)
        world.loop.beat_until(lambda: len(world.first(RUN_TASK)) >= tasks, 120)
        ordered, called = world.first(ORDERED), world.first(RUN_TASK)
    return Launches(pool, [called[ti_id] - at for ti_id, at in ordered.items()])


def measure_burst(tasks: int, *, warm: bool) -> Burst:
    """Queue many tasks at once, with as many standbys or with none. For a process of its own."""
    with _world(tasks if warm else 0, tasks, {}) as world:
        if warm:
            world.until_ready(tasks)
        world.loop.beat_for(SETTLED)
        world.loop.heartbeats.clear()
        done = WRITTEN if warm else RUN_TASK
        world.loop.queue(tasks)
        world.loop.beat_until(every(0.5, lambda: len(world.first(done)) >= tasks), 120)
        beats = [beat.wall for beat in world.loop.heartbeats]
        world.loop.beat_for(2 * SETTLED)
        ordered, handed_over = world.first(ORDERED), world.first(done)
        got = world.got()
    return Burst(
        tasks,
        warm,
        [handed_over[ti_id] - at for ti_id, at in ordered.items()],
        [got[ti_id] - at for ti_id, at in ordered.items() if ti_id in got],
        beats,
    )


@dataclass(slots=True)
class _World:
    loop: Loop
    ecs: Control
    stamps: Stamps
    players: Connection
    workloads: dict[str, str]
    """The task instance whose workload is in an object, by the object's URL."""

    def first(self, what: str) -> dict[str, float]:
        """Return when each task instance has passed a step first."""
        found: dict[str, float] = {}
        for each in self.stamps.read():
            if each.what == what and each.ti_id:
                found.setdefault(each.ti_id, each.at)
        return found

    def until_ready(self, standbys: int) -> None:
        def ready() -> bool:
            old = time.time() - READY
            running = [
                task
                for task in self.ecs.tasks()
                if task["startedBy"] == STANDBY and task.get("startedAt", old + 1) < old
            ]
            return len(running) >= standbys

        self.loop.beat_until(every(1.0, ready), 180)

    def forbid(self) -> None:
        self.ecs.add_fault("access_denied", action="s3:PutObject")

    def got(self) -> dict[str, float]:
        self.players.send(None)
        return {self.workloads[url]: at for url, at in self.players.recv().items() if url in self.workloads}


@contextmanager
def _world(standbys: int, rows: int, rule: Mapping[str, Any]) -> Iterator[_World]:
    os.environ |= {
        "AIRFLOW__ECS_ASYNC_EXECUTOR__DEPLOYMENT": DEPLOYMENT,
        "AIRFLOW__ECS_ASYNC_EXECUTOR__PAYLOAD_BUCKET": "s3://airflow/payloads",
        "AIRFLOW__ECS_ASYNC_EXECUTOR__STANDBY": str(standbys),
    }
    with ExitStack() as stack:
        ecs = stack.enter_context(local_ecs(0.0, throttling=True, s3=True))
        ecs.set_conditions(latency=LATENCY)
        rules = [{"started_by": STANDBY, **rule}] if rule else []
        ecs.set_plan(*rules, pending=0.5, duration=FOR_EVER)
        # The other processes are forked first, while there is no thread yet.
        players = stack.enter_context(beside(play, str(ecs.s3_endpoint_url)))
        step_back()
        folder = stack.enter_context(TemporaryDirectory())
        stamps = Stamped.stamps = Stamps(Path(folder) / "stamps.jsonl")
        stamp_engine(stamps)
        workloads: dict[str, str] = {}
        _tell(players, workloads)
        executor = _Ours()
        try:
            yield _World(Loop(executor, rows), ecs, stamps, players, workloads)
        finally:
            executor.end()
            with suppress(OSError):  # it may have ended
                players.send(None)


def _tell(players: Connection, workloads: dict[str, str]) -> None:
    """Have the players told of each standby that is started, and note whose workload an object gets."""
    run_task: Callable[..., Awaitable[Any]] = EcsClient.run_task
    put_once: Callable[..., Awaitable[Any]] = S3Client.put_once

    async def told(self: EcsClient, body: Mapping[str, Any]) -> Any:
        answer = await run_task(self, body)
        if url := url_of(body):
            players.send(url)
        return answer

    async def noted(self: S3Client, url: str, data: bytes) -> Any:
        if data:
            workloads[url] = str(json.loads(data)["ti"]["id"])
        return await put_once(self, url, data)

    setattr(EcsClient, "run_task", told)  # noqa: B010  mypy takes no assignment to a method
    setattr(S3Client, "put_once", noted)  # noqa: B010  as above
