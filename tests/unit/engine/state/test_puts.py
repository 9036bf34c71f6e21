"""Launches whose container fetches its workload from S3: the object must be there before RunTask is called."""

from __future__ import annotations

from typing import Any

import pytest

from ecs_async_executor.engine.diagnosis.call_failures import Kind
from ecs_async_executor.engine.state.failure_rules import PUTS
from ecs_async_executor.messages import (
    Cancelled,
    Launched,
    LaunchFailed,
    Payload,
    Recovery,
    Request,
    Waiting,
)
from tests.support.engine import URL, FakeClient, FakeS3, Reports, error, fetching, refused, s3_error, started

pytestmark = pytest.mark.virtual_time

BODY = {"cluster": "default", "taskDefinition": "t"}


async def test_the_object_is_in_s3_when_runtask_is_called(
    launching: Any, client: FakeClient, s3: FakeS3, reports: Reports
):
    there: list[bytes | None] = []

    def run_task(sent: dict[str, Any]) -> Any:
        there.append(s3.objects.get(URL))
        return started(f"arn:{sent['clientToken']}")

    client.script["run_task"].append(run_task)
    async with launching() as at:
        at.launch("run", build=fetching())
        await at.idle()
        assert list(at.ledger.deletions) == []
    assert there == [b"token 1"]
    assert reports == [Launched("run", 1, "arn:run-001", "default", "airflow")]


async def test_a_command_that_holds_its_workload_needs_no_upload(launching: Any, s3: FakeS3):
    async with launching() as at:
        at.launch("run")
        await at.idle()
    assert s3.asked == []


async def test_a_replay_sends_the_same_bytes_and_uploads_nothing_again(
    launching: Any, client: FakeClient, s3: FakeS3, reports: Reports
):
    client.script["run_task"].extend([TimeoutError(), error("ServerException", status=500)])
    async with launching() as at:
        at.launch("run", build=fetching())
        await at.idle()
    sent = client.calls("run_task")
    assert len(sent) == 3
    assert all(body == sent[0] for body in sent)
    assert [call[0] for call in s3.asked] == ["put"]
    assert s3.objects == {URL: b"token 1"}
    assert len(reports.of(Launched)) == 1


async def test_a_throttled_launch_uploads_a_fresh_token_under_the_same_name(
    launching: Any, client: FakeClient, s3: FakeS3
):
    client.script["run_task"].append(error("ThrottlingException"))
    async with launching() as at:
        at.launch("run", build=fetching())
        await at.idle()
    assert s3.objects == {URL: b"token 2"}


async def test_while_s3_is_down_only_runs_that_need_it_wait_and_it_costs_them_nothing(
    launching: Any, client: FakeClient, s3: FakeS3, reports: Reports
):
    s3.script.extend([s3_error(Kind.PAYLOAD)] * 3)
    async with launching() as at:
        at.launch("run", build=fetching())
        at.launch("other")
        await at.idle()
    assert [report.run_id for report in reports.of(Launched)] == ["other", "run"]
    assert [report.run_id for report in reports.of(Waiting)] == ["run"]
    assert [at for _, _, at in s3.asked] == [0, 1, 3, 7]
    assert s3.objects == {URL: b"token 4"}
    assert len(client.calls("run_task")) == 2


async def test_an_upload_that_s3_denies_costs_a_start_attempt_and_leaves_nothing_to_delete(
    launching: Any, client: FakeClient, s3: FakeS3, reports: Reports
):
    s3.script.append(s3_error(Kind.DENIED))
    async with launching() as at:
        at.launch("run", build=fetching())
        await at.idle()
        assert list(at.ledger.deletions) == []
    (failed,) = reports.of(LaunchFailed)
    assert (failed.permanent, failed.costs_attempt) == (False, True)
    assert client.calls("run_task") == []


async def test_an_upload_that_s3_refuses_fails_its_run_at_once_and_leaves_nothing_to_delete(
    launching: Any, client: FakeClient, s3: FakeS3, reports: Reports
):
    s3.script.append(s3_error(Kind.CONFIGURATION))
    async with launching() as at:
        at.launch("run", build=fetching())
        await at.idle()
        assert list(at.ledger.deletions) == []
    (failed,) = reports.of(LaunchFailed)
    assert failed.permanent
    assert client.calls("run_task") == []


async def test_a_launch_that_fails_after_its_upload_has_its_object_deleted(
    launching: Any, client: FakeClient, reports: Reports
):
    client.script["run_task"].append(error("InvalidParameterException"))
    async with launching() as at:
        at.launch("run", build=fetching())
        await at.idle()
        assert list(at.ledger.deletions) == [URL]
    assert len(reports.of(LaunchFailed)) == 1


async def test_an_object_whose_upload_may_have_worked_is_deleted_when_the_run_is_cancelled(
    launching: Any, s3: FakeS3, reports: Reports
):
    s3.script.extend([s3_error(Kind.PAYLOAD)] * 99)
    async with launching() as at:
        at.launch("run", build=fetching())
        await at.idle(1)
        for report in at.ledger.stop("run", "because", 0.0):
            reports(report)
        await at.idle()
        assert list(at.ledger.deletions) == [URL]
    assert reports.of(Cancelled) == [Cancelled("run")]


@pytest.mark.parametrize("recovery", [Recovery.NONE, Recovery.REPLAY])
async def test_a_run_stopped_during_its_upload_is_not_launched(
    launching: Any, client: FakeClient, s3: FakeS3, reports: Reports, recovery: Recovery
):
    s3.latency = 5.0
    async with launching() as at:
        at.launch("run", build=fetching(), recovery=recovery)
        await at.idle(1)
        at.ledger.stop("run", "because", 0.0)
        await at.idle()
        assert list(at.ledger.deletions) == [URL]
    assert {name for name, _ in client.asked} == ({"list_tasks"} if recovery is Recovery.REPLAY else set())
    assert reports.of(Cancelled) == [Cancelled("run")]


async def test_a_refused_upload_does_not_prove_that_a_dead_engine_launched_nothing(
    launching: Any, client: FakeClient, s3: FakeS3, reports: Reports
):
    s3.script.append(s3_error(Kind.CONFIGURATION))
    client.script["list_tasks"].append(("arn:before",))
    async with launching() as at:
        at.launch("run", build=fetching(), recovery=Recovery.REPLAY)
        await at.idle()
    assert [report.arn for report in reports.of(Launched)] == ["arn:before"]
    assert client.calls("run_task") == []


async def test_a_task_that_a_dead_scheduler_launched_is_found_without_an_upload(
    launching: Any, client: FakeClient, s3: FakeS3, reports: Reports
):
    client.script["list_tasks"].append(("arn:before",))
    async with launching() as at:
        at.launch("run", build=fetching(), recovery=Recovery.SEARCH)
        await at.idle()
    assert [report.arn for report in reports.of(Launched)] == ["arn:before"]
    assert s3.asked == []


async def test_a_run_that_a_dead_scheduler_did_not_launch_is_searched_for_once_before_its_upload(
    launching: Any, client: FakeClient, s3: FakeS3
):
    async with launching() as at:
        at.launch("run", build=fetching(), recovery=Recovery.SEARCH)
        await at.idle()
    assert [name for name, _ in client.asked] == ["list_tasks", "run_task"]
    assert s3.objects == {URL: b"token 1"}


async def test_the_object_of_a_launch_that_another_engine_sent_is_left_for_its_container(
    launching: Any, client: FakeClient, reports: Reports
):
    client.script["run_task"].extend([error("ConflictException")] * 100)
    async with launching(missing_grace=60) as at:
        at.launch("run", build=fetching())
        await at.idle(59)
        assert reports.of(LaunchFailed) == []
        await at.idle()
        assert list(at.ledger.deletions) == []
    assert len(reports.of(LaunchFailed)) == 1


async def test_a_task_that_another_engine_started_is_found_as_soon_as_listtasks_lists_it(
    launching: Any, client: FakeClient, reports: Reports
):
    client.script["run_task"].extend([error("ConflictException")] * 100)
    client.script["list_tasks"].extend([(), ("arn:theirs",)])
    async with launching(missing_grace=60) as at:
        at.launch("run", build=fetching())
        await at.idle()
        assert list(at.ledger.deletions) == []
    assert [report.arn for report in reports.of(Launched)] == ["arn:theirs"]


async def test_a_successful_upload_resets_the_count_of_failed_ones(
    launching: Any, client: FakeClient, s3: FakeS3, reports: Reports
):
    s3.script.extend([*[s3_error(Kind.PAYLOAD)] * (PUTS - 1), None, s3_error(Kind.PAYLOAD)])
    client.script["run_task"].append(error("ThrottlingException"))
    async with launching() as at:
        at.launch("run", build=fetching())
        await at.idle()
    assert len(reports.of(Launched)) == 1


async def test_an_open_request_is_settled_before_its_upload(launching: Any, client: FakeClient, s3: FakeS3):
    payload = Payload(URL, b"token")

    def settle(_: Any) -> Request:
        return Request({**BODY, "launchType": "FARGATE"}, "airflow", payload=payload)

    async with launching() as at:
        at.launch("run", build=lambda: Request(BODY, "airflow", settle, payload))
        await at.idle()
    assert [call[0] for call in s3.asked] == ["put"]
    assert client.calls("run_task")[0]["launchType"] == "FARGATE"


async def test_the_next_launch_has_an_object_of_its_own(launching: Any, client: FakeClient, s3: FakeS3):
    client.script["run_task"].append(refused("RESOURCE:CPU"))
    second = "s3://bucket/airflow/run-002.json"
    async with launching() as at:
        at.launch("run", build=fetching())
        await at.idle()
        at.launch("run", number=2, build=fetching(second))
        await at.idle()
        assert list(at.ledger.deletions) == [URL]
    assert [body["clientToken"] for body in client.calls("run_task")] == ["run-001", "run-002"]
    assert second in s3.objects
