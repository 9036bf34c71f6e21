from __future__ import annotations

from typing import Any

import anyio
import pytest

from ecs_async_executor.engine.state.entry import Entry, LaunchRecord, State
from ecs_async_executor.engine.workers.requests import Requests
from ecs_async_executor.messages import Request
from tests.support.engine import FakeClient, options

pytestmark = pytest.mark.virtual_time


def waits_for_default() -> Request:
    body = {"cluster": "one", "taskDefinition": "t"}
    return Request(body, "airflow", lambda _: Request(body, "airflow"))


def entry(run_id: str) -> Entry:
    return Entry(run_id, run_id, 1, State.SENDING, launch=LaunchRecord(waits_for_default))


async def test_a_run_that_comes_with_the_clusters_default_overtakes_none_that_waited_for_it(
    make_calls: Any, client: FakeClient
):
    client.latency = 1.0
    requests = Requests(make_calls(options()), options())
    must_wait = []

    async def wait(run_id: str) -> None:
        settled = await requests.settle(entry(run_id))
        assert settled.settle is None
        newcomer = requests.request(entry("newcomer"))
        must_wait.append(requests.must_wait(newcomer))

    async with anyio.create_task_group() as tasks:
        for number in range(3):
            tasks.start_soon(wait, f"run-{number}")
    assert must_wait == [True, True, False]
    assert client.calls("default_strategy") == ["one"]


async def test_a_request_that_needs_no_default_waits_for_nothing(make_calls: Any):
    requests = Requests(make_calls(options()), options())
    assert requests.must_wait(waits_for_default())
    assert not requests.must_wait(Request({"cluster": "one"}, "airflow"))
