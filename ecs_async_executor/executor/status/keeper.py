"""Collects what one scheduler publishes about itself, and publishes it now and then.

Runs in the scheduler's thread, and costs the same whatever the number of runs: it counts none of them. What
it could say about single tasks, API servers read from Airflow's own rows.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sized
from importlib.metadata import version

from airflow.executors.base_executor import BaseExecutor
from typing_extensions import assert_never

from ecs_async_executor.executor import airflow_compat
from ecs_async_executor.messages import EngineStatus, Paused, PoolStatus, Resumed
from ecs_async_executor.scheduler_status import INTERVAL, SchedulerStatus
from ecs_async_executor.task_cost import Prices

ENGINE_SILENT_AFTER = 30.0
"""Seconds without an `EngineStatus` after which the engine counts as silent: it reports every five."""


class StatusKeeper:
    """One executor's status."""

    def __init__(  # noqa: PLR0913  what differs between a scheduler and a test
        self,
        executor: BaseExecutor,
        runs: Sized,
        publish: Callable[[SchedulerStatus], None],
        *,
        prices: Prices | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._prices = prices or Prices()
        self._executor = executor
        self._runs = runs
        self._publish = publish
        self._clock = clock
        self._wall_clock = wall_clock
        self._next_at = float("-inf")
        self._version = version("ecs-async-executor")
        self._engine: EngineStatus | None = None
        self._engine_at = float("-inf")
        self._paused: Paused | None = None
        self._paused_since: float | None = None

    def note(self, report: EngineStatus | Paused | Resumed) -> None:
        """Take in a report of the engine that is not about one run."""
        match report:
            case EngineStatus():
                self._engine, self._engine_at = report, self._clock()
            case Paused():
                self._paused, self._paused_since = report, self._wall_clock()
            case Resumed():
                self._paused = self._paused_since = None
            case _:
                assert_never(report)

    def engine_died(self) -> None:
        """Forget what the dead engine has reported: its successor starts anew."""
        self._engine = self._paused = self._paused_since = None

    def summary(self) -> str:
        """Return the slots, and why AWS can't be used or the engine can't be heard, in a line: for the debug dump."""
        executor, silent_for = self._executor, self._clock() - self._engine_at
        slots = f"{len(executor.running):,} of {executor.parallelism:,} slots are in use"
        parts = [f"{slots}; {airflow_compat.count_queued(executor):,} queued tasks wait for one."]
        if self._paused is not None and self._paused_since is not None:
            since = self._wall_clock() - self._paused_since
            parts.append(f"AWS can't be used for {since:.0f} s now: {self._paused.diagnosis}")
        if self._engine is None:
            parts.append("The engine hasn't reported yet.")
        elif silent_for >= ENGINE_SILENT_AFTER:
            parts.append(f"The engine has been silent for {silent_for:.0f} s.")
        else:
            parts += map(_describe, self._engine.standbys)
        return " ".join(parts)

    def tick(self) -> None:
        """Publish the status if it is time; call it at each heartbeat."""
        now = self._clock()
        if now < self._next_at:
            return
        self._next_at = now + INTERVAL
        job_id = self._executor.job_id
        if job_id is None:  # `dag.test()`: no scheduler
            return
        self._publish(self._make(int(job_id), now))

    def _make(self, job_id: int, now: float) -> SchedulerStatus:
        executor = self._executor
        engine = self._engine if now - self._engine_at < ENGINE_SILENT_AFTER else None
        return SchedulerStatus(
            job_id=job_id,
            at=self._wall_clock(),
            version=self._version,
            runs=len(self._runs),
            slots=len(executor.running),
            parallelism=executor.parallelism,
            waiting_for_slot=airflow_compat.count_queued(executor),
            engine=engine,
            paused=str(self._paused.diagnosis) if self._paused is not None else None,
            paused_since=self._paused_since,
            team=executor.team_name,
            standby_prices=dict(self._standby_prices(engine.standbys if engine is not None else ())),
        )

    def _standby_prices(self, pools: Iterable[PoolStatus]) -> Iterator[tuple[str, float]]:
        for pool in pools:
            if pool.idle is not None and (price := self._prices.price(pool.idle, pool.region)) is not None:
                yield pool.pool, pool.idle.vcpus * price[0] + pool.idle.gb * price[1]


def _describe(pool: PoolStatus) -> str:
    """Describe a pool of standbys, in a sentence or two."""
    oldest = "" if pool.oldest is None else f", the oldest for {pool.oldest:.0f} s"
    why = ", ".join(f"{count:,} because {reason}" for reason, count in pool.reasons)
    off = f" {pool.off}" if pool.off else ""
    return (
        f"Standbys of {pool.pool}: {pool.ready} ready{oldest}, {pool.starting} starting, of {pool.wanted}; "
        f"{pool.warm:,} tasks started warm, {pool.cold:,} cold{f' ({why})' if why else ''}.{off}"
    )
