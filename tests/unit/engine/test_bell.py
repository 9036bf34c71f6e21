from __future__ import annotations

import anyio
import pytest

from ecs_async_executor.engine.workers.wakeup import Bell

pytestmark = pytest.mark.virtual_time


async def test_a_ring_wakes_the_waiter():
    bell = Bell()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(bell.wait, None)
        await anyio.sleep(5)
        bell.ring()
    assert anyio.current_time() == 5


async def test_a_ring_that_nobody_heard_wakes_the_next_waiter_once():
    bell = Bell()
    bell.ring()
    bell.ring()
    await bell.wait(None)
    assert anyio.current_time() == 0
    await bell.wait(7.0)
    assert anyio.current_time() == 7


async def test_the_waiter_goes_on_at_its_time_without_a_ring():
    await Bell().wait(3600.0)
    assert anyio.current_time() == 3600


async def test_a_time_that_has_passed_is_not_waited_for():
    await anyio.sleep(10)
    await Bell().wait(3.0)
    assert anyio.current_time() == 10


async def test_it_wakes_the_waiter_for_what_is_due_earlier_than_it_sleeps():
    bell = Bell()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(bell.wait, 10.0)
        await anyio.sleep(1)
        bell.ring_for(5.0)
    assert anyio.current_time() == 1


@pytest.mark.parametrize("at", [None, 10.0, 20.0])
async def test_it_lets_the_waiter_sleep_for_what_is_due_later(at: float | None):
    bell = Bell()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(bell.wait, 10.0)
        await anyio.sleep(1)
        bell.ring_for(at)
    assert anyio.current_time() == 10


async def test_nobody_who_does_not_wait_is_woken_for_what_is_due():
    bell = Bell()
    bell.ring_for(5.0)
    await bell.wait(10.0)
    assert anyio.current_time() == 10
