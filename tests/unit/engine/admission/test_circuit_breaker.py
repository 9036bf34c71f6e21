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


async def test_an_open_gate_lets_everybody_pass_at_once(breaker: CircuitBreaker):
    for _ in range(100):
        await breaker.acquire()
    assert anyio.current_time() == 0


async def test_the_first_failure_shuts_it_and_is_said_once(breaker: CircuitBreaker):
    tickets = [await breaker.acquire() for _ in range(3)]
    assert breaker.fail(tickets[0], DIAGNOSIS) == [Paused(DIAGNOSIS)]
    assert breaker.is_open
    assert breaker.fail(tickets[1], DIAGNOSIS) == []
    probe = await breaker.acquire()
    assert breaker.fail(probe, DIAGNOSIS) == []


async def test_a_success_of_a_call_sent_before_does_not_open_it(breaker: CircuitBreaker):
    early, late = await breaker.acquire(), await breaker.acquire()
    breaker.fail(early, DIAGNOSIS)
    assert breaker.succeed(late) == []
    assert breaker.is_open


async def test_while_shut_one_caller_passes_after_each_waiting_time(breaker: CircuitBreaker):
    breaker.fail(await breaker.acquire(), DIAGNOSIS)
    passed = []

    async def caller() -> None:
        passed.append((anyio.current_time(), await breaker.acquire()))

    with anyio.move_on_after(3.5):
        async with anyio.create_task_group() as tasks:
            for _ in range(10):
                tasks.start_soon(caller)
    assert len(passed) == 3  # at 1, 2 and 3 seconds: a probe that gets lost is followed by the next


async def test_each_probe_that_fails_makes_the_wait_longer_up_to_a_minute(breaker: CircuitBreaker):
    breaker.fail(await breaker.acquire(), DIAGNOSIS)
    waits = []
    for _ in range(9):
        before = anyio.current_time()
        ticket = await breaker.acquire()
        waits.append(anyio.current_time() - before)
        breaker.fail(ticket, DIAGNOSIS)
    assert waits == pytest.approx([1, 2, 4, 8, 16, 32, 60, 60, 60])


async def test_a_probe_that_succeeds_opens_it_for_all_who_wait_and_is_said_once(breaker: CircuitBreaker):
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


async def test_after_it_opened_the_first_wait_is_short_again(breaker: CircuitBreaker):
    for _ in range(5):
        breaker.fail(await breaker.acquire(), DIAGNOSIS)
    breaker.succeed(await breaker.acquire())
    before = anyio.current_time()
    assert breaker.fail(await breaker.acquire(), DIAGNOSIS) == [Paused(DIAGNOSIS)]
    await breaker.acquire()
    assert anyio.current_time() - before == pytest.approx(1.0)


async def test_a_probe_that_was_not_used_is_the_next_callers_at_once(breaker: CircuitBreaker):
    for _ in range(5):
        breaker.fail(await breaker.acquire(), DIAGNOSIS)
    before = anyio.current_time()
    breaker.give_back(await breaker.acquire())
    passed = []

    async def caller() -> None:
        passed.append(await breaker.acquire())

    async with anyio.create_task_group() as tasks:
        probe = await breaker.acquire()
        assert anyio.current_time() - before == pytest.approx(16)
        for _ in range(10):
            tasks.start_soon(caller)
        await anyio.sleep(1)
        assert passed == []
        breaker.give_back(probe)
        await anyio.sleep(1)
        assert len(passed) == 1
        tasks.cancel_scope.cancel()


async def test_a_passage_of_an_older_state_that_was_not_used_gives_nobody_a_probe(breaker: CircuitBreaker):
    early, late = await breaker.acquire(), await breaker.acquire()
    breaker.fail(early, DIAGNOSIS)
    breaker.give_back(late)
    before = anyio.current_time()
    await breaker.acquire()
    assert anyio.current_time() - before == pytest.approx(1)
