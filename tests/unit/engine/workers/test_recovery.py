from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from ecs_async_executor.engine.options import Rate
from ecs_async_executor.errors import InvalidRequestError
from ecs_async_executor.messages import (
    Cancelled,
    Launched,
    LaunchFailed,
    Recovery,
    Request,
    Stopped,
)
from tests.support.engine import FakeClient, Reports, error

pytestmark = pytest.mark.virtual_time


# --- runs of an earlier scheduler -----------------------------------------------------------------------


async def test_an_earlier_schedulers_run_is_searched_for_before_it_is_sent(
    launching: Any, client: FakeClient, reports: Reports
):
    client.script["list_tasks"].append(("arn:lives",))
    async with launching(started_by="airflow/prod") as at:
        at.launch("run", recovery=Recovery.SEARCH)
        await at.idle()
    assert client.calls("list_tasks") == [("default", "airflow/prod/run")]
    assert client.calls("run_task") == []
    assert [report.arn for report in reports.of(Launched)] == ["arn:lives"]


async def test_an_earlier_schedulers_run_is_sent_with_its_token_if_no_task_is_found(
    launching: Any, client: FakeClient, reports: Reports
):
    client.script["list_tasks"].append(())
    async with launching() as at:
        at.launch("run", number=3, recovery=Recovery.SEARCH)
        await at.idle()
    assert [body["clientToken"] for body in client.calls("run_task")] == ["run-003"]
    assert len(reports.of(Launched)) == 1


async def test_an_earlier_schedulers_run_is_sent_with_its_token_if_listtasks_is_denied(
    launching: Any, client: FakeClient, reports: Reports
):
    client.script["list_tasks"].extend([error("AccessDeniedException", operation="ListTasks")])
    async with launching() as at:
        at.launch("run", number=2, recovery=Recovery.SEARCH)
        await at.idle()
    assert [body["clientToken"] for body in client.calls("run_task")] == ["run-002"]
    assert len(reports.of(Launched)) == 1


async def test_a_run_whose_code_has_started_is_lost_after_an_hour_of_denied_listtasks_calls(
    launching: Any, client: FakeClient, reports: Reports
):
    client.script["list_tasks"].extend([error("AccessDeniedException", operation="ListTasks")] * 1000)
    async with launching() as at:
        at.launch("run", recovery=Recovery.SEARCH_ONLY)
        await at.idle(3000)
        assert reports == []
        await at.idle(1000)
    assert [type(report) for report in reports] == [Stopped]


async def test_an_earlier_schedulers_run_is_not_sent_while_listtasks_fails(
    launching: Any, client: FakeClient, reports: Reports
):
    client.script["list_tasks"].extend([error("ServerException", status=500, operation="ListTasks")] * 3)
    client.script["list_tasks"].append(("arn:lives",))
    async with launching() as at:
        at.launch("run", recovery=Recovery.SEARCH)
        await at.idle()
    assert client.calls("run_task") == []
    assert [report.arn for report in reports.of(Launched)] == ["arn:lives"]


async def test_a_run_whose_code_has_started_is_never_sent(
    launching: Any, client: FakeClient, reports: Reports
):
    client.script["list_tasks"].extend([(), ("arn:lives",)])
    async with launching() as at:
        at.launch("run", recovery=Recovery.SEARCH_ONLY)
        await at.idle()
    assert client.calls("run_task") == []
    assert [report.arn for report in reports.of(Launched)] == ["arn:lives"]


@pytest.mark.parametrize("answer", [(), error("ClusterNotFoundException", operation="ListTasks")])
async def test_a_run_whose_code_has_started_is_lost_if_no_task_is_found_within_the_grace_time(
    launching: Any, client: FakeClient, reports: Reports, answer: Any
):
    client.script["list_tasks"].extend([answer] * 100)
    async with launching(missing_grace=60) as at:
        at.launch("run", recovery=Recovery.SEARCH_ONLY)
        await at.idle()
    assert client.calls("run_task") == []
    (lost,) = reports.of(Stopped)
    assert lost.lost
    assert lost.diagnosis.summary == "ECS shows no running task of this run."
    assert len(client.calls("list_tasks")) > 1


# --- runs that need no RunTask use no permit ------------------------------------------------------------

ONE = Rate(per_second=1 / 3600, burst=1)
"""One RunTask call, and no more within the hour that a test takes."""


def launched(reports: Reports) -> list[str]:
    return [report.run_id for report in reports.of(Launched)]


async def test_runs_that_are_only_searched_for_take_neither_a_runtask_call_nor_a_launch_slot(
    launching: Any, client: FakeClient, reports: Reports
):
    async with launching(run_task_rate=ONE, read_rate=Rate(per_second=1, burst=1), concurrency=1) as at:
        for number in range(1000):
            at.launch(str(number), recovery=Recovery.SEARCH_ONLY)
        at.launch("new")
        await at.idle(5)
        assert launched(reports) == ["new"]
        assert len(client.calls("list_tasks")) <= 6
        await at.idle(1000)
    assert len({started_by for _, started_by in client.calls("list_tasks")}) == 1000
    assert len(client.calls("run_task")) == 1


async def test_at_most_ten_runs_are_searched_for_at_once(launching: Any, client: FakeClient):
    client.latency = 1
    async with launching() as at:
        for number in range(100):
            at.launch(str(number), recovery=Recovery.SEARCH_ONLY)
        await at.idle(60)
    assert client.most_in_flight == 10


async def test_a_stopping_launcher_does_not_wait_for_runs_still_to_be_searched_for(
    launching: Any, client: FakeClient
):
    client.latency = 1
    async with launching() as at:
        for number in range(100):
            at.launch(str(number), recovery=Recovery.SEARCH_ONLY)
        await at.idle(0.5)
        at.launcher.stopping = True
        await at.idle(1)
        assert at.ledger.sending == 0
    assert len(client.calls("list_tasks")) == 10


@pytest.mark.parametrize(
    "answers",
    [[("arn:lives",)], [error("ServerException", status=500, operation="ListTasks"), ("arn:lives",)]],
    ids=["found", "found at the second try"],
)
async def test_an_earlier_schedulers_live_run_leaves_its_runtask_permit_to_others(
    launching: Any, client: FakeClient, reports: Reports, answers: list[Any]
):
    client.script["list_tasks"].extend(answers)
    async with launching(run_task_rate=ONE) as at:
        at.launch("old", recovery=Recovery.SEARCH)
        await at.idle(100)
        at.launch("new")
        await at.idle(100)
    assert launched(reports) == ["old", "new"]


async def test_a_stopped_run_that_may_have_been_sent_leaves_its_runtask_permit_to_others(
    launching: Any, reports: Reports
):
    async with launching(run_task_rate=ONE, missing_grace=60) as at:
        at.launch("old", recovery=Recovery.REPLAY)
        at.ledger.stop("old", "why", 0.0)
        await at.idle(100)
        at.launch("new")
        await at.idle(100)
    assert reports.of(Cancelled) == [Cancelled("old")]
    assert launched(reports) == ["new"]


async def test_a_run_that_ends_while_it_waits_for_a_permit_leaves_it_to_others(
    launching: Any, client: FakeClient
):
    async with launching(run_task_rate=Rate(per_second=0.1, burst=1)) as at:
        at.launch("first")
        at.launch("second")
        await at.idle(5)
        at.ledger.forget("second", 0.0)
        await at.idle(10)
        at.launch("third")
        await at.idle()
    assert [body["clientToken"] for body in client.calls("run_task")] == ["first-001", "third-001"]
    assert client.times == pytest.approx([0, 15])


# --- searches before a launch ---------------------------------------------------------------------------


async def test_searches_that_end_together_are_followed_by_launches_at_their_rate(
    launching: Any, client: FakeClient
):
    client.latency = 25.0
    async with launching(run_task_rate=Rate(5, 5)) as at:
        for number in range(40):
            at.launch(str(number), recovery=Recovery.SEARCH)
        await at.idle(200)
    calls = zip(client.asked, client.times, strict=True)
    times = [at for (name, _), at in calls if name == "run_task"]
    assert len(times) == 40
    assert max(sum(begin <= other < begin + 1 for other in times) for begin in times) <= 10


async def test_a_run_that_is_forgotten_during_its_search_is_not_sent(
    launching: Any, client: FakeClient, reports: Reports
):
    client.latency = 5.0
    async with launching() as at:
        at.launch("run", recovery=Recovery.SEARCH)
        await at.idle(1)
        at.ledger.forget("run", 0.0)
        await at.idle()
    assert client.calls("run_task") == []
    assert reports == []


async def test_a_run_that_is_stopped_during_its_search_is_not_sent(
    launching: Any, client: FakeClient, reports: Reports
):
    client.latency = 5.0
    async with launching(missing_grace=60) as at:
        at.launch("run", recovery=Recovery.SEARCH)
        await at.idle(1)
        at.ledger.stop("run", "because", 0.0)
        await at.idle()
    assert client.calls("run_task") == []
    assert reports.of(Cancelled) == [Cancelled("run")]


def builds() -> Callable[[], Request]:
    """Make a builder whose requests all differ."""
    numbers = count(1)
    return lambda: Request({"taskDefinition": f"build {next(numbers)}"}, "airflow")


def built(client: FakeClient) -> list[str]:
    return [body["taskDefinition"] for body in client.calls("run_task")]


@pytest.mark.parametrize("recovery", [Recovery.SEARCH, Recovery.REPLAY])
async def test_a_send_of_ours_that_definitely_failed_is_repeated_with_a_fresh_token(
    launching: Any, client: FakeClient, reports: Reports, recovery: Recovery
):
    refusals = [error("ThrottlingException"), error("ExpiredTokenException"), error("AccessDeniedException")]
    client.script["run_task"].extend(refusals)
    async with launching(missing_grace=600) as at:
        at.launch("run", build=builds(), recovery=recovery)
        await at.idle(300)
        at.launch("later", build=builds())
        await at.idle()
    assert built(client)[:3] == ["build 1", "build 2", "build 3"]
    assert len(reports.of(Launched)) == 2


@pytest.mark.parametrize("recovery", [Recovery.SEARCH, Recovery.REPLAY])
async def test_a_send_of_ours_with_an_unknown_outcome_is_repeated_byte_for_byte(
    launching: Any, client: FakeClient, reports: Reports, recovery: Recovery
):
    client.script["run_task"].extend([error("ThrottlingException"), TimeoutError()])
    client.script["run_task"].extend([error("ExpiredTokenException")] * 20)
    async with launching() as at:
        at.launch("run", build=builds(), recovery=recovery)
        await at.idle(3600)
    assert built(client) == ["build 1", *["build 2"] * 22]
    assert len(reports.of(Launched)) == 1


async def test_a_run_that_was_searched_for_in_vain_is_not_searched_for_again(
    launching: Any, client: FakeClient, reports: Reports
):
    client.script["run_task"].extend([error("ThrottlingException"), TimeoutError()])
    async with launching() as at:
        at.launch("run", recovery=Recovery.SEARCH)
        await at.idle()
    assert len(client.calls("list_tasks")) == 1
    assert len(reports.of(Launched)) == 1


# --- requests that can no longer be built ---------------------------------------------------------------


def unbuildable() -> Request:
    raise InvalidRequestError("The overrides have 9000 characters.", "Shorten them.")


@pytest.mark.parametrize("recovery", [Recovery.SEARCH_ONLY, Recovery.SEARCH, Recovery.REPLAY])
@pytest.mark.parametrize("arns", [[("arn:lives",)], [(), ("arn:lives",)]], ids=["at once", "later"])
async def test_a_run_launched_by_others_is_found_even_if_its_request_cannot_be_built(
    launching: Any, client: FakeClient, reports: Reports, recovery: Recovery, arns: list[Any]
):
    client.script["list_tasks"].extend(arns)
    async with launching() as at:
        at.launch("run", cluster="one", build=unbuildable, recovery=recovery)
        await at.idle()
    assert set(client.calls("list_tasks")) == {("one", "airflow/default/run")}
    assert reports.of(Launched) == [Launched("run", 1, "arn:lives", "one", "airflow")]
    assert client.calls("run_task") == []


async def test_a_run_launched_by_others_is_stopped_even_if_its_request_cannot_be_built(
    launching: Any, client: FakeClient, reports: Reports
):
    client.script["list_tasks"].append(("arn:lives",))
    async with launching() as at:
        at.launch("run", build=unbuildable, recovery=Recovery.REPLAY)
        at.ledger.stop("run", "because", 0.0)
        await at.idle()
        assert [entry.arn for entry in at.ledger.stops] == ["arn:lives"]
    assert len(reports.of(Launched)) == 1


@pytest.mark.parametrize("recovery", [Recovery.SEARCH, Recovery.REPLAY])
async def test_a_run_owned_by_others_before_fails_after_the_grace_time_if_its_request_cannot_be_built(
    launching: Any, client: FakeClient, reports: Reports, recovery: Recovery
):
    async with launching(missing_grace=60, payloads="s3://bucket/airflow/") as at:
        at.launch("run", build=unbuildable, recovery=recovery)
        await at.idle(59)
        assert reports.of(LaunchFailed) == []
        await at.idle()
        assert list(at.ledger.deletions) == ["s3://bucket/airflow/run-001.json"]
    (failed,) = reports.of(LaunchFailed)
    assert failed.permanent
    assert "9000 characters" in failed.diagnosis.summary
