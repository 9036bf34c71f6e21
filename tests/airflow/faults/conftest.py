"""What it takes to bring the faults of AwsEcsExecutor about. Their numbers, F01 and so on, are in the tests' names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import anyio
import msgspec
import pytest

from ecs_async_executor.config.settings import Settings
from ecs_async_executor.engine.aws.ecs import EcsClient
from ecs_async_executor.engine.responses import Tasks
from ecs_async_executor.local import Control
from tests.airflow.conftest import leave_nothing_behind
from tests.support.scheduler import Scheduler, crash, next_scheduler


@pytest.fixture
def single_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the first start attempt that is charged fail its task."""
    monkeypatch.setenv("AIRFLOW__AWS_ECS_EXECUTOR__MAX_RUN_TASK_ATTEMPTS", "1")


@pytest.fixture
def after_crash(scheduler: Scheduler, ecs: Control) -> Iterator[Callable[[], Scheduler]]:
    """Let the scheduler die between two instructions, and the next one adopt what it had."""
    with ExitStack() as stack:

        def crash_and_go_on() -> Scheduler:
            crash(scheduler)
            ecs.clear_conditions()
            successor = stack.enter_context(next_scheduler())
            stack.callback(leave_nothing_behind, successor, ecs)
            return successor

        yield crash_and_go_on


class Held:
    """Calls of one kind that get no answer until they are let go."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Any, ...]] = []
        """The arguments of each."""
        self.is_over = False

    def let_go(self) -> None:
        self.is_over = True


@pytest.fixture
def hold(scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Held]]:
    """Hold all calls of a method of the client from now on."""
    everything: list[Held] = []

    def hold_calls(name: str) -> Held:
        held, call = Held(), getattr(EcsClient, name)
        everything.append(held)

        async def wait_and_call(client: EcsClient, *arguments: Any) -> Any:
            if not held.is_over:
                held.waiting.append(arguments)
            while not held.is_over:  # noqa: ASYNC110  another thread ends it
                await anyio.sleep(0.01)
            return await call(client, *arguments)

        monkeypatch.setattr(EcsClient, name, wait_and_call)
        return held

    yield hold_calls
    for held in everything:
        held.let_go()


@pytest.fixture
def without_containers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let DescribeTasks answer with empty container lists."""
    describe_tasks = EcsClient.describe_tasks

    async def stripped(client: EcsClient, cluster: str, arns: list[str]) -> Tasks:
        answer = await describe_tasks(client, cluster, arns)
        tasks = tuple(msgspec.structs.replace(task, containers=()) for task in answer.tasks)
        return msgspec.structs.replace(answer, tasks=tasks)

    monkeypatch.setattr(EcsClient, "describe_tasks", stripped)


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[Tasks]:
    """All answers of DescribeTasks."""
    seen: list[Tasks] = []
    describe_tasks = EcsClient.describe_tasks

    async def spied(client: EcsClient, cluster: str, arns: list[str]) -> Tasks:
        answer = await describe_tasks(client, cluster, arns)
        seen.append(answer)
        return answer

    monkeypatch.setattr(EcsClient, "describe_tasks", spied)
    return seen


@pytest.fixture
def grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give ECS the time that a deployment gives it."""
    options = Settings.engine_options.fget  # type: ignore[attr-defined]  # it is a property
    monkeypatch.setattr(
        Settings,
        "engine_options",
        property(lambda self: replace(options(self), missing_grace=self.missing_grace)),
    )


@pytest.fixture
def sidecar_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__ECS_ASYNC_EXECUTOR__TASK_DEFINITION", "with-sidecar")
