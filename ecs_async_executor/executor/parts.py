"""The parts of a started executor, and how they are put together."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import chain
from random import random as system_random
from typing import TYPE_CHECKING

from airflow.executors.base_executor import BaseExecutor

from ecs_async_executor.backoff import Random
from ecs_async_executor.config.configuration import Configuration
from ecs_async_executor.config.settings import Settings
from ecs_async_executor.engine.aws.client import Connect
from ecs_async_executor.executor.dispatcher import Dispatcher, Submit
from ecs_async_executor.executor.engine_supervisor import EngineSupervisor
from ecs_async_executor.executor.last_lines import LastLines
from ecs_async_executor.executor.metrics.monitor import Monitor
from ecs_async_executor.executor.order_factory import OrderFactory
from ecs_async_executor.executor.reconciler import Reconciler
from ecs_async_executor.executor.retry_policy import RetryPolicy
from ecs_async_executor.executor.row_claim import Ask
from ecs_async_executor.executor.rows.claims import ClaimThread
from ecs_async_executor.executor.rows.thread import RowDatabase, RowThread
from ecs_async_executor.executor.status.keeper import StatusKeeper
from ecs_async_executor.executor.status.thread import StatusThread
from ecs_async_executor.executor.task_facts import DagOwners
from ecs_async_executor.logs.aws import HookAws
from ecs_async_executor.logs.problems import SCHEDULER
from ecs_async_executor.logs.reader import Reader
from ecs_async_executor.messages import KeepStandbys, Order
from ecs_async_executor.task_cost import Prices

if TYPE_CHECKING:
    from airflow.api_fastapi.auth.tokens import JWTGenerator


LAST_LINES_DEADLINE = 30.0
"""Seconds that reading one dead container's lines may take: nobody waits for it."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What exists from `start()` to `end()`."""

    configuration: Configuration
    reconciler: Reconciler
    engine: EngineSupervisor
    database: RowThread
    status: StatusKeeper
    status_thread: StatusThread
    monitor: Monitor
    owners: DagOwners
    claims: ClaimThread


def build(executor: BaseExecutor, configuration: Configuration, connect: Connect) -> Parts:
    """Put the parts together; nothing is started."""
    monitor = Monitor(team=executor.team_name)
    owners = DagOwners()
    pools = configuration.standby_pools

    def submit(orders: Iterable[Order]) -> None:
        engine.submit(orders)  # which exists once orders are given

    def answer(orders: Iterable[Order]) -> None:
        engine.answer(orders)

    claims = ClaimThread(answer)
    database = RowThread(measurements=monitor.scheduler, owners=owners)
    reconciler = build_reconciler(
        executor,
        configuration,
        executor.jwt_generator,
        database,
        submit,
        ask=claims.ask if pools else None,
        last_lines=LastLines(_reader(configuration.settings)),
        monitor=monitor,
        owners=owners,
    )
    engine = EngineSupervisor(
        connect,
        configuration.settings.engine_options,
        lambda: chain((KeepStandbys(pools),) if pools else (), reconciler.live_orders()),
        measurements=monitor.scheduler,
        engine_measurements=monitor.engine,
    )
    status_thread = StatusThread()
    prices = Prices.of(configuration.settings.task_prices)
    status = StatusKeeper(executor, reconciler.runs, status_thread.publish, prices=prices)
    return Parts(configuration, reconciler, engine, database, status, status_thread, monitor, owners, claims)


def build_reconciler(  # noqa: PLR0913  what differs between a scheduler and a test
    executor: BaseExecutor,
    configuration: Configuration,
    generator: JWTGenerator,
    database: RowDatabase,
    submit: Submit,
    *,
    last_lines: LastLines | None = None,
    monitor: Monitor | None = None,
    owners: DagOwners | None = None,
    ask: Ask | None = None,
    clock: Callable[[], float] = time.monotonic,
    random: Random = system_random,
) -> Reconciler:
    """Put the part together that needs neither a thread nor AWS."""
    settings = configuration.settings
    order_factory = OrderFactory(
        configuration.profiles,
        generator,
        queued_timeout=configuration.queued_timeout,
        bucket=configuration.bucket,
        found=configuration.found,
        traced=monitor is not None and monitor.traced,
        team=executor.team_name,
        owners=owners,
        ask=ask,
        job_id=lambda: executor.job_id,
    )
    return Reconciler(
        executor,
        Dispatcher(order_factory, submit),
        RetryPolicy(configuration.profiles, random),
        database,
        configuration.heartbeats,
        last_lines=last_lines or LastLines(None),
        clock=clock,
        measurements=monitor.scheduler if monitor is not None else None,
        prices=Prices.of(settings.task_prices) if settings.log_cost else None,
    )


def _reader(settings: Settings) -> Reader | None:
    """Return the reader of dead containers' last lines; None if the option turns it off."""
    if settings.last_log_lines == 0:
        return None
    return Reader(
        HookAws(settings.conn_id),
        container=settings.container_name,
        lines=settings.last_log_lines,
        deadline=LAST_LINES_DEADLINE,
        retry_deadline=LAST_LINES_DEADLINE,
        asker=SCHEDULER,
    )
