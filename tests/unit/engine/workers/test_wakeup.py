from __future__ import annotations

import anyio
import pytest

from ecs_async_executor.engine.workers.wakeup import Wakeup

pytestmark = pytest.mark.virtual_time


async def test_a_ring_wakes_the_waiter():
    wakeup = Wakeup()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wakeup.wait, None)
        await anyio.sleep(5)
        wakeup.notify()
    assert anyio.current_time() == 5


async def test_a_ring_that_nobody_heard_wakes_the_next_waiter_once():
    wakeup = Wakeup()
    wakeup.notify()
    wakeup.notify()
    await wakeup.wait(None)
    assert anyio.current_time() == 0
    await wakeup.wait(7.0)
    assert anyio.current_time() == 7


async def test_the_waiter_goes_on_at_its_time_without_a_ring():
    await Wakeup().wait(3600.0)
    assert anyio.current_time() == 3600


async def test_a_time_that_has_passed_is_not_waited_for():
    await anyio.sleep(10)
    await Wakeup().wait(3.0)
    assert anyio.current_time() == 10


async def test_it_wakes_the_waiter_for_what_is_due_earlier_than_it_sleeps():
    wakeup = Wakeup()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wakeup.wait, 10.0)
        await anyio.sleep(1)
        wakeup.notify_at(5.0)
    assert anyio.current_time() == 1


@pytest.mark.parametrize("at", [None, 10.0, 20.0])
async def test_it_lets_the_waiter_sleep_for_what_is_due_later(at: float | None):
    wakeup = Wakeup()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wakeup.wait, 10.0)
        await anyio.sleep(1)
        wakeup.notify_at(at)
    assert anyio.current_time() == 10


async def test_nobody_who_does_not_wait_is_woken_for_what_is_due():
    wakeup = Wakeup()
    wakeup.notify_at(5.0)
    await wakeup.wait(10.0)
    assert anyio.current_time() == 10
