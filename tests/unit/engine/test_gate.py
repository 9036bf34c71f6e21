from __future__ import annotations

import anyio
import pytest

from ecs_async_executor.engine.admission.circuit_breaker import Gate
from ecs_async_executor.messages import Diagnosis, Paused, Resumed

pytestmark = pytest.mark.virtual_time

DIAGNOSIS = Diagnosis("The AWS credentials can't be used.")


@pytest.fixture
def gate() -> Gate:
    return Gate(lambda: 1.0)


async def test_an_open_gate_lets_everybody_pass_at_once(gate: Gate):
    for _ in range(100):
        await gate.passage()
    assert anyio.current_time() == 0


async def test_the_first_failure_shuts_it_and_is_said_once(gate: Gate):
    tickets = [await gate.passage() for _ in range(3)]
    assert gate.fail(tickets[0], DIAGNOSIS) == [Paused(DIAGNOSIS)]
    assert gate.is_shut
    assert gate.fail(tickets[1], DIAGNOSIS) == []
    probe = await gate.passage()
    assert gate.fail(probe, DIAGNOSIS) == []


async def test_a_success_of_a_call_sent_before_does_not_open_it(gate: Gate):
    early, late = await gate.passage(), await gate.passage()
    gate.fail(early, DIAGNOSIS)
    assert gate.succeed(late) == []
    assert gate.is_shut


async def test_while_shut_one_caller_passes_after_each_waiting_time(gate: Gate):
    gate.fail(await gate.passage(), DIAGNOSIS)
    passed = []

    async def caller() -> None:
        passed.append((anyio.current_time(), await gate.passage()))

    with anyio.move_on_after(3.5):
        async with anyio.create_task_group() as tasks:
            for _ in range(10):
                tasks.start_soon(caller)
    assert len(passed) == 3  # at 1, 2 and 3 seconds: a probe that gets lost is followed by the next


async def test_each_probe_that_fails_makes_the_wait_longer_up_to_a_minute(gate: Gate):
    gate.fail(await gate.passage(), DIAGNOSIS)
    waits = []
    for _ in range(9):
        before = anyio.current_time()
        ticket = await gate.passage()
        waits.append(anyio.current_time() - before)
        gate.fail(ticket, DIAGNOSIS)
    assert waits == pytest.approx([1, 2, 4, 8, 16, 32, 60, 60, 60])


async def test_a_probe_that_succeeds_opens_it_for_all_who_wait_and_is_said_once(gate: Gate):
    gate.fail(await gate.passage(), DIAGNOSIS)
    probe = await gate.passage()
    done = []

    async def caller() -> None:
        await gate.passage()
        done.append(anyio.current_time())

    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(caller)
        await anyio.sleep(0.25)
        assert gate.succeed(probe) == [Resumed()]
        assert gate.succeed(probe) == []
    assert done == [1.25] * 10
    assert not gate.is_shut


async def test_after_it_opened_the_first_wait_is_short_again(gate: Gate):
    for _ in range(5):
        gate.fail(await gate.passage(), DIAGNOSIS)
    gate.succeed(await gate.passage())
    before = anyio.current_time()
    assert gate.fail(await gate.passage(), DIAGNOSIS) == [Paused(DIAGNOSIS)]
    await gate.passage()
    assert anyio.current_time() - before == pytest.approx(1.0)


async def test_a_probe_that_was_not_used_is_the_next_callers_at_once(gate: Gate):
    for _ in range(5):
        gate.fail(await gate.passage(), DIAGNOSIS)
    before = anyio.current_time()
    gate.unused(await gate.passage())
    passed = []

    async def caller() -> None:
        passed.append(await gate.passage())

    async with anyio.create_task_group() as tasks:
        probe = await gate.passage()
        assert anyio.current_time() - before == pytest.approx(16)
        for _ in range(10):
            tasks.start_soon(caller)
        await anyio.sleep(1)
        assert passed == []
        gate.unused(probe)
        await anyio.sleep(1)
        assert len(passed) == 1
        tasks.cancel_scope.cancel()


async def test_a_passage_of_an_older_state_that_was_not_used_gives_nobody_a_probe(gate: Gate):
    early, late = await gate.passage(), await gate.passage()
    gate.fail(early, DIAGNOSIS)
    gate.unused(late)
    before = anyio.current_time()
    await gate.passage()
    assert anyio.current_time() - before == pytest.approx(1)
