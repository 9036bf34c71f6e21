"""A library that wraps the client's calls raises after the call is done, for a while or forever."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import anyio
import pytest

from ecs_async_executor.engine.state.entry import FAULTS
from ecs_async_executor.messages import (
    Cancelled,
    Launched,
    LaunchFailed,
    Recovery,
    Request,
    Stopped,
    Waiting,
)
from tests.support.engine import FakeClient, Reports, error, started

pytestmark = pytest.mark.virtual_time

FAULT = KeyError("ResponseMetadata")
FOREVER = [FAULT] * 10_000


async def test_a_launch_is_replayed_while_calls_fail_in_this_process_and_its_token_finds_the_task(
    launching: Any, client: FakeClient, reports: Reports
):
    client.script["run_task"].extend([FAULT] * (FAULTS - 1))
    async with launching() as at:
        at.launch("run")
        await at.idle()
    sent = client.calls("run_task")
    assert len(sent) == FAULTS
    assert all(body == sent[0] for body in sent)
    assert [report.arn for report in reports.of(Launched)] == ["arn:run-001"]
    assert client.calls("list_tasks") == []


async def test_after_a_few_replays_the_task_is_only_searched_for_and_adopted_if_listtasks_finds_it(
    launching: Any, client: FakeClient, reports: Reports
):
    client.script["run_task"].extend(FOREVER)
    client.script["list_tasks"].extend([(), (), ("arn:lives",)])
    async with launching() as at:
        at.launch("run")
        await at.idle()
    assert len(client.calls("run_task")) == FAULTS
    assert [report.arn for report in reports.of(Launched)] == ["arn:lives"]


@pytest.mark.parametrize("listed", [(), FAULT], ids=["finds none", "fails in the same way"])
async def test_a_run_whose_task_is_never_found_fails_permanently_after_the_grace_time(
    launching: Any, client: FakeClient, reports: Reports, listed: Any
):
    client.script["run_task"].extend(FOREVER)
    client.script["list_tasks"].extend([listed] * 10_000)
    async with launching(missing_grace=60) as at:
        at.launch("run")
        await at.idle(60)
        assert reports.of(LaunchFailed) == []
        await at.idle(60)
        assert len(at.ledger) == 0
    assert len(client.calls("run_task")) == FAULTS
    (failed,) = reports.of(LaunchFailed)
    assert failed.permanent
    assert "KeyError: 'ResponseMetadata'" in failed.diagnosis.detail
    assert "Nothing to do" not in str(reports)
    assert len(reports.of(Waiting)) == 1


async def test_the_grace_time_counts_from_the_last_send(launching: Any, client: FakeClient, reports: Reports):
    """ListTasks is eventually consistent with the send that started the task, which may be the last one."""
    client.script["run_task"].extend([TimeoutError()] * 10)
    client.script["run_task"].append(error("AccessDeniedException"))
    client.script["list_tasks"].extend([()] * 2)
    client.script["list_tasks"].append(("arn:lives",))
    client.script["run_task"].extend([error("AccessDeniedException")] * 10)
    async with launching(missing_grace=120) as at:
        at.launch("run")
        await at.idle()
    assert reports.of(LaunchFailed) == []
    assert [report.arn for report in reports.of(Launched)] == ["arn:lives"]


async def test_a_run_whose_code_has_started_is_searched_for_as_long_as_ecs_keeps_tasks(
    launching: Any, client: FakeClient, reports: Reports
):
    client.script["list_tasks"].extend(FOREVER)
    async with launching(missing_grace=60) as at:
        at.launch("run", recovery=Recovery.SEARCH_ONLY)
        await at.idle(3500)
        assert reports == []
        await at.idle(200)
    (lost,) = reports
    assert isinstance(lost, Stopped)
    assert "KeyError" in lost.diagnosis.detail
    assert client.calls("run_task") == []


async def test_a_run_to_be_stopped_is_searched_for_as_long_as_ecs_keeps_tasks(
    launching: Any, client: FakeClient, reports: Reports
):
    client.script["run_task"].extend(FOREVER)
    client.script["list_tasks"].extend(FOREVER)
    async with launching(missing_grace=60) as at:
        at.launch("run")
        await at.idle(3)
        at.ledger.stop("run", "because", 0.0)
        await at.idle(3500)
        assert reports.of(Cancelled) == []
        await at.idle(200)
    assert len(reports.of(Cancelled)) == 1
    assert len(client.calls("run_task")) <= FAULTS


async def test_a_run_fails_unsent_if_its_clusters_default_cannot_be_fetched(
    launching: Any, client: FakeClient, reports: Reports
):
    client.script["default_strategy"].extend(FOREVER)
    request = Request({"cluster": "default", "taskDefinition": "t"}, "airflow")
    unsettled = replace(request, settle=lambda _: request)
    async with launching(missing_grace=60) as at:
        at.launch("run", build=lambda: unsettled)
        await at.idle()
    assert client.calls("run_task") == []
    assert [report.permanent for report in reports.of(LaunchFailed)] == [True]


async def test_faults_of_one_run_delay_no_other_run(launching: Any, client: FakeClient, reports: Reports):
    def fails_for_one(sent: Any) -> Any:
        return FAULT if sent["clientToken"].startswith("bad") else started("arn:good")

    client.script["run_task"].extend([fails_for_one] * 100)
    async with launching(missing_grace=60) as at:
        at.launch("bad")
        at.launch("good")
        await anyio.sleep(0.5)
        assert [report.run_id for report in reports.of(Launched)] == ["good"]
        await at.idle()
    assert [report.run_id for report in reports.of(LaunchFailed)] == ["bad"]


async def test_a_refused_replay_does_not_count_while_listtasks_fails_in_this_process(
    launching: Any, client: FakeClient, reports: Reports
):
    client.script["run_task"].append(TimeoutError())
    client.script["run_task"].extend([error("AccessDeniedException")] * 100)
    client.script["list_tasks"].extend(FOREVER)
    async with launching(missing_grace=60) as at:
        at.launch("run")
        await at.idle()
    (failed,) = reports.of(LaunchFailed)
    assert failed.permanent, "a relaunch with another token could run at the same time"
    assert "KeyError" in failed.diagnosis.detail


async def test_a_request_that_breaks_the_launcher_fails_only_its_own_run(
    launching: Any, client: FakeClient, reports: Reports
):
    async with launching(missing_grace=60) as at:
        at.launch("bad", build=lambda: Request(None, "airflow"))  # type: ignore[arg-type]  # the point
        at.launch("good")
        await at.idle()
    assert [report.run_id for report in reports.of(Launched)] == ["good"]
    (failed,) = reports.of(LaunchFailed)
    assert (failed.run_id, failed.permanent) == ("bad", True)
    assert "TypeError" in failed.diagnosis.detail or "AttributeError" in failed.diagnosis.detail
