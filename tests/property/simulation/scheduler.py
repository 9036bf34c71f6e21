"""One simulated scheduler: its executor's reconciler, its engine and its threads of the database, in one event loop."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from queue import SimpleQueue
from random import Random
from typing import NoReturn

from airflow.executors.base_executor import BaseExecutor
from airflow.utils.state import TaskInstanceState
from sqlalchemy.exc import OperationalError

from ecs_async_executor.config.configuration import Configuration
from ecs_async_executor.engine.aws.client import connect_by_environment
from ecs_async_executor.engine.engine import Engine
from ecs_async_executor.executor.parts import build_reconciler
from ecs_async_executor.executor.row_claim import RowClaim
from ecs_async_executor.executor.rows import claims as claims_module
from ecs_async_executor.executor.rows.claims import AGAIN_AFTER
from ecs_async_executor.executor.rows.thread import RowAnswer, RowQuery, answer
from ecs_async_executor.executor.run_factory import make_orphaned_run, make_run
from ecs_async_executor.messages import Claimed, KeepStandbys, Order, Report, RunReport
from tests.property.simulation.airflow import Airflow
from tests.support.workloads import token_generator

LATEST_CLAIM = 90.0
"""Seconds that a database in trouble takes for a claim: longer than the engine waits for one."""
AFTERLIFE = 10.0
"""Seconds after a scheduler's death in which the database may still carry out what it was told."""
GRACE = 30.0
"""Seconds that an engine may take to close."""


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


class LateClaims:
    """The claims' thread: it writes rows after a while, again if the database has failed, and answers the engine."""

    def __init__(
        self,
        random: Random,
        submit: Callable[[Sequence[Claimed]], None],
        locked: Callable[[], float],
        step: Callable[[], None],
    ) -> None:
        """`locked` is the probability that the database is in trouble; `step` is called at each step."""
        self.random = random
        self.submit = submit
        self.locked = locked
        self.step = step
        self.asked: set[str] = set()
        """The ARNs of all standbys that were to be named."""
        self.open: list[RowClaim] = []
        self.come = asyncio.Event()
        self.running = asyncio.get_running_loop().create_task(self.serve())

    def ask(self, claim: RowClaim) -> None:
        self.open.append(claim)
        self.asked.add(str(claim.arn))
        self.step()
        self.come.set()

    async def serve(self) -> None:
        while True:
            await self.come.wait()
            self.come.clear()
            while self.open:
                late = self.random.random() < self.locked()
                await asyncio.sleep(self.random.uniform(0, LATEST_CLAIM if late else 0.2))
                claims = list(self.open)
                try:
                    answers = claims_module.answer(claims)
                except OperationalError:
                    await asyncio.sleep(AGAIN_AFTER)
                    continue
                self.open = [each for each in self.open if each not in claims]
                self.step()
                await asyncio.sleep(self.random.uniform(0, 0.1))
                self.submit(answers)
                self.step()

    async def kill(self) -> None:
        """Die: the database may carry out the last claims, but nobody hears of it."""
        self.running.cancel()
        with suppress(asyncio.CancelledError):
            await self.running
        if self.open and self.random.random() < 0.5:
            delay = self.random.uniform(0, AFTERLIFE)
            asyncio.get_running_loop().call_later(delay, self._write, list(self.open))

    @staticmethod
    def _write(claims: Sequence[RowClaim]) -> None:
        with suppress(OperationalError):
            claims_module.answer(claims)


def _raise_again(what: str, text: str) -> NoReturn:
    """Fail the test on what the reconciler would only log: an impossible transition is a bug in any world."""
    raise  # noqa: PLE0704  the exception that is being handled


class Scheduler:
    """One scheduler."""

    def __init__(
        self,
        job_id: int,
        airflow: Airflow,
        configuration: Configuration,
        random: Random,
        locked: Callable[[], float],
        step: Callable[[], None],
    ) -> None:
        self.executor = Executor(parallelism=1000)
        self.executor.job_id = job_id
        self.airflow = airflow
        self.configuration = configuration
        self.random = random
        self.reports: list[Report] = []
        self.accidents: asyncio.Queue[object] = asyncio.Queue()
        self.adopts_at = asyncio.get_running_loop().time() + 60
        """When it looks for orphans next."""
        self.claims = LateClaims(random, self.submit, locked, step)
        self.start_engine()
        self.reconciler = build_reconciler(
            self.executor,
            configuration,
            token_generator(),
            LateDatabase(random),
            self.submit,
            ask=self.claims.ask if configuration.standby_pools else None,
            clock=asyncio.get_running_loop().time,
            random=random.random,
        )
        self.reconciler.task_events.exception = _raise_again  # type: ignore[method-assign]

    @property
    def job_id(self) -> int:
        assert self.executor.job_id is not None
        return int(self.executor.job_id)

    def befall(self, accident: object) -> None:
        """Let something happen to it."""
        self.accidents.put_nowait(accident)

    async def accident(self) -> object:
        """Wait until something happens to it."""
        return await self.accidents.get()

    def start_engine(self) -> None:
        self.inbox: SimpleQueue[tuple[Order, ...]] = SimpleQueue()
        self.engine = Engine(
            connect_by_environment,
            self.inbox,
            self.reports.append,
            self.configuration.settings.engine_options,
            random=self.random.random,
            random_id=self.random_id,
        )
        self.running = asyncio.get_running_loop().create_task(self.engine.run())
        if self.configuration.standby_pools:
            self.submit([KeepStandbys(self.configuration.standby_pools)])

    def random_id(self) -> uuid.UUID:
        return uuid.UUID(int=self.random.getrandbits(128), version=4)

    def submit(self, orders: Iterable[Order]) -> None:
        self.inbox.put(tuple(orders))
        self.engine.inbox_wakeup.notify()

    async def kill(self) -> None:
        """Die: calls in flight never finish, and nobody learns of them."""
        await self.claims.kill()
        await self._kill_engine()

    async def _kill_engine(self) -> None:
        self.running.cancel()
        with suppress(asyncio.CancelledError):
            await self.running

    async def close(self) -> None:
        """Exit as a scheduler does that is told to."""
        self.engine.close(GRACE)
        await self.running
        await self.kill()

    async def restart_engine(self) -> None:
        """Kill only the engine and start another, as the engine supervisor does."""
        await self._kill_engine()
        self.reports.clear()
        orders = list(self.reconciler.live_orders())
        self.start_engine()  # whose inbox is new: the dead engine's orders are lost
        self.submit(orders)

    def adopt(self, living: Iterable[int]) -> None:
        runs = []
        for orphan in self.airflow.orphans(living):
            run = make_orphaned_run(self.executor, orphan, self.configuration.profiles)
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

    def unavailable(self) -> Iterator[str]:
        """Yield the ARNs of the standbys that its engine gives to a run, or stops."""
        for each in self.engine.ledger.standbys:
            if each.stage.name in {"ASSIGNED", "LEAVING"}:
                yield each.arn
