from __future__ import annotations

import anyio
import pytest

from ecs_async_executor.engine.workers.wakeup import Wakeup

pytestmark = pytest.mark.virtual_time


async def test_a_notification_wakes_the_waiter():
    wakeup = Wakeup()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wakeup.wait, None)
        await anyio.sleep(5)
        wakeup.notify()
    assert anyio.current_time() == 5


async def test_a_notification_that_nobody_waited_for_wakes_the_next_waiter_once():
    wakeup = Wakeup()
    wakeup.notify()
    wakeup.notify()
    await wakeup.wait(None)
    assert anyio.current_time() == 0
    await wakeup.wait(7.0)
    assert anyio.current_time() == 7


async def test_the_waiter_wakes_at_its_time_without_a_notification():
    await Wakeup().wait(3600.0)
    assert anyio.current_time() == 3600


async def test_waiting_until_a_time_in_the_past_returns_at_once():
    await anyio.sleep(10)
    await Wakeup().wait(3.0)
    assert anyio.current_time() == 10


async def test_work_due_before_the_waiter_would_wake_wakes_it():
    wakeup = Wakeup()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wakeup.wait, 10.0)
        await anyio.sleep(1)
        wakeup.notify_at(5.0)
    assert anyio.current_time() == 1


@pytest.mark.parametrize("at", [None, 10.0, 20.0])
async def test_work_due_later_lets_the_waiter_sleep(at: float | None):
    wakeup = Wakeup()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wakeup.wait, 10.0)
        await anyio.sleep(1)
        wakeup.notify_at(at)
    assert anyio.current_time() == 10


async def test_due_work_does_not_wake_a_later_waiter():
    wakeup = Wakeup()
    wakeup.notify_at(5.0)
    await wakeup.wait(10.0)
    assert anyio.current_time() == 10


async def test_the_waiter_sleeps_until_work_is_due_and_looks_again_when_it_is_notified():
    wakeup, due = Wakeup(), [100.0]
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wakeup.wait_until_due, lambda: due[0])
        await anyio.sleep(10)
        due[0] = 30.0
        wakeup.notify_at(due[0])
    assert anyio.current_time() == 30


async def test_without_work_the_waiter_sleeps_until_it_is_notified():
    wakeup: Wakeup = Wakeup()
    due: list[float] = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wakeup.wait_until_due, lambda: due[0] if due else None)
        tasks.start_soon(wakeup.wait_while_empty, [1])
        await anyio.sleep(10)
        wakeup.notify()  # for something else
        await anyio.sleep(10)
        due.append(20.0)
        wakeup.notify()
    assert anyio.current_time() == 20


async def test_a_worker_waits_while_its_queue_is_empty():
    wakeup, queue = Wakeup(), list[int]()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wakeup.wait_while_empty, queue)
        await anyio.sleep(5)
        wakeup.notify()
        await anyio.sleep(5)
        queue.append(1)
        wakeup.notify()
    assert anyio.current_time() == 10
