from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import asynccontextmanager
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from botocore.exceptions import ConnectTimeoutError

from ecs_async_executor.engine import engine as module
from ecs_async_executor.engine.aws.client import connect_by_environment
from ecs_async_executor.engine.engine import Engine
from ecs_async_executor.engine.options import Rate
from ecs_async_executor.engine.responses import Container, Task, Tasks
from ecs_async_executor.messages import (
    Cancelled,
    CheckHealth,
    HealthChecked,
    Launched,
    Order,
    Paused,
    Recovery,
    Request,
    Resumed,
    Running,
    Stop,
    Stopped,
    Watch,
)
from tests.support.engine import URL, FakeClient, FakeS3, Reports, error, fetching, options, order

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.virtual_time


@pytest.fixture
def running(client: FakeClient, s3: FakeS3, reports: Reports, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run an engine on the fake clients; yield a function that submits orders, and the engine."""
    monkeypatch.setattr(module, "EcsClient", lambda *_, **__: client)
    monkeypatch.setattr(module, "S3Client", lambda *_, **__: s3)

    @asynccontextmanager
    async def run(**changes: Any) -> AsyncIterator[tuple[Callable[..., None], Engine]]:
        inbox: SimpleQueue[tuple[Order, ...]] = SimpleQueue()
        engine = Engine(connect_by_environment, inbox, reports, options(**changes), random=lambda: 1.0)

        def submit(*orders: Order) -> None:
            inbox.put(orders)
            engine.inbox_wakeup.notify()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(engine.run)
            yield submit, engine
            if not engine._closing.is_set():
                engine.close(0)

    return run


def ended(exit_code: int) -> Callable[[Any], Tasks]:
    container = Container(name="airflow", exit_code=exit_code)
    return lambda sent: Tasks(
        tasks=tuple(Task(task_arn=arn, last_status="STOPPED", containers=(container,)) for arn in sent[1])
    )


async def test_a_run_goes_from_order_to_end(running: Any, client: FakeClient, reports: Reports):
    client.script["describe_tasks"].extend(
        [Tasks(tasks=(Task(task_arn="arn:run-001", last_status="RUNNING"),)), ended(3)]
    )
    async with running() as (submit, _):
        submit(order("run"))
        await anyio.sleep(100)
    assert [type(report) for report in reports] == [Launched, Running, Stopped]
    assert reports.of(Stopped)[0].exit_code == 3


async def test_a_stop_reaches_an_adopted_task(running: Any, client: FakeClient):
    async with running() as (submit, _):
        submit(Watch("run", "label", "arn:run", "default", "airflow"))
        await anyio.sleep(1)
        submit(Stop("run", "because"))
        await anyio.sleep(1)
    assert client.calls("stop_task") == [("default", "arn:run", "because")]


async def test_a_launch_and_its_stop_ordered_together_start_nothing(
    running: Any, client: FakeClient, reports: Reports
):
    async with running() as (submit, _):
        submit(order("run"), Stop("run", "because"))
        await anyio.sleep(100)
    assert reports == [Cancelled("run")]
    assert client.asked == []


async def test_the_health_check_is_one_listtasks_call_for_the_cluster(
    running: Any, client: FakeClient, reports: Reports
):
    async with running(started_by="airflow/prod") as (submit, _):
        submit(CheckHealth("one"))
        await anyio.sleep(100)
    assert client.asked == [("list_tasks", ("one", "airflow/prod/health-check"))]
    assert reports == [HealthChecked(None)]


async def test_the_health_check_says_what_to_correct(running: Any, client: FakeClient, reports: Reports):
    client.script["list_tasks"].append(error("ClusterNotFoundException", operation="ListTasks"))
    async with running() as (submit, _):
        submit(CheckHealth("nowhere"))
        await anyio.sleep(100)
    (report,) = reports.of(HealthChecked)
    assert "`cluster`" in report.diagnosis.remedy
    assert report.diagnosis.detail.endswith("cluster nowhere, Region eu-central-1")


async def test_the_health_check_is_repeated_until_there_is_an_answer(
    running: Any, client: FakeClient, reports: Reports
):
    client.script["list_tasks"].extend(
        [
            error(code, operation="ListTasks")
            for code in ("ThrottlingException", "ServerException", "ExpiredToken")
        ]
    )
    async with running() as (submit, _):
        submit(CheckHealth("default"))
        await anyio.sleep(100)
    assert reports[-1] == HealthChecked(None)
    assert len(client.asked) == 4


async def test_closing_lets_calls_in_flight_finish_and_starts_no_more(
    running: Any, client: FakeClient, reports: Reports
):
    client.latency = 3
    async with running(concurrency=2) as (submit, engine):
        submit(*(order(str(number)) for number in range(5)))
        await anyio.sleep(1)
        engine.close(10)
    assert anyio.current_time() == 3
    assert len(reports.of(Launched)) == 2
    assert len(client.calls("run_task")) == 2
    assert client.closed


async def test_closing_waits_no_longer_than_the_grace_time(
    running: Any, client: FakeClient, reports: Reports
):
    client.latency = 3600
    async with running() as (submit, engine):
        submit(order("run"))
        await anyio.sleep(1)
        engine.close(5)
    assert anyio.current_time() == 6
    assert reports == []
    assert client.closed


def open_request(_: object = None) -> Request:
    return Request({"cluster": "one"}, "airflow", open_request)


@pytest.mark.parametrize("what", [{"recovery": Recovery.SEARCH}, {"build": open_request}])
async def test_closing_does_not_wait_for_runs_that_still_prepare_their_launch(
    running: Any, client: FakeClient, what: dict[str, Any]
):
    client.latency = 2
    async with running(run_task_rate=Rate(1, 1)) as (submit, engine):
        submit(*(order(str(number), **what) for number in range(20)))
        await anyio.sleep(1)
        engine.close(9)
    assert anyio.current_time() == 1
    assert client.calls("run_task") == []


async def test_closing_does_not_wait_for_a_search_after_a_refused_launch(running: Any, client: FakeClient):
    client.script["run_task"].append(error("ConflictException"))
    async with running(read_rate=Rate(per_second=1 / 3600, burst=1)) as (submit, engine):
        submit(order("takes the one call", recovery=Recovery.SEARCH_ONLY))
        await anyio.sleep(0.5)
        submit(order("run"))
        await anyio.sleep(0.5)
        engine.close(9)
    assert anyio.current_time() == 1
    assert [name for name, _ in client.asked] == ["list_tasks", "run_task"]


async def test_a_run_forgotten_at_the_moment_of_its_launch_is_not_sent(running: Any, client: FakeClient):
    async with running() as (submit, engine):
        submit(order("run"))
        while not engine.ledger.sending:
            await anyio.lowlevel.checkpoint()
        engine.ledger.forget("run", 0.0)
        await anyio.sleep(10)
    assert client.asked == []


@pytest.mark.parametrize(("latency", "left"), [(0.5, False), (3600, True)])
async def test_closing_waits_for_deletions_but_not_for_long(
    running: Any, client: FakeClient, s3: FakeS3, latency: float, left: bool
):
    client.script["describe_tasks"].append(ended(0))
    async with running() as (submit, engine):
        submit(order("run", build=fetching()))
        await anyio.sleep(0.5)
        assert s3.objects == {URL: b"token 1"}
        s3.latency = latency
        await anyio.sleep(0.5)
        await anyio.sleep(0.1)  # the engine has seen the task's end
        engine.close(10)
    assert bool(s3.objects) == left
    assert anyio.current_time() == pytest.approx(1.1 + module.DELETE_TIMEOUT if left else 1.0 + latency)


async def test_a_run_that_a_dead_engine_uploaded_but_did_not_send_is_sent_once_by_the_next(
    running: Any, client: FakeClient, s3: FakeS3, reports: Reports
):
    s3.latency = 5
    async with running(run_task_rate=Rate(per_second=1 / 3600, burst=1)) as (submit, _):
        submit(order("run", build=fetching()))
        await anyio.sleep(1)
        submit(order("takes the one call"))
        await anyio.sleep(10)
    assert s3.objects == {URL: b"token 1"}
    async with running() as (submit, _):
        submit(order("run", build=fetching(), recovery=Recovery.REPLAY))
        await anyio.sleep(10)
    tokens = [body["clientToken"] for body in client.calls("run_task")]
    assert tokens == ["takes the one call-001", "run-001"]
    assert [call[0] for call in s3.asked] == ["put", "put"]
    assert reports[-2:] == [
        Launched("run", 1, "arn:run-001", "default", "airflow"),
        Running("run", "arn:run-001"),
    ]


async def test_its_repr_counts_the_runs(running: Any):
    async with running() as (submit, engine):
        submit(order("run"))
        await anyio.sleep(1)
        assert repr(engine) == "<Engine <Ledger: 1 watching>>"


async def test_a_debug_dump_tells_the_history_of_runs_whose_task_is_not_known(
    running: Any, client: FakeClient, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO)
    async with running() as (submit, engine):
        submit(order("watched"))
        await anyio.sleep(1)
        client.script["run_task"].extend([error("ServerException", status=500)] * 9)
        submit(order("run"))
        await anyio.sleep(1)
        engine.debug_dump()
    (message,) = [text for text in caplog.messages if text.startswith("<Engine")]
    first, line = message.splitlines()
    assert first == "<Engine <Ledger: 1 waiting, 1 watching>>"
    assert line.startswith(
        "  label of run: +0.0 s WAITING (launch 1 ordered, recovery NONE), +0.0 s SENDING (its turn),"
    )
    assert line.endswith("s WAITING (unknown outcome)")


async def test_ten_minutes_without_aws_fail_no_run_and_are_reported_once(
    running: Any, client: FakeClient, reports: Reports
):
    answer = client._answer

    async def out_of_reach(*arguments: Any) -> Any:
        if 60 <= anyio.current_time() < 660:
            raise ConnectTimeoutError(endpoint_url="https://ecs")
        return await answer(*arguments)

    client._answer = out_of_reach  # type: ignore[method-assign, assignment]  # AWS is out of reach here
    async with running() as (submit, _):
        submit(*(order(f"before-{number}") for number in range(10)))
        await anyio.sleep(100)
        submit(*(order(f"during-{number}") for number in range(10)))
        submit(Stop("before-0", "because"), Stop("during-0", "because"))
        await anyio.sleep(500)
        assert len(reports.of(Launched)) == 10
        await anyio.sleep(200)
    assert len(reports.of(Launched)) == 19
    assert reports.of(Cancelled) == [Cancelled("during-0")]
    assert len(client.calls("stop_task")) == 1
    assert [len(reports.of(kind)) for kind in (Paused, Resumed)] == [1, 1]
    assert len({call["clientToken"] for call in client.calls("run_task")}) == 19


async def test_a_fault_fails_the_health_check(running: Any, client: FakeClient, reports: Reports):
    client.script["list_tasks"].extend([KeyError("ResponseMetadata")] * 1000)
    async with running() as (submit, _):
        submit(CheckHealth("default"))
        await anyio.sleep(100)
    (checked,) = reports.of(HealthChecked)
    assert "KeyError" in str(checked.diagnosis)
    assert len(client.calls("list_tasks")) == 1


async def test_the_last_minutes_summary_is_logged_even_if_nothing_new_happens(
    running: Any, client: FakeClient, caplog: pytest.LogCaptureFixture
):
    throttled = error("ThrottlingException", "Rate exceeded")
    client.script["run_task"].extend([throttled] * 5)
    async with running() as (submit, _):
        submit(order("run-1"))
        await anyio.sleep(300)
    lines = [message for message in caplog.messages if message.startswith("AWS throttles RunTask")]
    assert len(lines) == 2
    assert lines[1].endswith("[the last of 4 in 60 s]")


async def test_its_status_counts_what_it_has_in_hand_and_what_happened_in_the_last_minute(
    running: Any, client: FakeClient
):
    client.script["run_task"].append(error("ThrottlingException"))
    async with running(concurrency=1) as (submit, engine):
        submit(order("first"))
        await anyio.sleep(5)
        status = engine.status(anyio.current_time())
        assert (status.waiting, status.sending, status.watched) == (0, 0, 1)
        assert (status.launches, status.throttles, status.limit) == (1, 1, None)
        client.latency = 1000
        submit(order("second"), order("third"))
        await anyio.sleep(100)
        status = engine.status(anyio.current_time())
        assert (status.waiting, status.sending, status.watched) == (1, 1, 1)
        assert (status.launches, status.throttles) == (0, 0), "a minute has passed"


async def test_runs_that_wait_for_their_images_revision_count_as_waiting(running: Any, client: FakeClient):
    def build() -> Request:
        return Request({"cluster": "default", "taskDefinition": "airflow-task"}, "airflow", image="airflow:2")

    client.latency = 5
    async with running(concurrency=1) as (submit, engine):
        submit(*(order(str(number), build=build) for number in range(3)))
        await anyio.sleep(7)
        status = engine.status(anyio.current_time())
        assert (status.waiting, status.sending, status.watched) == (3, 0, 0)
        await anyio.sleep(1000)
        assert engine.status(anyio.current_time()).watched == 3
