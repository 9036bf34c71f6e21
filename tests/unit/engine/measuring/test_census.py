from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import anyio
import pytest

from ecs_async_executor.engine.admission.calls import Calls
from ecs_async_executor.engine.diagnosis.call_failures import Kind
from ecs_async_executor.engine.measuring.census import (
    PAUSE,
    RATE_LIMIT_REACHED,
    SEARCH,
    THROTTLE,
    UPLOAD,
    Census,
    phase_of,
    shared_reason,
    take_stock,
)
from ecs_async_executor.engine.options import EngineOptions, Rate
from ecs_async_executor.engine.state.entry import Entry, LaunchRecord, Phase, State, TaskRecord
from ecs_async_executor.engine.state.ledger import Ledger
from ecs_async_executor.messages import Room
from ecs_async_executor.metrics import OLDEST_WAIT, PAUSED, RATE, RATE_LIMIT, TASKS, WAITING
from tests.support.engine import options, order

MakeCalls: TypeAlias = Callable[[EngineOptions], Calls]


def entry(state: State, phase: Phase = Phase.STARTING, *, kind: Kind | None = None, ordered_at: float = 0.0):
    launch = LaunchRecord(ordered_at=ordered_at, last_waiting_kind=kind)
    return Entry("run", "run", 1, state, queue="default", launch=launch, task=TaskRecord(phase=phase))


@pytest.mark.parametrize(
    ("state", "phase", "expected"),
    [
        (State.WAITING, Phase.STARTING, "waiting"),
        (State.PREPARING, Phase.STARTING, "waiting"),
        (State.UPLOAD_WAITING, Phase.STARTING, "waiting"),
        (State.UPLOADING, Phase.STARTING, "waiting"),
        (State.SENDING, Phase.STARTING, "launching"),
        (State.ASSIGNED, Phase.STARTING, "launching"),
        (State.HANDING_OVER, Phase.STARTING, "launching"),
        (State.WATCHING, Phase.STARTING, "starting"),
        (State.WATCHING, Phase.RUNNING, "running"),
        (State.WATCHING, Phase.ENDING, "ending"),
        (State.ENDED, Phase.ENDING, None),
    ],
)
def test_each_state_is_a_phase_of_the_fleet_page(state: State, phase: Phase, expected: str | None):
    assert phase_of(entry(state, phase)) == expected


@pytest.mark.parametrize(
    ("state", "kind", "reason"),
    [
        (State.WAITING, None, "all wait for this"),
        (State.WAITING, Kind.UNKNOWN, "unknown outcome"),
        (State.PREPARING, None, SEARCH),
        (State.UPLOAD_WAITING, None, UPLOAD),
        (State.UPLOADING, None, UPLOAD),
        (State.UPLOAD_WAITING, Kind.PAYLOAD, "payload"),
    ],
)
def test_a_run_waits_for_its_own_reason_or_for_the_one_all_share(
    state: State, kind: Kind | None, reason: str
):
    census = Census("all wait for this", lambda _: False)
    census.add(entry(state, kind=kind))
    assert census.waiting == {reason: 1}


def test_a_run_whose_room_is_shut_waits_for_capacity():
    census = Census("all wait for this", lambda room: room.cluster == "full")
    for cluster in ("full", "empty"):
        waiting = entry(State.WAITING)
        waiting.room = Room(cluster)
        census.add(waiting)
    assert census.waiting == {"capacity": 1, "all wait for this": 1}


@pytest.mark.parametrize(
    ("paused", "rate", "limit", "reason"),
    [
        (True, 10.0, 10.0, PAUSE),
        (False, 4.0, 10.0, THROTTLE),
        (False, 10.0, 10.0, RATE_LIMIT_REACHED),
        (False, 4.0, None, THROTTLE),
        (False, None, None, RATE_LIMIT_REACHED),
    ],
)
def test_all_launches_share_one_reason(paused: bool, rate: float | None, limit: float | None, reason: str):
    assert shared_reason(paused=paused, rate=rate, limit=limit) == reason


def test_the_oldest_wait_is_that_of_the_launch_ordered_first_whatever_runs():
    census = Census("", lambda _: False)
    for state, at in ((State.WATCHING, 1.0), (State.WAITING, 7.0), (State.WAITING, 5.0), (State.ENDED, 2.0)):
        census.add(entry(state, ordered_at=at))
    assert census.oldest == 5.0


@pytest.mark.virtual_time
async def test_an_engine_s_gauges_are_what_its_ledger_holds(make_calls: MakeCalls):
    chosen = options(run_task_rate=Rate(10, 50), modify_rate=Rate(20, 100))
    ledger, calls = Ledger(chosen, lambda: 1.0), make_calls(chosen)
    begun = anyio.current_time()
    for number in range(1200):
        ledger.launch(order(str(number), queue="spot" if number % 3 else "default"), begun)
    ledger.take(begun)
    await anyio.sleep(5)
    gauges = await take_stock(ledger, calls)
    assert gauges == {
        (TASKS, ("waiting", "default")): 399,
        (TASKS, ("waiting", "spot")): 800,
        (TASKS, ("launching", "default")): 1,
        (WAITING, (RATE_LIMIT_REACHED,)): 1199,
        (OLDEST_WAIT, ()): 5.0,
        (PAUSED, ()): 0.0,
        (RATE, ()): 10.0,
        (RATE_LIMIT, ()): 10.0,
    }


async def test_without_work_nothing_waits_and_a_limit_that_is_not_there_is_0_as_in_the_option(
    make_calls: MakeCalls,
):
    gauges = await take_stock(Ledger(options(), lambda: 1.0), make_calls(options()))
    assert gauges == dict.fromkeys([(OLDEST_WAIT, ()), (PAUSED, ()), (RATE, ()), (RATE_LIMIT, ())], 0.0)
