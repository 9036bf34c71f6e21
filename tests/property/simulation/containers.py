"""How simulated containers live: they start, ask the API server whether their code may run, run it, and end somehow."""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Protocol

import anyio
from sqlalchemy.util import greenlet_spawn

from ecs_async_executor.standby import waiting
from ecs_async_executor.standby.command import BROKEN, LEFT
from tests.property.simulation.airflow import Airflow
from tests.property.simulation.ecs import Conditions, EcsTask, SimulatedEcs
from tests.property.simulation.s3 import ContainerS3, SimulatedS3
from tests.property.simulation.setup import IMAGES, LARGEST, MAX_AGE

OUT_OF_MEMORY = "OutOfMemoryError: Container killed due to memory usage"
SIGTERM_AFTER = 3.0
"""Seconds after StopTask until a container gets SIGTERM, at most."""


class World(Protocol):
    """The part of the simulated world that containers need."""

    airflow: Airflow
    conditions: Conditions
    ecs: SimulatedEcs
    now: Callable[[], float]
    random: Random
    s3: SimulatedS3

    def hand_over_step(self) -> None:
        """Note that a hand-over gets on."""


class Containers:
    """All containers, and what must never happen to them."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.random = world.random
        self.lives: set[asyncio.Task[None]] = set()
        self.errors: list[BaseException] = []
        """What is wrong with this simulation."""
        self.unfetched = 0
        """Those that couldn't find their workload in S3."""
        self.duplicates: list[str] = []
        """Two at a time that have the workload of the same queueing."""
        self.wrong_images: list[str] = []
        self.too_small: list[str] = []
        """Those with no more memory than an earlier try is known to have been killed at."""
        self.unnamed: list[str] = []
        """Standbys with the workload of a queued task whose row names something else: nobody will look for them."""
        self.killed: list[str] = []
        """Those that StopTask has killed while they ran the code that their row tells of."""
        self.readers: dict[str, set[str]] = {}
        """The ARNs of those that have read each S3 object."""
        self.asked: Counter[object] = Counter()
        """How many have asked the API server to start, by queueing."""

    def launch(self, task: EcsTask) -> None:
        """Start a container, which outlives every engine."""
        if not task.is_standby:
            self._note_workload(task)
        life = asyncio.get_running_loop().create_task(self._live(task))
        self.lives.add(life)
        life.add_done_callback(self._note_death)

    def _note_death(self, life: asyncio.Task[None]) -> None:
        self.lives.discard(life)
        if not life.cancelled() and (error := life.exception()) is not None:
            self.errors.append(error)

    def _note_workload(self, task: EcsTask) -> None:
        """Note that a container has its workload, or will surely get it."""
        assert task.payload is not None
        row = self.world.airflow.by_id(task.payload["ti"]["id"])
        if row is not None and task.image not in IMAGES[row.queue]:
            self.wrong_images.append(f"{row.queue} runs {task.image}")
        queueing = row.queueing if row else None
        for other in self.world.ecs.alive.values():
            if other is not task and other.queueing == queueing and row:
                self.duplicates.append(f"{queueing}: {other.arn[-4:]} and {task.arn[-4:]}")
        task.queueing = queueing
        if row and task.memory is not None and task.memory <= row.killed_at and task.memory < LARGEST:
            self.too_small.append(f"{queueing}: {task.memory} MiB after {row.killed_at}")
        if row and task.is_standby and row.state == "queued" and row.external_executor_id != task.arn:
            self.unnamed.append(f"{queueing}: {task.arn[-4:]}, and not {row.external_executor_id}")

    async def _live(self, task: EcsTask) -> None:
        await self._pass_time(task, self.random.uniform(1, 40))
        if not task.stop_asked.is_set() and self._is_interrupted(task):
            self._end(task, None, "Your Spot Task was interrupted.")
        elif not task.stop_asked.is_set() and self.random.random() < self.world.conditions.start_failure:
            self._end(task, None, "CannotPullContainerError: i/o timeout")
        elif task.stop_asked.is_set():
            self._end(task, None, task.reason)
        elif task.is_standby:
            task.status, task.ran, task.began_at = "RUNNING", True, self.world.now()
            await self._stand_by(task)
        elif task.url is not None and task.url not in self.world.s3.objects:
            self.unfetched += 1
            self._end(task, 69, "")
        else:
            task.status, task.ran = "RUNNING", True
            await self._work(task)

    # --- standbys --------------------------------------------------------------------------------------

    async def _stand_by(self, task: EcsTask) -> None:
        """Wait for a workload by the rules of the real container, and then act as any other."""
        if self.random.random() < self.world.conditions.broken_image:
            self._end(task, BROKEN, "")
            return
        code, workload = await self._wait(task)
        if code is not None or workload is None:
            self._end(task, code, task.reason)
            return
        task.payload, task.served_at = json.loads(workload), self.world.now()
        assert task.url is not None
        self.readers.setdefault(task.url, set()).add(task.arn)
        self._note_workload(task)
        self.world.hand_over_step()
        if self.random.random() < self.world.conditions.stuck:
            await self._pass_time(task, 1000.0)
            self._end(task, 137, task.reason)
        else:
            await self._work(task)

    async def _wait(self, task: EcsTask) -> tuple[int | None, bytes | None]:
        """Return a workload, or the exit code of a standby that has got none."""
        assert task.url is not None
        own, begin = task.url, self.world.now()
        s3 = ContainerS3(self.world.s3, task.lease, own, begin + MAX_AGE)
        outcome: tuple[int, bytes] | None = None
        is_reclaimed = task.spot and self.random.random() < self.world.conditions.interrupted
        is_killed = is_reclaimed or self.random.random() < self.world.conditions.killed
        async with anyio.create_task_group() as group:

            async def look() -> None:
                nonlocal outcome
                outcome = await greenlet_spawn(
                    waiting.wait,
                    s3,
                    task.lease,
                    own,
                    task.command[-3],
                    os.getppid(),
                    self.world.now,
                    s3.sleep,
                )
                group.cancel_scope.cancel()

            async def be_ended() -> None:
                await self._pass_time(task, self.random.uniform(0, MAX_AGE) if is_killed else 2 * MAX_AGE)
                if task.stop_asked.is_set():
                    await anyio.sleep(self.random.uniform(0, SIGTERM_AFTER))
                group.cancel_scope.cancel()

            group.start_soon(look)
            group.start_soon(be_ended)
        if outcome is not None:
            code, workload = outcome
            return code or None, workload
        if task.stop_asked.is_set() or not is_killed:
            return LEFT, None
        if is_reclaimed:
            task.stop_code, task.reason = "SpotInterruption", "Your Spot Task was interrupted."
            return self.random.choice((LEFT, 137)), None
        task.reason = OUT_OF_MEMORY
        return 137, None

    # --- with a workload -------------------------------------------------------------------------------

    async def _work(self, task: EcsTask) -> None:
        assert task.payload is not None
        airflow, ti_id = self.world.airflow, str(task.payload["ti"]["id"])
        await self._pass_time(task, self.random.uniform(0, 5))
        if task.stop_asked.is_set():
            self._end(task, 137, task.reason)
            return
        self.asked[task.queueing] += 1
        row = airflow.start_code(ti_id)
        if row is None:
            self._end(task, 1, "")
            return
        task.hidden = self.random.random() < self.world.conditions.hidden
        hangs = self.random.random() < 0.1  # it doesn't notice that Airflow has moved on
        until = self.world.now() + self.random.uniform(0, 60)
        while self.world.now() < until and not task.stop_asked.is_set():
            await self._pass_time(task, min(10.0, until - self.world.now()))
            if not airflow.is_running(row, ti_id):
                await self._pass_time(task, 1000.0 if hangs else 5.0)
                self._end(task, 137 if task.stop_asked.is_set() else 0, "")
                return
        if task.stop_asked.is_set() and row.state == "running" and str(row.id) == ti_id:
            self.killed.append(f"{task.queueing}: {task.arn[-4:]}: {task.reason}")
        if task.memory is not None and task.memory < row.needs and not task.stop_asked.is_set():
            row.die()
            # Its process is killed, and with it Airflow's supervisor or not.
            self._end(task, self.random.choice((137, 0)), OUT_OF_MEMORY)
            return
        outcome = self.random.choices(("success", "dies", "deferred"), (6, 1, 2))[0]
        if self._is_interrupted(task) or outcome == "dies" or task.stop_asked.is_set():
            outcome = "dies"
            row.die()
        else:
            airflow.end_code(row, ti_id, outcome)
            await self._pass_time(task, self.random.uniform(0, 3))
        self._end(task, 137 if outcome == "dies" else 0, "")

    def _is_interrupted(self, task: EcsTask) -> bool:
        """Return whether AWS reclaims the task's Spot capacity, at random."""
        if task.spot and self.random.random() < self.world.conditions.interrupted:
            task.stop_code = "SpotInterruption"
        return task.stop_code is not None

    async def _pass_time(self, task: EcsTask, seconds: float) -> None:
        """Let time pass until the task is told to stop."""
        with anyio.move_on_after(seconds):
            await task.stop_asked.wait()

    def _end(self, task: EcsTask, exit_code: int | None, reason: str) -> None:
        self.world.ecs.end(task, exit_code, reason)
