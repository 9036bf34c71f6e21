from __future__ import annotations

import anyio
import pytest

from ecs_async_executor.engine.admission.circuit_breaker import CircuitBreaker
from ecs_async_executor.messages import Diagnosis, Paused, Resumed

pytestmark = pytest.mark.virtual_time

DIAGNOSIS = Diagnosis("The AWS credentials can't be used.")


@pytest.fixture
def breaker() -> CircuitBreaker:
    return CircuitBreaker(lambda: 1.0)


async def test_a_closed_breaker_lets_every_call_through_at_once(breaker: CircuitBreaker):
    for _ in range(100):
        await breaker.acquire()
    assert anyio.current_time() == 0


async def test_the_first_failure_opens_it_and_is_reported_once(breaker: CircuitBreaker):
    generations = [await breaker.acquire() for _ in range(3)]
    assert breaker.fail(generations[0], DIAGNOSIS) == [Paused(DIAGNOSIS)]
    assert breaker.is_open
    assert breaker.fail(generations[1], DIAGNOSIS) == []
    probe = await breaker.acquire()
    assert breaker.fail(probe, DIAGNOSIS) == []


async def test_a_success_of_a_call_sent_before_the_failure_does_not_close_it(breaker: CircuitBreaker):
    early, late = await breaker.acquire(), await breaker.acquire()
    breaker.fail(early, DIAGNOSIS)
    assert breaker.succeed(late) == []
    assert breaker.is_open


async def test_an_open_breaker_lets_one_caller_through_after_each_waiting_time(breaker: CircuitBreaker):
    breaker.fail(await breaker.acquire(), DIAGNOSIS)
    let_through = []

    async def caller() -> None:
        let_through.append((anyio.current_time(), await breaker.acquire()))

    with anyio.move_on_after(3.5):
        async with anyio.create_task_group() as tasks:
            for _ in range(10):
                tasks.start_soon(caller)
    assert len(let_through) == 3  # at 1, 2 and 3 seconds: the next probe follows one that gets lost


async def test_each_failed_probe_lengthens_the_wait_up_to_a_minute(breaker: CircuitBreaker):
    breaker.fail(await breaker.acquire(), DIAGNOSIS)
    waits = []
    for _ in range(9):
        before = anyio.current_time()
        generation = await breaker.acquire()
        waits.append(anyio.current_time() - before)
        breaker.fail(generation, DIAGNOSIS)
    assert waits == pytest.approx([1, 2, 4, 8, 16, 32, 60, 60, 60])


async def test_a_successful_probe_closes_it_for_all_waiting_callers_and_is_reported_once(
    breaker: CircuitBreaker,
):
    breaker.fail(await breaker.acquire(), DIAGNOSIS)
    probe = await breaker.acquire()
    done = []

    async def caller() -> None:
        await breaker.acquire()
        done.append(anyio.current_time())

    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(caller)
        await anyio.sleep(0.25)
        assert breaker.succeed(probe) == [Resumed()]
        assert breaker.succeed(probe) == []
    assert done == [1.25] * 10
    assert not breaker.is_open


async def test_after_it_closes_the_first_wait_is_short_again(breaker: CircuitBreaker):
    for _ in range(5):
        breaker.fail(await breaker.acquire(), DIAGNOSIS)
    breaker.succeed(await breaker.acquire())
    before = anyio.current_time()
    assert breaker.fail(await breaker.acquire(), DIAGNOSIS) == [Paused(DIAGNOSIS)]
    await breaker.acquire()
    assert anyio.current_time() - before == pytest.approx(1.0)


async def test_an_unused_probe_goes_to_the_next_caller_at_once(breaker: CircuitBreaker):
    for _ in range(5):
        breaker.fail(await breaker.acquire(), DIAGNOSIS)
    before = anyio.current_time()
    breaker.give_back(await breaker.acquire())
    let_through = []

    async def caller() -> None:
        let_through.append(await breaker.acquire())

    async with anyio.create_task_group() as tasks:
        probe = await breaker.acquire()
        assert anyio.current_time() - before == pytest.approx(16)
        for _ in range(10):
            tasks.start_soon(caller)
        await anyio.sleep(1)
        assert let_through == []
        breaker.give_back(probe)
        await anyio.sleep(1)
        assert len(let_through) == 1
        tasks.cancel_scope.cancel()


async def test_an_unused_call_of_an_older_generation_gives_nobody_a_probe(breaker: CircuitBreaker):
    early, late = await breaker.acquire(), await breaker.acquire()
    breaker.fail(early, DIAGNOSIS)
    breaker.give_back(late)
    before = anyio.current_time()
    await breaker.acquire()
    assert anyio.current_time() - before == pytest.approx(1)
