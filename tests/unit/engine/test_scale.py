"""Thousands of tasks in the engine, at AWS's default rates and in virtual time: counts lags and calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from queue import SimpleQueue
from random import Random
from statistics import quantiles
from typing import Any

import anyio
import pytest

from ecs_async_executor.engine import engine as module
from ecs_async_executor.engine.aws.client import connect_by_environment
from ecs_async_executor.engine.engine import Engine
from ecs_async_executor.engine.options import EngineOptions
from ecs_async_executor.engine.responses import Container, Task, Tasks
from ecs_async_executor.messages import Order, Report, Stopped, Watch
from tests.support.engine import order, started

pytestmark = pytest.mark.virtual_time

READS = 20.0
"""AWS's rate of DescribeTasks and ListTasks."""


class Fleet:
    """Replaces `EcsClient`: each task takes 5 seconds to start, runs for its duration, then stops at once."""

    def __init__(self, duration: float) -> None:
        self.duration = duration
        self.stops_at: dict[str, float] = {}
        self.polls: list[tuple[float, int]] = []
        self._random = Random(7)  # noqa: S311  no secret

    async def aclose(self) -> None:
        """Nothing is open."""

    async def run_task(self, body: Mapping[str, Any]) -> Tasks:
        await self._latency()
        arn = f"arn:{body['clientToken']}"
        self.stops_at[arn] = anyio.current_time() + 5 + self.duration
        return started(arn)

    async def describe_tasks(self, _: str, arns: Sequence[str]) -> Tasks:
        self.polls.append((anyio.current_time(), len(arns)))
        await self._latency()
        return Tasks(tasks=tuple(self._describe(arn) for arn in arns))

    def _describe(self, arn: str) -> Task:
        left = self.stops_at[arn] - anyio.current_time()
        if left <= 0:
            return Task(
                task_arn=arn, last_status="STOPPED", containers=(Container(name="airflow", exit_code=0),)
            )
        return Task(task_arn=arn, last_status="RUNNING" if left <= self.duration else "PENDING")

    async def _latency(self) -> None:
        await anyio.sleep(self._random.uniform(0.02, 0.2))


class Trial:
    """An engine that runs a fleet; records how late each end was reported."""

    def __init__(self, fleet: Fleet, monkeypatch: pytest.MonkeyPatch, **options: Any) -> None:
        monkeypatch.setattr(module, "EcsClient", lambda *_, **__: fleet)
        self.fleet = fleet
        self.lags: list[float] = []
        self.inbox: SimpleQueue[tuple[Order, ...]] = SimpleQueue()
        self.engine = Engine(connect_by_environment, self.inbox, self._report, EngineOptions(**options))

    def _report(self, report: Report) -> None:
        if isinstance(report, Stopped):
            self.lags.append(anyio.current_time() - self.fleet.stops_at[report.arn])

    async def run(self, *orders: Order, seconds: float) -> None:
        self.inbox.put(orders)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.engine.run)
            self.engine.inbox_wakeup.notify()
            await anyio.sleep(seconds)
            self.engine.close(0)

    def lag(self, percent: int) -> float:
        return quantiles(self.lags, n=100)[percent - 1]

    def calls(self, begin: float, end: float) -> list[int]:
        """Return how many tasks each call in this period polled."""
        return [size for at, size in self.fleet.polls if begin <= at < end]


def watch_all(fleet: Fleet, count: int, ends: tuple[float, float]) -> list[Order]:
    """Make orders to watch tasks that run already and end at random times in between."""
    random = Random(3)  # noqa: S311  no secret
    for number in range(count):
        fleet.stops_at[f"arn:{number}"] = random.uniform(*ends)
    return [Watch(str(number), "label", f"arn:{number}", "default", "airflow") for number in range(count)]


async def test_short_tasks_ends_are_seen_within_seconds_using_a_third_of_the_reads(
    monkeypatch: pytest.MonkeyPatch,
):
    trial = Trial(Fleet(30), monkeypatch)
    await trial.run(*(order(str(number)) for number in range(3000)), seconds=210)
    assert len(trial.lags) == 3000
    assert trial.lag(50) <= 3
    assert trial.lag(99) <= 10
    steady = trial.calls(60, 140)
    assert len(steady) / 80 <= READS / 3
    assert sum(size == 100 for size in steady) >= 0.98 * len(steady), "calls are full hundreds"


@pytest.mark.parametrize("count", [10_000, 20_000])
async def test_the_watcher_takes_at_most_half_of_the_reads_and_polls_every_task_in_turn(
    monkeypatch: pytest.MonkeyPatch, count: int
):
    fleet = Fleet(3600)
    trial = Trial(fleet, monkeypatch)
    await trial.run(*watch_all(fleet, count, (60, 160)), seconds=100)
    assert len(trial.calls(30, 90)) / 60 <= READS / 2 + 0.1
    assert max(trial.lags) <= count / 1000 + 2


async def test_thousands_of_old_tasks_take_half_of_the_watchers_share_and_leave_the_rest_to_young_ones(
    monkeypatch: pytest.MonkeyPatch,
):
    fleet = Fleet(3600)
    trial = Trial(fleet, monkeypatch)
    await trial.run(*watch_all(fleet, 10_000, (300, 600)), seconds=400)
    assert len(trial.calls(300, 400)) / 100 <= READS / 4 + 0.1
    assert trial.lag(99) <= 21


async def test_a_hundred_long_runs_cost_one_call_every_ten_seconds(monkeypatch: pytest.MonkeyPatch):
    fleet = Fleet(3600)
    trial = Trial(fleet, monkeypatch)
    await trial.run(*watch_all(fleet, 100, (1000, 2000)), seconds=900)
    assert len(trial.calls(300, 900)) <= 600 / 10 * 1.1
