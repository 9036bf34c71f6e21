from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from ecs_async_executor.engine.admission.calls import Calls
from ecs_async_executor.engine.options import EngineOptions
from ecs_async_executor.engine.state.ledger import Ledger
from ecs_async_executor.engine.workers.stopper import CALLS, LONGEST_USUAL_WAIT, LONGEST_WAIT, Stopper
from ecs_async_executor.messages import Watch
from tests.support.engine import ELSEWHERE, FakeClient, Reports, error, options

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.virtual_time

MakeCalls = Callable[[EngineOptions], Calls]


class Bench:
    """A running stopper and its ledger."""

    def __init__(self, stopper: Stopper, ledger: Ledger) -> None:
        self.ledger = ledger
        self._stopper = stopper

    def stop(self, run_id: str) -> None:
        order = Watch(run_id, run_id, f"arn:{run_id}", "default", "airflow")
        self.ledger.watch(order, anyio.current_time())
        self.ledger.stop(run_id, "because", 0.0)
        self._stopper.wakeup.notify()


@pytest.fixture
def bench(make_calls: MakeCalls) -> Any:
    @asynccontextmanager
    async def run() -> AsyncIterator[Bench]:
        chosen = options()
        ledger = Ledger(chosen, lambda: 1.0)
        stopper = Stopper(ledger, make_calls(chosen), lambda: 1.0, on_change=lambda: None)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(stopper.run, tasks)
            yield Bench(stopper, ledger)
            tasks.cancel_scope.cancel()

    return run


async def test_a_task_is_stopped_once_with_its_reason(bench: Any, client: FakeClient, reports: Reports):
    async with bench() as at:
        at.stop("run")
        await anyio.sleep(1000)
    assert client.asked == [("stop_task", ("default", "arn:run", "because"))]
    assert reports == []


async def test_a_failed_call_is_retried_with_longer_and_longer_waits(bench: Any, client: FakeClient):
    client.script["stop_task"].extend([error("ServerException", status=500, operation="StopTask")] * 4)
    async with bench() as at:
        at.stop("run")
        await anyio.sleep(1000)
    assert client.times == pytest.approx([0, 1, 3, 7, 15])


async def test_stop_task_is_called_again_for_a_task_that_ecs_does_not_know_yet(
    bench: Any, client: FakeClient
):
    unknown = error("InvalidParameterException", "The referenced task was not found.", operation="StopTask")
    client.script["stop_task"].extend([unknown, unknown])
    async with bench() as at:
        at.stop("run")
        await anyio.sleep(1000)
    assert len(client.asked) == 3


async def test_a_run_that_has_ended_is_no_longer_stopped(bench: Any, client: FakeClient):
    client.script["stop_task"].extend([error("AccessDeniedException", operation="StopTask")] * 100)
    async with bench() as at:
        at.stop("run")
        await anyio.sleep(2)
        (entry,) = at.ledger
        at.ledger.not_listed(entry, anyio.current_time(), asked=True)
        asked = len(client.asked)
        await anyio.sleep(1000)
    assert len(client.asked) == asked


async def test_a_run_that_was_forgotten_and_ordered_again_is_not_stopped_by_the_order_before(
    bench: Any, client: FakeClient
):
    client.script["stop_task"].append(error("ServerException", status=500, operation="StopTask"))
    async with bench() as at:
        at.stop("run")
        await anyio.sleep(0.5)
        at.ledger.forget("run", anyio.current_time())
        at.ledger.watch(Watch("run", "run", "arn:run", "default", "airflow"), anyio.current_time())
        await anyio.sleep(1000)
    assert len(client.asked) == 1


async def test_up_to_twenty_tasks_are_stopped_at_once(bench: Any, client: FakeClient):
    client.latency = 1
    async with bench() as at:
        for number in range(50):
            at.stop(str(number))
        await anyio.sleep(1000)
    assert client.most_in_flight == 20
    assert len(client.asked) == 50


async def test_tasks_that_cannot_be_stopped_hold_up_no_others(bench: Any, client: FakeClient):
    unknown = error("InvalidParameterException", "The referenced task was not found.", operation="StopTask")
    client.script["stop_task"].extend([unknown] * CALLS)
    async with bench() as at:
        for number in range(CALLS):
            at.stop(f"gone {number}")
        await anyio.sleep(0.5)
        at.stop("alive")
        await anyio.sleep(0.1)
        assert client.asked[-1] == ("stop_task", ("default", "arn:alive", "because"))


@pytest.mark.parametrize(
    ("polls", "wait"),
    [
        ("know it", LONGEST_USUAL_WAIT),
        ("have just missed it", LONGEST_USUAL_WAIT),
        ("have missed it for long", LONGEST_WAIT),
    ],
)
async def test_the_wait_between_calls_has_a_limit_which_is_longer_for_tasks_that_polls_do_not_know_either(
    bench: Any, client: FakeClient, polls: str, wait: float
):
    client.script["stop_task"].extend([error("AccessDeniedException", operation="StopTask")] * 100)
    async with bench() as at:
        at.stop("run")
        (entry,) = at.ledger
        entry.task.missing = int(polls != "know it")
        entry.task.missing_since = math.inf if polls == "have just missed it" else 0.0
        await anyio.sleep(5000)
        assert client.times[-1] - client.times[-2] == wait


async def test_a_stopped_task_is_polled_soon(bench: Any):
    async with bench() as at:
        at.stop("run")
        (entry,) = at.ledger
        at.ledger.due.add(entry, 100.0)
        await anyio.sleep(0.5)
        assert at.ledger.due.next_at() == 1.0


@pytest.mark.parametrize("words", ELSEWHERE.values(), ids=ELSEWHERE)
async def test_tasks_of_another_account_are_rarely_tried_again_and_hold_up_no_others(
    bench: Any, client: FakeClient, words: str
):
    refused = error("InvalidParameterException", words, operation="StopTask")
    client.script["stop_task"].extend([refused] * CALLS * 20)
    async with bench() as at:
        for number in range(CALLS):
            at.stop(f"moved {number}")
        for entry in at.ledger:
            entry.task.missing = 1  # the watcher was refused, too
        await anyio.sleep(3600)
        assert len(client.asked) <= CALLS * 15
        client.script["stop_task"].clear()
        at.stop("alive")
        await anyio.sleep(0.1)
        assert client.asked[-1] == ("stop_task", ("default", "arn:alive", "because"))
