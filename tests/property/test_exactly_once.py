"""Simulates the whole executor in virtual time, with schedulers that die and an AWS that fails: exactly once, always.

All of our code is real except the thread and the database driver; `simulation` holds Airflow's and ECS's rules.
Hypothesis supplies all randomness, and time is virtual, so a failure can be reproduced.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from dataclasses import dataclass
from math import inf
from queue import SimpleQueue
from random import Random
from typing import NoReturn

import anyio
import pytest
from airflow.executors.base_executor import BaseExecutor
from airflow.utils.state import TaskInstanceState
from hypothesis import given, note, settings
from hypothesis import strategies as st
from sqlalchemy.exc import OperationalError

from ecs_async_executor.config.configuration import Configuration
from ecs_async_executor.config.delivery import Bucket
from ecs_async_executor.config.heartbeats import Heartbeats
from ecs_async_executor.config.profiles import make_profiles
from ecs_async_executor.config.settings import Settings
from ecs_async_executor.engine import engine as engine_module
from ecs_async_executor.engine.aws.client import connect_by_environment
from ecs_async_executor.engine.engine import Engine
from ecs_async_executor.executor.decisions import Row
from ecs_async_executor.executor.parts import build_reconciler
from ecs_async_executor.executor.rows import thread
from ecs_async_executor.executor.rows.statements import Publication, Read
from ecs_async_executor.executor.rows.thread import RowAnswer, RowQuery, answer
from ecs_async_executor.executor.run_factory import make_orphaned_run, make_run
from ecs_async_executor.executor.setbacks import Setback
from ecs_async_executor.messages import Order, Report, RunReport
from tests.property.simulation.airflow import Airflow, TaskRow
from tests.property.simulation.ecs import Conditions, EcsTask, SimulatedEcs
from tests.property.simulation.s3 import SimulatedS3
from tests.support.virtual_time import VirtualTimeLoop
from tests.support.workloads import token_generator

QUEUES = ("default", "long", "long", "spot-a", "spot-b", "growing", "growing", "image", "image")
"""The tasks' queues."""
LARGEST = 8192
"""MiB of the largest size that tasks grow to."""
OUT_OF_MEMORY = "OutOfMemoryError: Container killed due to memory usage"
CALM_AFTER = 900.0
"""Seconds after which schedulers no longer die and AWS no longer fails."""
SHORT_FAULT = 5.0
"""Seconds for which a library that wraps the AWS calls may fail without costing a task a try."""
TIME_LIMIT = 3 * 3600.0
"""Seconds after which everything must have ended."""
CELERY_JOB = 1
"""Job id of a dead scheduler."""
SETTINGS = Settings(
    cluster="default",
    container_name="airflow",
    task_definition="t",
    subnets=("s",),
    max_run_task_attempts=10,
    missing_grace=60,
    payload_bucket="s3://bucket/",
    queues={
        "spot-*": {
            "capacityProviderStrategy": "FARGATE_SPOT:1",
            "fallback": "on-demand",
            "fallback_after": 2,
            "capacity_timeout": 60,
        },
        # Long enough to send the workload through S3.
        "long": {"environment": {"A": "x" * 6900}, "image": "airflow:long"},
        "growing": {"cpu": 1024, "memory": [2048, 4096, LARGEST], "image": "airflow:growing"},
        "image": {"image": "airflow:image"},
        "on-demand": {"launchType": "FARGATE", "max_run_task_attempts": 20, "image": "airflow:on-demand"},
    },
)
PROFILES = make_profiles(SETTINGS)
IMAGES = {
    "default": {"airflow:1"},
    "long": {"airflow:long"},
    "growing": {"airflow:growing"},
    "image": {"airflow:image"},
    "spot-a": {"airflow:1", "airflow:on-demand"},
    "spot-b": {"airflow:1", "airflow:on-demand"},
}
"""Which images may run the tasks of each queue."""


class Executor(BaseExecutor):
    """The base class does everything this test needs."""


class LateDatabase:
    """The database thread: it reads at a random time between the query and a later heartbeat."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.question: RowQuery | None = None
        self.answer: RowAnswer | None = None

    @property
    def is_busy(self) -> bool:
        return self.question is not None or self.answer is not None

    def ask(self, question: RowQuery) -> None:
        self.question = question
        if self.random.random() < 0.5:
            self.answer_now()

    def answer_now(self) -> None:
        if self.question is not None:
            self.answer, self.question = answer(self.question), None

    def take(self) -> RowAnswer | None:
        if self.question is not None and self.random.random() < 0.9:
            self.answer_now()
        answer, self.answer = self.answer, None
        return answer


def _raise_again(what: str, text: str) -> NoReturn:
    """Fail the test on what the reconciler would only log: an impossible transition is a bug in any world."""
    raise  # noqa: PLE0704  the exception that is being handled


class Scheduler:
    """One scheduler: its executor's reconciler and its engine, in one event loop."""

    def __init__(self, job_id: int, airflow: Airflow, random: Random) -> None:
        self.executor = Executor(parallelism=1000)
        self.executor.job_id = job_id
        self.airflow = airflow
        self.random = random
        self.inbox: SimpleQueue[tuple[Order, ...]] = SimpleQueue()
        self.reports: list[Report] = []
        self.start_engine()
        bucket = Bucket(str(SETTINGS.payload_bucket))
        self.reconciler = build_reconciler(
            self.executor,
            Configuration(SETTINGS, {}, PROFILES, bucket, 600, Heartbeats(), ()),
            token_generator(),
            LateDatabase(random),
            self.submit,
            clock=asyncio.get_running_loop().time,
            random=random.random,
        )
        self.reconciler.task_events.exception = _raise_again  # type: ignore[method-assign]

    @property
    def job_id(self) -> int:
        assert self.executor.job_id is not None
        return int(self.executor.job_id)

    def start_engine(self) -> None:
        self.engine = Engine(
            connect_by_environment,
            self.inbox,
            self.reports.append,
            SETTINGS.engine_options,
            random=self.random.random,
        )
        self.running = asyncio.get_running_loop().create_task(self.engine.run())

    def submit(self, orders: Iterable[Order]) -> None:
        self.inbox.put(tuple(orders))
        self.engine.inbox_wakeup.notify()

    async def kill(self) -> None:
        """Die: calls in flight never finish, and nobody learns of them."""
        self.running.cancel()
        with suppress(asyncio.CancelledError):
            await self.running

    async def restart_engine(self) -> None:
        """Kill only the engine and start another, as the engine supervisor does."""
        await self.kill()
        self.reports.clear()
        self.inbox = SimpleQueue()  # drops the dead engine's orders
        orders = list(self.reconciler.live_orders())
        self.start_engine()
        self.submit(orders)

    def adopt(self, living: Iterable[int]) -> None:
        runs = []
        for orphan in self.airflow.orphans(living):
            run = make_orphaned_run(self.executor, orphan, PROFILES)
            if run is None:
                self.airflow.reset(orphan)
            else:
                runs.append(run)
                self.airflow.adopt(orphan, self.job_id)
        self.reconciler.adopt(runs)

    def steps(self, locked: float) -> list[Callable[[], None]]:
        """The steps of one heartbeat of the scheduler."""
        return [
            self.queue,
            self.sync,
            self.purge,
            lambda: self.airflow.process_events(self.executor, locked),
            lambda: self.airflow.save_events(self.executor),
        ]

    def queue(self) -> None:
        for workload in self.airflow.queue(self.job_id):
            run = make_run(self.executor, workload)
            self.executor.running.add(run.key)
            assert self.reconciler.accept([run]) == []

    def purge(self) -> None:
        """Fail the tasks whose workers stopped sending heartbeats, as core does."""
        for row in self.airflow.without_heartbeats(self.job_id):
            self.executor.change_state(row.key, TaskInstanceState.FAILED)
            self.reconciler.ended_by_airflow(row.key)

    def sync(self) -> None:
        reports, self.reports[:] = list(self.reports), []
        for report in reports:
            if isinstance(report, RunReport):
                self.reconciler.note(report)
        self.reconciler.decide()


@dataclass
class World:
    """Airflow, ECS, and the schedulers between them."""

    random: Random
    conditions: Conditions
    schedulers: int
    deadly: float
    """Probability that a scheduler dies in a heartbeat."""
    blocked: float
    """Probability that a scheduler's loop hangs for so long that the others take it for dead."""
    locked: float
    """Probability that core drops an event because the row is locked."""
    users_interfere: bool
    """Users clear and mark tasks."""
    has_celery_tasks: bool
    """Some tasks were queued by CeleryExecutor, in a scheduler that has died."""

    def __post_init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.airflow = Airflow(self.random, QUEUES, self.loop.time)
        self.s3 = SimulatedS3(self)
        self.ecs = SimulatedEcs(self.random, self.conditions, self.launch, self.loop.time, self.s3.objects)
        self.unfetched = 0
        """Containers that couldn't find their workload in S3."""
        self.lives: set[asyncio.Task[None]] = set()
        self.jobs = CELERY_JOB
        self.kills = 0
        self.duplicates: list[str] = []
        self.too_small: list[str] = []
        """Containers with no more memory than an earlier try is known to have been killed at."""
        self.living: list[Scheduler] = []

    # --- containers ------------------------------------------------------------------------------------

    def launch(self, task: EcsTask) -> None:
        row = self.airflow.by_id(task.payload["ti"]["id"])
        assert row is None or task.image in IMAGES[row.queue], f"{row.queue} runs {task.image}"
        queueing = (row.name, row.try_number, row.queued) if row else None
        for other in self.ecs.tasks:
            if other is not task and other.alive and other.queueing == queueing and row:
                self.duplicates.append(f"{queueing}: {other.arn[-4:]} and {task.arn[-4:]}")
        task.queueing = queueing
        if row and task.memory is not None and task.memory <= row.killed_at and task.memory < LARGEST:
            self.too_small.append(f"{queueing}: {task.memory} MiB after {row.killed_at}")
        life = self.loop.create_task(self.live(task))
        self.lives.add(life)
        life.add_done_callback(self.lives.discard)

    async def live(self, task: EcsTask) -> None:
        """Act as a container: start, ask the API server whether the code may run, run it, and end somehow."""
        await self.pass_time(task, self.random.uniform(1, 40))
        if not task.stop_asked.is_set() and self.is_interrupted(task):
            self.end(task, None, "Your Spot Task was interrupted.")
        elif not task.stop_asked.is_set() and self.random.random() < self.conditions.start_failure:
            self.end(task, None, "CannotPullContainerError: i/o timeout")
        elif task.stop_asked.is_set():
            self.end(task, None, task.reason)
        elif task.url is not None and task.url not in self.s3.objects:
            self.unfetched += 1
            self.end(task, 69, "")
        else:
            task.status, task.ran = "RUNNING", True
            await self.work(task)

    async def work(self, task: EcsTask) -> None:
        ti_id = str(task.payload["ti"]["id"])
        await self.pass_time(task, self.random.uniform(0, 5))
        if task.stop_asked.is_set():
            self.end(task, 137, task.reason)
            return
        row = self.airflow.start_code(ti_id)
        if row is None:
            self.end(task, 1, "")
            return
        task.hidden = self.random.random() < self.conditions.hidden
        hangs = self.random.random() < 0.1  # it doesn't notice that Airflow has moved on
        until = self.loop.time() + self.random.uniform(0, 60)
        while self.loop.time() < until and not task.stop_asked.is_set():
            await self.pass_time(task, min(10.0, until - self.loop.time()))
            if not self.airflow.is_running(row, ti_id):
                await self.pass_time(task, 1000.0 if hangs else 5.0)
                self.end(task, 137 if task.stop_asked.is_set() else 0, "")
                return
        if task.memory is not None and task.memory < row.needs and not task.stop_asked.is_set():
            row.die()
            # Its process is killed, and with it Airflow's supervisor or not.
            self.end(task, self.random.choice((137, 0)), OUT_OF_MEMORY)
            return
        outcome = self.random.choices(("success", "dies", "deferred"), (6, 1, 2))[0]
        if self.is_interrupted(task) or outcome == "dies" or task.stop_asked.is_set():
            outcome = "dies"
            row.die()
        else:
            self.airflow.end_code(row, ti_id, outcome)
            await self.pass_time(task, self.random.uniform(0, 3))
        self.end(task, 137 if outcome == "dies" else 0, "")

    def is_interrupted(self, task: EcsTask) -> bool:
        """Return whether AWS reclaims the task's Spot capacity, at random."""
        if task.spot and self.random.random() < self.conditions.interrupted:
            task.stop_code = "SpotInterruption"
        return task.stop_code is not None

    async def pass_time(self, task: EcsTask, seconds: float) -> None:
        """Let time pass until the task is told to stop."""
        with anyio.move_on_after(seconds):
            await task.stop_asked.wait()

    def end(self, task: EcsTask, exit_code: int | None, reason: str) -> None:
        task.status, task.exit_code, task.stopped_at = "STOPPED", exit_code, self.loop.time()
        task.reason = task.reason or reason

    # --- another executor's workers ---------------------------------------------------------------------

    async def be_celery_worker(self, row: TaskRow) -> None:
        """Act as a Celery worker: take a task at once, or later, when it finds the message in its broker."""
        row.state, row.queued_by_job_id, row.external_executor_id = "queued", CELERY_JOB, str(uuid.uuid4())
        row.queued += 1
        ti_id = str(row.id)
        await asyncio.sleep(self.random.choice((0.0, self.random.uniform(0, 120))))
        if self.airflow.start_code(ti_id) is None:
            return
        until = self.loop.time() + self.random.uniform(0, 1200)
        while self.loop.time() < until:
            await asyncio.sleep(min(5.0, until - self.loop.time()))
            if not self.airflow.is_running(row, ti_id):
                return
        if self.random.random() < 0.2:
            row.die()
        else:
            self.airflow.end_code(row, ti_id, "success")

    # --- schedulers ------------------------------------------------------------------------------------

    def chance_of_a_lock(self) -> float:
        return self.locked if self.loop.time() < CALM_AFTER else 0.0

    def read_rows(self, reads: Iterable[Read]) -> dict[str, Row]:
        if self.random.random() < self.chance_of_a_lock() / 5:
            raise OperationalError("SELECT", None, Exception("the database went away"))
        return self.airflow.read_rows(reads)

    def read_setbacks(self, reads: Iterable[Read]) -> dict[str, tuple[Setback, ...]]:
        if self.random.random() < self.chance_of_a_lock() / 5:
            raise OperationalError("SELECT", None, Exception("the database went away"))
        return self.airflow.read_setbacks(reads)

    def write_external_ids(self, publications: Iterable[Publication]) -> frozenset[str]:
        return self.airflow.write_external_ids(publications, self.chance_of_a_lock())

    def start_scheduler(self) -> Scheduler:
        self.jobs += 1
        scheduler = Scheduler(self.jobs, self.airflow, self.random)
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
            await scheduler.kill()
            if not died:
                return
            self.kills += 1
            await asyncio.sleep(self.random.uniform(3, 60))

    async def run_scheduler(self, scheduler: Scheduler) -> bool:
        adopt_at = self.loop.time() + 60
        while not self.over:
            calm = self.loop.time() >= CALM_AFTER
            dies = not calm and self.random.random() < self.deadly
            steps = scheduler.steps(self.chance_of_a_lock())
            dies_at, hangs_at = (self.random.randrange(len(steps)) for _ in range(2))
            hangs = not calm and self.random.random() < self.blocked
            for number, step in enumerate(steps):
                if dies and number == dies_at:
                    return True
                if hangs and number == hangs_at:
                    await self.hang(scheduler)
                step()
            if not calm and self.random.random() < self.deadly:
                await scheduler.restart_engine()
            if self.loop.time() >= adopt_at:
                adopt_at += 60
                scheduler.adopt([each.job_id for each in self.living])
            await asyncio.sleep(self.random.choice((0.05, 1.0, 1.0, 3.0)))
        return False

    async def hang(self, scheduler: Scheduler) -> None:
        """Let its loop hang so that the others take it for dead, while its engine keeps running."""
        self.living.remove(scheduler)
        await asyncio.sleep(self.random.uniform(30, 150))
        self.living.append(scheduler)

    @property
    def over(self) -> bool:
        """Whether all rows are final, all containers have ended and no executor holds a run."""
        return (
            all(row.over for row in self.airflow.rows)
            and not any(task.alive for task in self.ecs.tasks)
            and not any(len(each.reconciler.runs) or each.executor.running for each in self.living)
        )

    async def be_user(self) -> None:
        """Clear or mark a task now and then, whatever it is doing."""
        while self.loop.time() < CALM_AFTER:
            await asyncio.sleep(self.random.uniform(5, 200))
            self.airflow.interfere()

    async def run(self) -> None:
        async def calm_down() -> None:
            await asyncio.sleep(CALM_AFTER)
            kept = {name: getattr(self.conditions, name) for name in ("faulty", "faulty_until", "room")}
            self.ecs.conditions = self.conditions = Conditions(latency=0.1, **kept)

        others = [self.loop.create_task(calm_down())]
        if self.has_celery_tasks:
            workers = [self.be_celery_worker(row) for row in self.airflow.rows[:2]]
            others += [self.loop.create_task(worker) for worker in workers]
            await asyncio.sleep(0)  # lets the workers' tasks be queued before our first scheduler starts
        if self.users_interfere:
            others.append(self.loop.create_task(self.be_user()))
        try:
            with anyio.move_on_after(TIME_LIMIT):
                async with anyio.create_task_group() as tasks:
                    for _ in range(self.schedulers):
                        tasks.start_soon(self.be_scheduler)
        finally:
            for other in [*others, *self.lives]:
                other.cancel()
            for scheduler in self.living:
                await scheduler.kill()


chances = st.sampled_from([0.0, 0.0, 0.05, 0.3])
conditions_of_aws = st.builds(
    Conditions,
    lost=chances,
    broken=chances,
    blocked=st.sampled_from([0.0, 0.0, 0.05]),
    throttled=chances,
    unreachable=chances,
    full=chances,
    room=st.sampled_from([inf, inf, 1.0, 3.0]),
    start_failure=chances,
    interrupted=chances,
    hidden=chances,
    lag=st.sampled_from([0.0, 3.0, 30.0]),
    latency=st.sampled_from([0.01, 0.3, 3.0]),
    faulty=st.sampled_from([0.0, 0.0, 0.3, 1.0]),
    faulty_until=st.sampled_from([SHORT_FAULT, CALM_AFTER, inf]),
    deployed=st.sampled_from([0.0, 0.0, 0.1]),
)


@pytest.mark.timeout(6 * settings().max_examples)  # a nightly run takes longer
@given(
    seed=st.integers(0, 2**32),
    conditions=conditions_of_aws,
    schedulers=st.sampled_from([1, 1, 2, 3]),
    deadly=st.sampled_from([0.0, 0.02, 0.1]),
    blocked=st.sampled_from([0.0, 0.0, 0.02, 0.1]),
    locked=st.sampled_from([0.0, 0.1, 0.5]),
    users_interfere=st.booleans(),
    has_celery_tasks=st.booleans(),
)
def test_each_queueing_has_one_container_and_each_task_ends_right_whatever_fails(
    seed: int,
    conditions: Conditions,
    schedulers: int,
    deadly: float,
    blocked: float,
    locked: float,
    users_interfere: bool,
    has_celery_tasks: bool,
) -> None:
    random = Random(seed)  # noqa: S311  a game of chance, not cryptography
    with closing(VirtualTimeLoop()) as loop, pytest.MonkeyPatch.context() as patch:

        async def simulate() -> World:
            world = World(
                random, conditions, schedulers, deadly, blocked, locked, users_interfere, has_celery_tasks
            )
            patch.setattr(engine_module, "EcsClient", lambda *_, **__: world.ecs)
            patch.setattr(engine_module, "S3Client", lambda *_, **__: world.s3)
            patch.setattr(thread, "read_rows", world.read_rows)
            patch.setattr(thread, "read_workloads", world.airflow.read_workloads)
            patch.setattr(thread, "read_setbacks", world.read_setbacks)
            patch.setattr(thread, "write_external_ids", world.write_external_ids)
            await world.run()
            return world

        world = loop.run_until_complete(simulate())
    note(f"{world.kills} kills, {len(world.ecs.tasks)} containers, {world.airflow.resets} resets")
    assert not world.duplicates
    assert not world.too_small
    assert all(count == 1 for count in world.airflow.code_runs.values()), world.airflow.code_runs
    if schedulers == 1 and not conditions.deployed:  # two may register the same at the same time
        families = [each.task_definition["family"] for each in world.ecs.definitions.registered]
        assert len(families) == len(set(families)) <= len(IMAGES)
    if conditions.faulty == 1 and conditions.faulty_until == inf:
        # No task succeeds, but the engine gives each run up, and Airflow moves to the next try or fails the task.
        assert all(row.over or row.try_number > 1 for row in world.airflow.rows)
        return
    # The engine gives up a run whose task it can't see, and that costs a try.
    is_given_up = conditions.faulty > 0 and conditions.faulty_until > SHORT_FAULT
    for row in world.airflow.rows:
        assert row.state == (row.marked or "success"), row
        lost = row.try_number - (1 + row.deaths + row.clears)
        assert lost == 0 or (lost > 0 and is_given_up), f"{row.name} lost {lost} tries"
    assert world.airflow.resets == 0
    assert not world.airflow.wrongly_failed
    assert world.over
    if not (deadly or blocked or is_given_up):
        assert not world.unfetched
        assert not world.s3.objects
