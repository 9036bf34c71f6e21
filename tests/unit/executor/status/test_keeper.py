"""What a scheduler tells about itself, and when."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from airflow.executors.base_executor import BaseExecutor
from airflow.models.taskinstancekey import TaskInstanceKey

from ecs_async_executor.executor.status.keeper import ENGINE_SILENT_AFTER, StatusKeeper
from ecs_async_executor.messages import Diagnosis, EngineStatus, Paused, PoolStatus, Resumed, Usage
from ecs_async_executor.scheduler_status import INTERVAL, SchedulerStatus, decode, encode
from ecs_async_executor.task_cost import Prices
from tests.support.reconciler import Clock

ENGINE = EngineStatus(waiting=4, sending=2, watched=9, rate=6.4, limit=10.0, launches=300, throttles=7)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def executor() -> BaseExecutor:
    executor = BaseExecutor(parallelism=32)
    executor.job_id = 7
    return executor


@pytest.fixture
def published() -> list[SchedulerStatus]:
    return []


@pytest.fixture
def keeper(executor: BaseExecutor, clock: Clock, published: list[SchedulerStatus]) -> StatusKeeper:
    return StatusKeeper(
        executor, [1, 2, 3], published.append, clock=clock, wall_clock=lambda: 1000 + clock.now
    )


def last(keeper: StatusKeeper, clock: Clock, published: list[SchedulerStatus]) -> SchedulerStatus:
    clock.now += INTERVAL
    keeper.tick()
    return published[-1]


def test_a_status_is_published_at_once_and_then_at_intervals(
    keeper: StatusKeeper, clock: Clock, published: list[SchedulerStatus]
):
    for clock.now in (0.0, 1.0, INTERVAL - 0.1, INTERVAL, INTERVAL + 1):
        keeper.tick()
    assert [status.at for status in published] == [1000.0, 1000.0 + INTERVAL]


def test_it_tells_what_the_executor_has_in_hand(
    keeper: StatusKeeper, executor: BaseExecutor, clock: Clock, published: list[SchedulerStatus]
):
    keys = [TaskInstanceKey("dag", "task", "run", try_number=1, map_index=index) for index in range(3)]
    executor.running = set(keys[:2])
    workload: Any = None
    executor.queued_tasks = dict.fromkeys(keys[2:], workload)
    status = last(keeper, clock, published)
    assert (status.job_id, status.runs, status.slots, status.parallelism) == (7, 3, 2, 32)
    assert status.waiting_for_slot == 1


def test_without_a_scheduler_there_is_no_status(
    keeper: StatusKeeper, executor: BaseExecutor, published: list[SchedulerStatus]
):
    executor.job_id = None
    keeper.tick()
    assert published == []


def test_what_the_engine_reports_is_passed_on_until_it_is_silent(
    keeper: StatusKeeper, clock: Clock, published: list[SchedulerStatus]
):
    assert last(keeper, clock, published).engine is None
    keeper.note(ENGINE)
    assert last(keeper, clock, published).engine == ENGINE
    clock.now += ENGINE_SILENT_AFTER
    assert last(keeper, clock, published).engine is None


def test_a_pause_is_reported_with_its_reason_until_it_is_over(
    keeper: StatusKeeper, clock: Clock, published: list[SchedulerStatus]
):
    keeper.note(Paused(Diagnosis("Credentials expired.", "ExpiredToken", "Renew them.")))
    paused = last(keeper, clock, published)
    assert paused.paused == "Credentials expired. Renew them. (ExpiredToken)"
    assert paused.paused_since == 1000.0
    keeper.note(Resumed())
    assert last(keeper, clock, published).paused is None


def test_what_a_dead_engine_reported_is_forgotten(
    keeper: StatusKeeper, clock: Clock, published: list[SchedulerStatus]
):
    keeper.note(ENGINE)
    keeper.note(Paused(Diagnosis("No.")))
    keeper.engine_died()
    status = last(keeper, clock, published)
    assert (status.engine, status.paused, status.paused_since) == (None, None, None)


IDLE = Usage(0.25, 0.5, 7200.0, "FARGATE")
POOL = PoolStatus(
    "small", 3, 1, 2, 90.4, 1200, 4, reasons=(("no standby was free", 4),), idle=IDLE, region="us-east-1"
)


@pytest.mark.parametrize(
    ("pool", "prices", "expected"),
    [
        (POOL, Prices(), {"small": 0.0123425}),
        (replace(POOL, region="eu-central-1"), Prices(), {}),
        (replace(POOL, region="eu-central-1"), Prices({"FARGATE": (0.05, 0.005)}), {"small": 0.015}),
        (replace(POOL, idle=None), Prices(), {}),
    ],
)
def test_an_hour_of_a_standby_has_the_price_that_its_size_has_where_it_runs(
    pool: PoolStatus,
    prices: Prices,
    expected: dict[str, float],
    executor: BaseExecutor,
    clock: Clock,
    published: list[SchedulerStatus],
):
    keeper = StatusKeeper(executor, [], published.append, prices=prices, clock=clock)
    keeper.note(replace(ENGINE, standbys=(pool,)))
    assert last(keeper, clock, published).standby_prices == pytest.approx(expected)


def test_the_dump_tells_each_pool_of_standbys_and_why_tasks_started_cold(keeper: StatusKeeper):
    keeper.note(ENGINE)
    without = keeper.summary()
    keeper.note(replace(ENGINE, standbys=(POOL, PoolStatus("spot", 1, 0, 0, None, 0, 0, "Access denied."))))
    assert keeper.summary() == (
        f"{without} Standbys of small: 2 ready, the oldest for 90 s, 1 starting, of 3; 1,200 tasks started warm, 4 cold "
        "(4 because no standby was free). Standbys of spot: 0 ready, 0 starting, of 1; 0 tasks started warm, 0 cold. "
        "Access denied."
    )


def test_a_status_survives_its_row():
    status = SchedulerStatus(7, 1.5, "1", 3, 2, 32, 0, ENGINE, "paused", 1.0, "red")
    assert decode(encode(status)) == status
    assert decode(encode(replace(status, engine=None))) == replace(status, engine=None)
    with_standbys = replace(status, engine=replace(ENGINE, standbys=(POOL,)), standby_prices={"small": 0.01})
    assert decode(encode(with_standbys)) == with_standbys


@pytest.mark.parametrize("text", [None, "", "text", "{}", "[]", '{"job_id": "seven"}', "{" * 1000])
def test_what_is_no_status_is_ignored(text: str | None):
    assert decode(text) is None


def test_the_dump_tells_slots_a_pause_with_its_reason_and_a_silent_engine(
    keeper: StatusKeeper, executor: BaseExecutor, clock: Clock
):
    executor.running = {TaskInstanceKey("d", "t", "r", number) for number in range(3)}
    slots = "3 of 32 slots are in use; 0 queued tasks wait for one."
    assert keeper.summary() == f"{slots} The engine hasn't reported yet."
    keeper.note(ENGINE)
    assert keeper.summary() == slots
    keeper.note(Paused(Diagnosis("No credentials.", remedy="Renew them.")))
    clock.now += 12
    assert keeper.summary() == f"{slots} AWS can't be used for 12 s now: No credentials. Renew them."
    keeper.note(Resumed())
    clock.now += ENGINE_SILENT_AFTER
    assert keeper.summary() == f"{slots} The engine has been silent for {ENGINE_SILENT_AFTER + 12:.0f} s."
    keeper.engine_died()
    assert keeper.summary() == f"{slots} The engine hasn't reported yet."
