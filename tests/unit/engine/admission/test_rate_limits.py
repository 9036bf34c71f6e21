from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

import anyio
import pytest
from anyio.abc import TaskGroup

from ecs_async_executor.engine.admission.adaptive_bucket import AdaptiveBucket
from ecs_async_executor.engine.admission.rate_limits import Action, RateLimits
from ecs_async_executor.engine.options import EngineOptions, Rate

pytestmark = pytest.mark.virtual_time

UNLIMITED = Rate(0, 0)
RUN, STOP, DESCRIBE, LIST = Action.RUN_TASK, Action.STOP_TASK, Action.DESCRIBE_TASKS, Action.LIST_TASKS


class Callers:
    """Makes callers wait for the rate limits; records which of them got through, in order."""

    def __init__(
        self,
        tasks: TaskGroup,
        *,
        run_task: Rate = UNLIMITED,
        modify: Rate = UNLIMITED,
        read: Rate = UNLIMITED,
    ) -> None:
        options = EngineOptions(run_task_rate=run_task, modify_rate=modify, read_rate=read)
        self.rate_limits = RateLimits(options, anyio.current_time())
        self.passed: list[tuple[float, str]] = []
        self._tasks = tasks

    def call(self, action: Action, names: Sequence[str]) -> None:
        for name in names:
            self._tasks.start_soon(self._call, action, name)

    async def _call(self, action: Action, name: str) -> None:
        await self.rate_limits.acquire(action)
        self.passed.append((anyio.current_time(), name))

    @property
    def names(self) -> list[str]:
        return [name for _, name in self.passed]


def many(kind: str, count: int) -> list[str]:
    return [f"{kind} {number}" for number in range(count)]


def kinds(callers: Callers, begin: float, end: float) -> Counter[str]:
    return Counter(name.split()[0] for at, name in callers.passed if begin <= at < end)


async def test_callers_go_in_order_of_arrival_at_the_rate():
    async with anyio.create_task_group() as tasks:
        callers = Callers(tasks, modify=Rate(10, 10))
        callers.call(STOP, many("stop", 60))
    assert callers.names == many("stop", 60)
    assert anyio.current_time() == pytest.approx(5.0)


async def test_a_launch_waits_for_both_of_its_buckets():
    async with anyio.create_task_group() as tasks:
        callers = Callers(tasks, run_task=Rate(1, 1), modify=Rate(100, 1))
        callers.call(RUN, many("launch", 3))
    assert [at for at, _ in callers.passed] == pytest.approx([0.0, 1.0, 2.0])


async def test_launches_waiting_for_fargates_rate_do_not_delay_stops():
    async with anyio.create_task_group() as tasks:
        callers = Callers(tasks, run_task=Rate(1, 1), modify=Rate(40, 1))
        callers.call(RUN, many("launch", 5))
        await anyio.sleep(0.5)
        callers.call(STOP, many("stop", 10))
        await anyio.sleep(0.25)
        assert kinds(callers, 0.5, 0.75)["stop"] == 10


async def test_a_stop_goes_before_waiting_launches():
    async with anyio.create_task_group() as tasks:
        callers = Callers(tasks, modify=Rate(1, 1))
        callers.call(RUN, many("launch", 3))
        await anyio.sleep(0.5)
        callers.call(STOP, ["stop"])
    assert callers.names.index("stop") == 1


async def test_a_flood_of_stops_leaves_a_quarter_to_launches():
    async with anyio.create_task_group() as tasks:
        callers = Callers(tasks, modify=Rate(40, 1))
        callers.call(STOP, many("stop", 3000))
        callers.call(RUN, many("launch", 1000))
        await anyio.sleep(60)
        tasks.cancel_scope.cancel()
    passed = kinds(callers, 0, 60)
    assert passed["launch"] == pytest.approx(600, rel=0.01)
    assert passed["stop"] == pytest.approx(1800, rel=0.01)


async def test_a_flood_of_listtasks_leaves_a_quarter_to_describetasks():
    async with anyio.create_task_group() as tasks:
        callers = Callers(tasks, read=Rate(20, 1))
        callers.call(DESCRIBE, many("describe", 1000))
        callers.call(LIST, many("list", 1000))
        await anyio.sleep(40)
        tasks.cancel_scope.cancel()
    assert kinds(callers, 0, 40)["describe"] == pytest.approx(200, rel=0.02)
    assert kinds(callers, 0, 40)["list"] == pytest.approx(600, rel=0.02)


async def test_describetasks_never_takes_more_than_half_of_the_reads():
    async with anyio.create_task_group() as tasks:
        callers = Callers(tasks, read=Rate(20, 100))
        callers.call(DESCRIBE, many("describe", 1000))
        await anyio.sleep(60)
        tasks.cancel_scope.cancel()
    assert len(callers.passed) == pytest.approx(50 + 600, abs=2)


async def test_a_cancelled_caller_leaves_its_turn_to_the_next():
    async with anyio.create_task_group() as tasks:
        callers = Callers(tasks, modify=Rate(1, 1))
        callers.call(STOP, ["first"])
        await anyio.sleep(0.1)
        with anyio.move_on_after(0.1):
            await callers.rate_limits.acquire(STOP)
        callers.call(STOP, ["second"])
    assert anyio.current_time() == pytest.approx(1.0)


async def test_a_throttled_launch_slows_launches_and_leaves_stops_alone():
    async with anyio.create_task_group() as tasks:
        callers = Callers(tasks, run_task=Rate(20, 20), modify=Rate(40, 100))
        await callers.rate_limits.acquire(RUN)
        callers.rate_limits.throttled(RUN, anyio.current_time())
        callers.call(STOP, many("stop", 90))
        callers.call(RUN, many("launch", 30))
        await anyio.sleep(1)
        assert kinds(callers, 0, 0.1)["stop"] == 90
        assert kinds(callers, 0, 1)["launch"] <= 10


async def test_a_throttled_stop_slows_launches_too_because_they_share_its_bucket():
    async with anyio.create_task_group() as tasks:
        callers = Callers(tasks, run_task=Rate(40, 100), modify=Rate(40, 100))
        callers.rate_limits.throttled(STOP, 0.0)
        callers.call(RUN, many("launch", 30))
        await anyio.sleep(1)
        assert kinds(callers, 0, 1)["launch"] <= 20


async def test_reads_and_modifications_do_not_wait_for_each_other():
    async with anyio.create_task_group() as tasks:
        callers = Callers(tasks, modify=Rate(0.1, 1), read=Rate(10, 10))
        callers.call(STOP, many("stop", 2))
        callers.call(LIST, many("list", 5))
        await anyio.sleep(0.1)
        assert kinds(callers, 0, 0.1) == {"stop": 1, "list": 5}
        tasks.cancel_scope.cancel()


async def test_the_launch_rate_recovers_while_launches_wait_for_it():
    async with anyio.create_task_group() as tasks:
        callers = Callers(tasks, run_task=Rate(20, 20), modify=Rate(40, 100))
        callers.rate_limits.throttled(RUN, 0.0)
        callers.call(RUN, many("launch", 200))
        await anyio.sleep(0.5)
        callers.rate_limits.accepted(RUN, 0.4)
        await anyio.sleep(5)
        assert kinds(callers, 3, 5)["launch"] == pytest.approx(40, abs=1)
        tasks.cancel_scope.cancel()


async def test_a_caller_gets_through_after_the_process_stood_still_for_an_hour(
    monkeypatch: pytest.MonkeyPatch,
):
    loop = asyncio.get_running_loop()
    time = loop.time
    async with anyio.create_task_group() as tasks:
        callers = Callers(tasks, modify=Rate(1, 1))
        await callers.rate_limits.acquire(STOP)
        callers.rate_limits.throttled(STOP, anyio.current_time())
        callers.rate_limits.accepted(STOP, anyio.current_time())
        callers.call(STOP, ["stop"])
        await anyio.sleep(0.1)
        monkeypatch.setattr(loop, "time", lambda: time() + 3600)
        await anyio.sleep(10)
        assert callers.names == ["stop"]
        tasks.cancel_scope.cancel()


async def test_callers_are_still_served_after_an_error_in_the_timer(monkeypatch: pytest.MonkeyPatch):
    errors: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context["exception"]))
    advance, faults = AdaptiveBucket.advance, [OverflowError("first"), OverflowError("second")]

    def advance_badly(bucket: AdaptiveBucket, now: float) -> None:
        if now >= 1 and faults:
            raise faults.pop(0)
        advance(bucket, now)

    monkeypatch.setattr(AdaptiveBucket, "advance", advance_badly)
    async with anyio.create_task_group() as tasks:
        callers = Callers(tasks, modify=Rate(1, 1))
        callers.call(STOP, many("stop", 3))
        await anyio.sleep(10)
        assert callers.names == many("stop", 3)
    assert [str(error) for error in errors] == ["first", "second"]


async def test_a_call_that_is_not_made_lets_the_next_one_go_at_once():
    async with anyio.create_task_group() as tasks:
        callers = Callers(tasks, run_task=Rate(1, 1), modify=Rate(1, 1))
        await callers.rate_limits.acquire(RUN)
        callers.call(RUN, many("launch", 2))
        await anyio.sleep(0.1)
        callers.rate_limits.give_back(RUN)
        await anyio.sleep(0.1)
        assert callers.names == ["launch 0"]
        tasks.cancel_scope.cancel()


async def test_a_waiting_caller_is_woken_and_never_polls():
    loop, woken = asyncio.get_running_loop(), 0
    call_at = loop.call_at

    def count(when: float, *more: object, **still_more: object) -> asyncio.TimerHandle:
        nonlocal woken
        woken += 1
        return call_at(when, *more, **still_more)  # type: ignore[arg-type]  # passed on unchanged

    loop.call_at = count  # type: ignore[method-assign]  # counted here
    async with anyio.create_task_group() as tasks:
        callers = Callers(tasks, modify=Rate(1 / 3600, 1))
        callers.call(STOP, many("stop", 3))
    assert anyio.current_time() == pytest.approx(7200)
    assert woken <= 10
