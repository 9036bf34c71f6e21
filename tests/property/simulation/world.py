"""The simulated world: Airflow, ECS, S3, and schedulers that die, hang and restart between them."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum
from math import inf
from random import Random

import anyio
import pytest
from sqlalchemy.exc import OperationalError

from ecs_async_executor.engine import engine as engine_module
from ecs_async_executor.engine.standby.pool import REPLACED_AHEAD
from ecs_async_executor.executor.decisions import Row
from ecs_async_executor.executor.rows import claims, thread
from ecs_async_executor.executor.rows.statements import Publication, Read
from ecs_async_executor.executor.setbacks import Setback
from ecs_async_executor.standby import waiting
from ecs_async_executor.standby.command import LEASE_SECONDS
from tests.property.simulation.airflow import Airflow, TaskRow
from tests.property.simulation.containers import Containers
from tests.property.simulation.ecs import Conditions, SimulatedEcs
from tests.property.simulation.s3 import SimulatedS3
from tests.property.simulation.scheduler import Scheduler
from tests.property.simulation.setup import MAX_AGE, QUEUES, configuration

CALM_AFTER = 900.0
"""Seconds after which schedulers no longer die and AWS no longer fails."""
SHORT_FAULT = 5.0
"""Seconds for which a library that wraps the AWS calls may fail without costing a task a try."""
TIME_LIMIT = 3 * 3600.0
"""Seconds after which everything must have ended."""
CELERY_JOB = 1
"""Job id of a dead scheduler."""
LAST_LOOK = 60.0
"""Seconds after which a standby that has to leave has left: it looks at its lease twice a minute, and its calls take time."""


class Accident(Enum):
    """What may happen to a scheduler."""

    DIES = "its process ends"
    RESTARTS = "its engine ends, and is replaced"
    HANGS = "its loop hangs, so that the others take it for dead, while its engine keeps running"


@dataclass(frozen=True)
class Circumstances:
    """How badly everything but AWS behaves; probabilities are those of one heartbeat."""

    schedulers: int = 1
    deadly: float = 0.0
    """A scheduler dies."""
    blocked: float = 0.0
    """A scheduler's loop hangs for so long that the others take it for dead."""
    locked: float = 0.0
    """Core drops an event because the row is locked."""
    users_interfere: bool = False
    """Users clear and mark tasks."""
    accidents: float = 0.0
    """For a step of a hand-over: just then, something happens to a scheduler."""
    has_celery_tasks: bool = False
    """Some tasks were queued by CeleryExecutor, in a scheduler that has died."""
    standby: int = 0
    """How many standbys each profile keeps."""


class World:
    """Airflow, ECS, S3, and the schedulers between them. Create it inside a running loop."""

    def __init__(self, seed: int, conditions: Conditions, circumstances: Circumstances) -> None:
        self.random = Random(seed)  # noqa: S311  a game of chance, not cryptography
        self.conditions = self.of_aws = conditions
        self.circumstances = circumstances
        self.loop = asyncio.get_running_loop()
        self.now = self.loop.time
        self.airflow = Airflow(self.random, QUEUES, self.now)
        self.s3 = SimulatedS3(self)
        self.containers = Containers(self)
        self.ecs = SimulatedEcs(self.random, conditions, self.containers.launch, self.now, self.s3.objects)
        if conditions.room < inf and circumstances.schedulers > 1:
            # No engine knows of the room that another one's standbys take, so tasks may wait there for too long.
            self.circumstances = circumstances = replace(circumstances, standby=0)
        self.configuration = configuration(circumstances.standby)
        self.jobs = CELERY_JOB
        self.kills = 0
        self.living: list[Scheduler] = []
        self.too_many: list[str] = []
        """Standbys that an engine has beyond what it is to keep."""
        self.is_over = False
        """Everything has ended in time."""

    # --- another executor's workers ---------------------------------------------------------------------

    async def be_celery_worker(self, row: TaskRow) -> None:
        """Act as a Celery worker: take a task at once, or later, when it finds the message in its broker."""
        row.state, row.queued_by_job_id, row.external_executor_id = "queued", CELERY_JOB, str(uuid.uuid4())
        row.queued += 1
        ti_id = str(row.id)
        await asyncio.sleep(self.random.choice((0.0, self.random.uniform(0, 120))))
        if self.airflow.start_code(ti_id) is None:
            return
        until = self.now() + self.random.uniform(0, 1200)
        while self.now() < until:
            await asyncio.sleep(min(5.0, until - self.now()))
            if not self.airflow.is_running(row, ti_id):
                return
        if self.random.random() < 0.2:
            row.die()
        else:
            self.airflow.end_code(row, ti_id, "success")

    # --- the database ----------------------------------------------------------------------------------

    def chance_of_a_lock(self) -> float:
        return self.circumstances.locked if self.now() < CALM_AFTER else 0.0

    def _fail(self, statement: str) -> None:
        if self.random.random() < self.chance_of_a_lock() / 5:
            raise OperationalError(statement, None, Exception("the database went away"))

    def read_rows(self, reads: Iterable[Read]) -> dict[str, Row]:
        self._fail("SELECT")
        return self.airflow.read_rows(reads)

    def read_setbacks(self, reads: Iterable[Read]) -> dict[str, tuple[Setback, ...]]:
        self._fail("SELECT")
        return self.airflow.read_setbacks(reads)

    def write_external_ids(self, publications: Iterable[Publication]) -> frozenset[str]:
        return self.airflow.write_external_ids(publications, self.chance_of_a_lock())

    def claim_rows(self, publications: Iterable[Publication]) -> frozenset[str]:
        """Write the rows that name standbys, from now on or not at all, and answer, or not."""
        self._fail("UPDATE")
        written = self.write_external_ids(publications)
        self._fail("COMMIT")
        return written

    # --- schedulers ------------------------------------------------------------------------------------

    def start_scheduler(self) -> Scheduler:
        self.jobs += 1
        scheduler = Scheduler(
            self.jobs,
            self.airflow,
            self.configuration,
            self.random,
            self.chance_of_a_lock,
            self.hand_over_step,
        )
        self.living.append(scheduler)
        scheduler.adopt([each.job_id for each in self.living])
        return scheduler

    async def be_scheduler(self) -> None:
        """Act as a scheduler that is restarted whenever it dies."""
        await asyncio.sleep(self.random.uniform(0, 5))
        while True:
            scheduler = self.start_scheduler()
            died = await self.run_scheduler(scheduler)
            self.living.remove(scheduler)
            if not died:
                await (scheduler.close() if self.random.random() < 0.5 else scheduler.kill())
                return
            await scheduler.kill()
            self.kills += 1
            await asyncio.sleep(self.random.uniform(3, 60))

    async def run_scheduler(self, scheduler: Scheduler) -> bool:
        """Act as one until it dies (True), or everything is over."""
        deadly, blocked = self.circumstances.deadly, self.circumstances.blocked
        while not self.over:
            calm = self.now() >= CALM_AFTER
            dies = not calm and self.random.random() < deadly
            steps = scheduler.steps(self.chance_of_a_lock())
            dies_at, hangs_at = (self.random.randrange(len(steps)) for _ in range(2))
            hangs = not calm and self.random.random() < blocked
            for number, step in enumerate(steps):
                if dies and number == dies_at:
                    return True
                if hangs and number == hangs_at:
                    await self.hang(scheduler)
                step()
            if not calm and self.random.random() < deadly:
                await scheduler.restart_engine()
            if self.now() >= scheduler.adopts_at:
                scheduler.adopts_at = self.now() + 60
                scheduler.adopt([each.job_id for each in self.living])
            self.count_standbys(scheduler)
            with anyio.move_on_after(self.random.choice((0.05, 1.0, 1.0, 3.0))):
                match await scheduler.accident():
                    case Accident.DIES:
                        return True
                    case Accident.RESTARTS:
                        await scheduler.restart_engine()
                    case Accident.HANGS:
                        await self.hang(scheduler)
        return False

    async def hang(self, scheduler: Scheduler) -> None:
        """Let its loop hang so that the others take it for dead, while its engine keeps running."""
        self.living.remove(scheduler)
        if self.living:  # one of them may be about to look for orphans
            other = self.random.choice(self.living)
            other.adopts_at = min(other.adopts_at, self.now() + self.random.uniform(0, 60))
        with anyio.CancelScope(shield=True):
            await asyncio.sleep(self.random.uniform(30, 150))
        self.living.append(scheduler)

    def hand_over_step(self) -> None:
        """Note that a hand-over gets on; perhaps an accident happens just then, or a moment later."""
        if not self.living or self.now() >= CALM_AFTER:
            return
        if self.random.random() < self.circumstances.accidents:
            scheduler = self.random.choice(self.living)
            delay = self.random.choice((0.0, self.random.uniform(0, 3)))
            self.loop.call_later(delay, scheduler.befall, self.random.choice(list(Accident)))

    def count_standbys(self, scheduler: Scheduler) -> None:
        """Compare what ECS has with what the engine is to keep: standbys that nobody has taken or stops.

        Those that end soon don't count, but they may be there beside their replacements.
        """
        if not self.circumstances.standby:
            return
        leases, unavailable = scheduler.engine.ledger.standbys.leases, set(scheduler.unavailable())
        kept = [
            task
            for task in self.ecs.alive.values()
            if task.waits
            and task.lease in leases
            and not task.stop_asked.is_set()
            and task.arn not in unavailable
            and task.arn not in scheduler.claims.asked
        ]
        for ends_in, most in ((REPLACED_AHEAD, 1), (0.0, 2)):
            lasting = (
                each
                for each in kept
                if each.began_at == inf or self.now() < each.began_at + MAX_AGE - ends_in
            )
            for pool, count in Counter((each.image, each.spot) for each in lasting).items():
                if count > most * self.circumstances.standby:
                    self.too_many.append(f"{count} of {pool} at {self.now():.0f} that last {ends_in:.0f} s")

    @property
    def over(self) -> bool:
        """Whether all rows are final, no executor holds a run, and all containers but idle standbys have ended."""
        if self.is_hopeless:
            return self.now() > CALM_AFTER and all(
                row.over or row.try_number > 1 for row in self.airflow.rows
            )
        return (
            all(row.over for row in self.airflow.rows)
            and not any(not task.waits for task in self.ecs.alive.values())
            and not any(len(each.reconciler.runs) or each.executor.running for each in self.living)
        )

    @property
    def is_hopeless(self) -> bool:
        """Whether no task can succeed: the engine gives each run up, and Airflow moves to the next try or fails the task."""
        return self.of_aws.faulty == 1 and self.of_aws.faulty_until == inf

    async def be_user(self) -> None:
        """Clear or mark a task now and then, whatever it is doing."""
        while self.now() < CALM_AFTER:
            await asyncio.sleep(self.random.uniform(5, 200))
            self.airflow.interfere()

    # --- everything ------------------------------------------------------------------------------------

    async def run(self) -> None:
        async def calm_down() -> None:
            await asyncio.sleep(CALM_AFTER)
            kept = {name: getattr(self.conditions, name) for name in ("faulty", "faulty_until", "room")}
            self.ecs.conditions = self.conditions = Conditions(latency=0.1, **kept)

        others = [self.loop.create_task(calm_down())]
        if self.circumstances.has_celery_tasks:
            workers = [self.be_celery_worker(row) for row in self.airflow.rows[:2]]
            others += [self.loop.create_task(worker) for worker in workers]
            await asyncio.sleep(0)  # lets the workers' tasks be queued before our first scheduler starts
        if self.circumstances.users_interfere:
            others.append(self.loop.create_task(self.be_user()))
        try:
            with anyio.move_on_after(TIME_LIMIT):
                async with anyio.create_task_group() as tasks:
                    for _ in range(self.circumstances.schedulers):
                        tasks.start_soon(self.be_scheduler)
                self.is_over = True
            with anyio.move_on_after(LEASE_SECONDS + LAST_LOOK):
                for _ in iter(lambda: bool(self.ecs.alive), False):
                    await asyncio.sleep(1)
        finally:
            for other in [*others, *self.containers.lives]:
                other.cancel()
            for scheduler in self.living:
                await scheduler.kill()

    def take_the_place_of_the_real_one(self, patch: pytest.MonkeyPatch) -> None:
        """Have the executor and the containers find this world."""
        patch.setattr(engine_module, "EcsClient", lambda *_, **__: self.ecs)
        patch.setattr(engine_module, "S3Client", lambda *_, **__: self.s3)
        patch.setattr(thread, "read_rows", self.read_rows)
        patch.setattr(thread, "read_workloads", self.airflow.read_workloads)
        patch.setattr(thread, "read_setbacks", self.read_setbacks)
        patch.setattr(thread, "write_external_ids", self.write_external_ids)
        patch.setattr(claims, "write_external_ids", self.claim_rows)
        patch.setattr(waiting, "random", self.random)
        patch.setattr(waiting, "say", lambda _: None)
