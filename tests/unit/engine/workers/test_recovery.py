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


# --- what others had in hand ------------------------------------------------------------------------------


async def test_a_run_of_a_former_scheduler_is_looked_for_before_it_is_sent(
    launching: Any, client: FakeClient, reports: Reports
):
    client.script["list_tasks"].append(("arn:lives",))
    async with launching(started_by="airflow/prod") as at:
        at.launch("run", recovery=Recovery.LOOK)
        await at.idle()
    assert client.calls("list_tasks") == [("default", "airflow/prod/run")]
    assert client.calls("run_task") == []
    assert [report.arn for report in reports.of(Launched)] == ["arn:lives"]


async def test_a_run_of_a_former_scheduler_that_is_not_found_is_sent_under_its_token(
    launching: Any, client: FakeClient, reports: Reports
):
    client.script["list_tasks"].append(())
    async with launching() as at:
        at.launch("run", number=3, recovery=Recovery.LOOK)
        await at.idle()
    assert [body["clientToken"] for body in client.calls("run_task")] == ["run-3"]
    assert len(reports.of(Launched)) == 1


async def test_a_run_of_a_former_scheduler_is_sent_under_its_token_if_listtasks_is_denied(
    launching: Any, client: FakeClient, reports: Reports
):
    client.script["list_tasks"].extend([error("AccessDeniedException", operation="ListTasks")])
    async with launching() as at:
        at.launch("run", number=2, recovery=Recovery.LOOK)
        await at.idle()
    assert [body["clientToken"] for body in client.calls("run_task")] == ["run-2"]
    assert len(reports.of(Launched)) == 1


async def test_a_run_whose_code_has_started_is_lost_after_an_hour_in_which_listtasks_is_denied(
    launching: Any, client: FakeClient, reports: Reports
):
    client.script["list_tasks"].extend([error("AccessDeniedException", operation="ListTasks")] * 1000)
    async with launching() as at:
        at.launch("run", recovery=Recovery.FIND)
        await at.idle(3000)
        assert reports == []
        await at.idle(1000)
    assert [type(report) for report in reports] == [Stopped]


async def test_a_run_of_a_former_scheduler_is_not_sent_while_listtasks_fails(
    launching: Any, client: FakeClient, reports: Reports
):
    client.script["list_tasks"].extend([error("ServerException", status=500, operation="ListTasks")] * 3)
    client.script["list_tasks"].append(("arn:lives",))
    async with launching() as at:
        at.launch("run", recovery=Recovery.LOOK)
        await at.idle()
    assert client.calls("run_task") == []
    assert [report.arn for report in reports.of(Launched)] == ["arn:lives"]


async def test_a_run_whose_code_has_started_is_never_sent(
    launching: Any, client: FakeClient, reports: Reports
):
    client.script["list_tasks"].extend([(), ("arn:lives",)])
    async with launching() as at:
        at.launch("run", recovery=Recovery.FIND)
        await at.idle()
    assert client.calls("run_task") == []
    assert [report.arn for report in reports.of(Launched)] == ["arn:lives"]


@pytest.mark.parametrize("answer", [(), error("ClusterNotFoundException", operation="ListTasks")])
async def test_a_run_whose_code_has_started_is_lost_if_nothing_is_found_within_the_grace_time(
    launching: Any, client: FakeClient, reports: Reports, answer: Any
):
    client.script["list_tasks"].extend([answer] * 100)
    async with launching(missing_grace=60) as at:
        at.launch("run", recovery=Recovery.FIND)
        await at.idle()
    assert client.calls("run_task") == []
    (lost,) = reports.of(Stopped)
    assert lost.lost
    assert lost.diagnosis.summary == "ECS shows no running task of this run."
    assert len(client.calls("list_tasks")) > 1


# --- what needs no RunTask costs none ---------------------------------------------------------------------

ONE = Rate(per_second=1 / 3600, burst=1)
"""One RunTask call, and no other in the hour of a test."""


def launched(reports: Reports) -> list[str]:
    return [report.run_id for report in reports.of(Launched)]


async def test_runs_that_are_only_looked_for_take_neither_a_call_nor_a_place_of_a_launch(
    launching: Any, client: FakeClient, reports: Reports
):
    async with launching(run_task_rate=ONE, read_rate=Rate(per_second=1, burst=1), concurrency=1) as at:
        for number in range(1000):
            at.launch(str(number), recovery=Recovery.FIND)
        at.launch("new")
        await at.idle(5)
        assert launched(reports) == ["new"]
        assert len(client.calls("list_tasks")) <= 6
        await at.idle(1000)
    assert len({started_by for _, started_by in client.calls("list_tasks")}) == 1000
    assert len(client.calls("run_task")) == 1


async def test_no_more_than_ten_are_looked_for_at_once(launching: Any, client: FakeClient):
    client.latency = 1
    async with launching() as at:
        for number in range(100):
            at.launch(str(number), recovery=Recovery.FIND)
        await at.idle(60)
    assert client.most_in_flight == 10


async def test_once_it_is_stopping_nobody_waits_for_runs_still_to_be_looked_for(
    launching: Any, client: FakeClient
):
    client.latency = 1
    async with launching() as at:
        for number in range(100):
            at.launch(str(number), recovery=Recovery.FIND)
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
async def test_a_run_of_a_former_scheduler_that_lives_leaves_its_runtask_to_others(
    launching: Any, client: FakeClient, reports: Reports, answers: list[Any]
):
    client.script["list_tasks"].extend(answers)
    async with launching(run_task_rate=ONE) as at:
        at.launch("old", recovery=Recovery.LOOK)
        await at.idle(100)
        at.launch("new")
        await at.idle(100)
    assert launched(reports) == ["old", "new"]


async def test_a_stopped_run_that_may_have_been_sent_leaves_its_runtask_to_others(
    launching: Any, reports: Reports
):
    async with launching(run_task_rate=ONE, missing_grace=60) as at:
        at.launch("old", recovery=Recovery.REPLAY)
        at.ledger.stop("old", "why")
        await at.idle(100)
        at.launch("new")
        await at.idle(100)
    assert reports.of(Cancelled) == [Cancelled("old")]
    assert launched(reports) == ["new"]


async def test_a_run_that_ends_while_it_waits_for_its_call_leaves_it_to_others(
    launching: Any, client: FakeClient
):
    async with launching(run_task_rate=Rate(per_second=0.1, burst=1)) as at:
        at.launch("first")
        at.launch("second")
        await at.idle(5)
        at.ledger.forget("second")
        await at.idle(10)
        at.launch("third")
        await at.idle()
    assert [body["clientToken"] for body in client.calls("run_task")] == ["first-1", "third-1"]
    assert client.times == pytest.approx([0, 15])


# --- what is asked first ------------------------------------------------------------------------------------------


async def test_looks_that_end_together_are_followed_by_launches_at_their_rate(
    launching: Any, client: FakeClient
):
    client.latency = 25.0
    async with launching(run_task_rate=Rate(5, 5)) as at:
        for number in range(40):
            at.launch(str(number), recovery=Recovery.LOOK)
        await at.idle(200)
    calls = zip(client.asked, client.times, strict=True)
    times = [at for (name, _), at in calls if name == "run_task"]
    assert len(times) == 40
    assert max(sum(begin <= other < begin + 1 for other in times) for begin in times) <= 10


async def test_a_run_that_is_forgotten_while_it_is_looked_for_is_not_sent(
    launching: Any, client: FakeClient, reports: Reports
):
    client.latency = 5.0
    async with launching() as at:
        at.launch("run", recovery=Recovery.LOOK)
        await at.idle(1)
        at.ledger.forget("run")
        await at.idle()
    assert client.calls("run_task") == []
    assert reports == []


async def test_a_run_that_is_stopped_while_it_is_looked_for_is_not_sent(
    launching: Any, client: FakeClient, reports: Reports
):
    client.latency = 5.0
    async with launching(missing_grace=60) as at:
        at.launch("run", recovery=Recovery.LOOK)
        await at.idle(1)
        at.ledger.stop("run", "because")
        await at.idle()
    assert client.calls("run_task") == []
    assert reports.of(Cancelled) == [Cancelled("run")]


def builds() -> Callable[[], Request]:
    """Make a builder each of whose requests can be told from the others."""
    numbers = count(1)
    return lambda: Request({"taskDefinition": f"build {next(numbers)}"}, "airflow")


def built(client: FakeClient) -> list[str]:
    return [body["taskDefinition"] for body in client.calls("run_task")]


@pytest.mark.parametrize("recovery", [Recovery.LOOK, Recovery.REPLAY])
async def test_what_this_engine_has_sent_for_sure_in_vain_is_sent_again_with_a_fresh_token(
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


@pytest.mark.parametrize("recovery", [Recovery.LOOK, Recovery.REPLAY])
async def test_what_this_engine_has_sent_with_an_unknown_outcome_stays_as_it_is_to_the_byte(
    launching: Any, client: FakeClient, reports: Reports, recovery: Recovery
):
    client.script["run_task"].extend([error("ThrottlingException"), TimeoutError()])
    client.script["run_task"].extend([error("ExpiredTokenException")] * 20)
    async with launching() as at:
        at.launch("run", build=builds(), recovery=recovery)
        await at.idle(3600)
    assert built(client) == ["build 1", *["build 2"] * 22]
    assert len(reports.of(Launched)) == 1


async def test_a_run_that_was_looked_for_and_not_found_is_not_looked_for_again(
    launching: Any, client: FakeClient, reports: Reports
):
    client.script["run_task"].extend([error("ThrottlingException"), TimeoutError()])
    async with launching() as at:
        at.launch("run", recovery=Recovery.LOOK)
        await at.idle()
    assert len(client.calls("list_tasks")) == 1
    assert len(reports.of(Launched)) == 1


# --- whose request can't be built any more -----------------------------------------------------------------------


def unbuildable() -> Request:
    raise InvalidRequestError("The overrides have 9000 characters.", "Shorten them.")


@pytest.mark.parametrize("recovery", [Recovery.FIND, Recovery.LOOK, Recovery.REPLAY])
@pytest.mark.parametrize("arns", [[("arn:lives",)], [(), ("arn:lives",)]], ids=["at once", "later"])
async def test_what_others_have_launched_is_found_though_its_request_can_not_be_built(
    launching: Any, client: FakeClient, reports: Reports, recovery: Recovery, arns: list[Any]
):
    client.script["list_tasks"].extend(arns)
    async with launching() as at:
        at.launch("run", cluster="one", build=unbuildable, recovery=recovery)
        await at.idle()
    assert set(client.calls("list_tasks")) == {("one", "airflow/default/run")}
    assert reports.of(Launched) == [Launched("run", 1, "arn:lives", "one", "airflow")]
    assert client.calls("run_task") == []


async def test_what_others_may_have_launched_is_stopped_though_its_request_can_not_be_built(
    launching: Any, client: FakeClient, reports: Reports
):
    client.script["list_tasks"].append(("arn:lives",))
    async with launching() as at:
        at.launch("run", build=unbuildable, recovery=Recovery.REPLAY)
        at.ledger.stop("run", "because")
        await at.idle()
        assert [entry.arn for entry in at.ledger.stops] == ["arn:lives"]
    assert len(reports.of(Launched)) == 1


@pytest.mark.parametrize("recovery", [Recovery.LOOK, Recovery.REPLAY])
async def test_a_request_that_can_not_be_built_fails_what_others_had_in_hand_after_the_grace_time(
    launching: Any, client: FakeClient, reports: Reports, recovery: Recovery
):
    async with launching(missing_grace=60, payloads="s3://bucket/airflow/") as at:
        at.launch("run", build=unbuildable, recovery=recovery)
        await at.idle(59)
        assert reports.of(LaunchFailed) == []
        await at.idle()
        assert at.ledger.deletions == ["s3://bucket/airflow/run-1.json"]
    (failed,) = reports.of(LaunchFailed)
    assert failed.permanent
    assert "9000 characters" in failed.diagnosis.summary
