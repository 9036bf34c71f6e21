from __future__ import annotations

from typing import Any

import anyio
import pytest

from ecs_async_executor.engine.state.entry import Entry, LaunchRecord, State
from ecs_async_executor.engine.workers.requests import Requests
from ecs_async_executor.messages import Request
from tests.support.engine import FakeClient, options

pytestmark = pytest.mark.virtual_time
BODY = {"cluster": "one", "taskDefinition": "airflow-task"}


def waits_for_default() -> Request:
    return Request(BODY, "airflow", lambda _: Request(BODY, "airflow"))


def waits_for_image() -> Request:
    return Request(BODY, "airflow", image="airflow:2")


def waits_for_both() -> Request:
    return Request(BODY, "airflow", lambda _: Request(BODY, "airflow", image="airflow:2"), image="airflow:2")


def waits_for_nothing() -> Request:
    return Request(BODY, "airflow")


def entry(run_id: str, build: Any) -> Entry:
    return Entry(run_id, run_id, 1, State.SENDING, launch=LaunchRecord(build))


@pytest.mark.parametrize("build", [waits_for_default, waits_for_image, waits_for_both])
async def test_a_run_that_comes_with_the_answer_overtakes_none_that_waited_for_it(
    make_calls: Any, client: FakeClient, build: Any
):
    client.latency = 1.0
    requests = Requests(make_calls(options()), options())
    newcomers = []

    async def wait(run_id: str) -> None:
        await requests.wait(entry(run_id, build))
        newcomers.append(requests.request(entry("newcomer", build)).is_open)

    async with anyio.create_task_group() as tasks:
        for number in range(3):
            tasks.start_soon(wait, f"run-{number}")
    assert newcomers == [True, True, False]


async def test_a_newcomer_waits_for_nothing_but_those_who_waited(make_calls: Any, client: FakeClient):
    client.latency = 1.0
    requests = Requests(make_calls(options()), options())
    newcomer = entry("newcomer", waits_for_default)

    async def wait(run_id: str) -> None:
        await requests.wait(entry(run_id, waits_for_default))
        if run_id == "run-0":
            tasks.start_soon(requests.wait, newcomer)

    async with anyio.create_task_group() as tasks:
        for number in range(3):
            tasks.start_soon(wait, f"run-{number}")
    assert not requests.request(newcomer).is_open
    assert client.calls("default_strategy") == ["one"]
    assert anyio.current_time() == pytest.approx(1.0)


async def test_a_request_that_lacks_nothing_is_not_held_back(make_calls: Any, client: FakeClient):
    client.latency = 1.0
    requests = Requests(make_calls(options()), options())
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(requests.wait, entry("waits", waits_for_default))
        await anyio.sleep(0.5)
        assert not requests.request(entry("with a launch type", waits_for_nothing)).is_open


async def test_the_request_names_the_revision_that_runs_the_image(make_calls: Any, client: FakeClient):
    requests = Requests(make_calls(options()), options())
    run = entry("run", waits_for_both)
    await requests.wait(run)
    request = requests.request(run)
    assert request.image == ""
    assert client.definitions.image_of(request.body["taskDefinition"]) == "airflow:2"
    assert {**request.body, "taskDefinition": "airflow-task"} == BODY


async def test_a_run_that_waits_keeps_no_request(make_calls: Any, client: FakeClient):
    client.latency = 1.0
    requests = Requests(make_calls(options()), options())
    run = entry("run", waits_for_image)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(requests.wait, run)
        await anyio.sleep(0.5)
        assert run.launch.request is None
