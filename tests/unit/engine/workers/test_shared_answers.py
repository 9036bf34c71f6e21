from __future__ import annotations

import anyio
import pytest

from ecs_async_executor.engine.diagnosis.call_failures import CallError, Failure, Kind
from ecs_async_executor.engine.workers.shared_answers import SharedAnswers
from ecs_async_executor.messages import Diagnosis

pytestmark = pytest.mark.virtual_time
REFUSED = Failure(Kind.DENIED, Diagnosis("no"))


async def test_one_asks_and_all_get_the_answer() -> None:
    answers: SharedAnswers[str] = SharedAnswers()
    asked: list[float] = []
    got: list[float] = []

    async def ask() -> None:
        asked.append(anyio.current_time())
        await anyio.sleep(1)

    async def wait() -> None:
        await answers.wait("key", ask)
        got.append(anyio.current_time())

    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(wait)
        tasks.start_soon(answers.wait, "other", ask)
    assert len(asked) == 2
    assert len(got) == 10
    assert not answers.is_awaited("key")


async def test_a_refusal_is_everybodys() -> None:
    answers: SharedAnswers[str] = SharedAnswers()
    failures: list[Failure] = []

    async def ask() -> None:
        await anyio.sleep(1)
        raise CallError(REFUSED)

    async def wait() -> None:
        with pytest.raises(CallError) as caught:
            await answers.wait("key", ask)
        failures.append(caught.value.failure)

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(wait)
    assert failures == [REFUSED] * 3
    assert not answers.is_awaited("key")


async def test_if_the_one_who_asks_is_cancelled_another_one_asks() -> None:
    answers: SharedAnswers[str] = SharedAnswers()
    asked: list[float] = []

    async def ask() -> None:
        asked.append(anyio.current_time())
        await anyio.sleep(1)

    async def give_up() -> None:
        with anyio.move_on_after(0.5):
            await answers.wait("key", ask)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(give_up)
        await anyio.sleep(0.1)
        await answers.wait("key", ask)
    assert len(asked) == 2


async def test_an_answer_is_awaited_until_all_who_waited_have_resumed() -> None:
    answers: SharedAnswers[str] = SharedAnswers()
    seen: list[bool] = []

    async def ask() -> None:
        await anyio.sleep(1)

    async def wait() -> None:
        await answers.wait("key", ask)
        seen.append(answers.is_awaited("key"))

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(wait)
    assert seen == [True, True, False]


async def test_who_steps_back_comes_after_all_who_waited() -> None:
    answers: SharedAnswers[str] = SharedAnswers()
    order: list[str] = []

    async def ask() -> None:
        await anyio.sleep(1)

    async def wait(name: str) -> None:
        await answers.wait("key", ask)
        order.append(name)
        if name == "one":  # the first that resumes
            tasks.start_soon(step_back)

    async def step_back() -> None:
        await answers.step_back("key")
        order.append("newcomer")

    async with anyio.create_task_group() as tasks:
        for name in ("one", "two", "three"):
            tasks.start_soon(wait, name)
    assert order == ["one", "two", "three", "newcomer"]
