from __future__ import annotations

from typing import Any

import anyio
import pytest

from ecs_async_executor.engine.options import Rate
from ecs_async_executor.engine.responses import Tasks
from ecs_async_executor.errors import InvalidRequestError
from ecs_async_executor.messages import (
    Cancelled,
    Launched,
    LaunchFailed,
    Recovery,
    Request,
    Waiting,
)
from tests.support.engine import FakeClient, Reports, error, refused, started

pytestmark = pytest.mark.virtual_time


async def test_a_run_is_sent_with_its_token_and_startedby(
    launching: Any, client: FakeClient, reports: Reports
):
    async with launching(started_by="airflow/prod") as at:
        at.launch("run", number=3, cluster="one")
        await at.idle()
    assert client.calls("run_task") == [
        {
            "cluster": "one",
            "taskDefinition": "airflow-task",
            "clientToken": "run-003",
            "startedBy": "airflow/prod/run",
        }
    ]
    assert reports == [Launched("run", 3, "arn:run-003", "one", "airflow")]


async def test_at_most_concurrency_calls_are_in_flight(launching: Any, client: FakeClient, reports: Reports):
    client.latency = 1.0
    async with launching(concurrency=7) as at:
        for number in range(50):
            at.launch(str(number))
        await at.idle()
    assert client.most_in_flight == 7
    assert len(reports.of(Launched)) == 50


async def test_the_run_is_chosen_when_its_call_can_be_made(
    launching: Any, client: FakeClient, reports: Reports
):
    async with launching(run_task_rate=Rate(per_second=0.1, burst=1)) as at:
        at.launch("first")
        at.launch("low")
        await at.idle(5)
        at.launch("high", priority=9)
        await at.idle()
    assert [report.run_id for report in reports.of(Launched)] == ["first", "high", "low"]


async def test_the_same_bytes_are_sent_until_the_outcome_is_known(
    launching: Any, client: FakeClient, reports: Reports
):
    built: list[int] = []

    def build() -> Request:
        built.append(len(built))
        return Request(
            {"cluster": "default", "tags": [{"key": "build", "value": str(len(built))}]}, "airflow"
        )

    client.script["run_task"].extend(
        [error("ServerException", status=500), TimeoutError(), error("ThrottlingException"), Tasks()]
    )
    async with launching() as at:
        at.launch("run", build=build)
        await at.idle()
    bodies = client.calls("run_task")
    assert len(bodies) == 5
    assert all(body == bodies[0] for body in bodies)
    assert built == [0]
    assert len(reports.of(Waiting)) == 1
    assert len(reports.of(Launched)) == 1


@pytest.mark.parametrize(
    ("answer", "reported"),
    [(refused("RESOURCE:CPU"), [LaunchFailed]), (error("ConflictException"), [Waiting, LaunchFailed])],
)
async def test_a_launch_that_has_started_nothing_is_over_and_costs_no_attempt(
    launching: Any, client: FakeClient, reports: Reports, answer: Any, reported: list[Any]
):
    client.script["run_task"].extend([answer] * 100)
    async with launching(missing_grace=60) as at:
        at.launch("run")
        await at.idle()
    assert {body["clientToken"] for body in client.calls("run_task")} == {"run-001"}
    assert [type(report) for report in reports] == reported
    failed = reports[-1]
    assert isinstance(failed, LaunchFailed)
    assert (failed.number, failed.permanent, failed.costs_attempt) == (1, False, False)


async def test_a_conflict_adopts_the_task_that_the_token_started(
    launching: Any, client: FakeClient, reports: Reports
):
    client.script["run_task"].append(error("ConflictException", resourceIds=["arn:old"]))
    async with launching() as at:
        at.launch("run")
        await at.idle()
    assert reports == [Launched("run", 1, "arn:old", "default", "airflow")]
    assert client.calls("list_tasks") == []


async def test_a_conflict_that_names_no_task_leads_to_listtasks(
    launching: Any, client: FakeClient, reports: Reports
):
    client.script["run_task"].append(error("ConflictException"))
    client.script["list_tasks"].append(("arn:old",))
    async with launching(started_by="airflow/prod") as at:
        at.launch("run")
        await at.idle()
    assert client.calls("list_tasks") == [("default", "airflow/prod/run")]
    assert reports == [Launched("run", 1, "arn:old", "default", "airflow")]


@pytest.mark.parametrize("code", ["AccessDeniedException", "ThrottlingException", "ServerException"])
async def test_a_conflict_stays_undecided_while_listtasks_fails(
    launching: Any, client: FakeClient, reports: Reports, code: str
):
    client.script["run_task"].extend([error("ConflictException"), error("ConflictException")])
    client.script["list_tasks"].extend([error(code, operation="ListTasks"), ("arn:old",)])
    async with launching() as at:
        at.launch("run")
        await at.idle()
    assert {body["clientToken"] for body in client.calls("run_task")} == {"run-001"}
    assert [report.arn for report in reports.of(Launched)] == ["arn:old"]


@pytest.mark.parametrize(
    "refusal",
    [
        error("AccessDeniedException", "not authorized"),
        error("ClientException", "You've reached the limit on the number of tasks you can run concurrently"),
        error("ClientException", "TaskDefinition is inactive"),
        error("ClientException", "ECS was unable to assume the role 'arn:aws:iam::1:role/task'"),
    ],
    ids=["access", "capacity", "configuration", "role"],
)
async def test_a_refusal_after_an_unknown_outcome_does_not_count_if_a_task_was_started(
    launching: Any, client: FakeClient, reports: Reports, refusal: Exception
):
    client.script["run_task"].extend([error("ServerException", status=500), refusal])
    client.script["list_tasks"].append(("arn:started-all-the-same",))
    async with launching() as at:
        at.launch("run")
        await at.idle()
    assert [report.arn for report in reports.of(Launched)] == ["arn:started-all-the-same"]
    assert reports.of(LaunchFailed) == []
    assert len(client.calls("run_task")) == 2


async def test_a_refusal_after_an_unknown_outcome_counts_if_listtasks_knows_no_task(
    launching: Any, client: FakeClient, reports: Reports
):
    refusal = error("AccessDeniedException", "not authorized")
    client.script["run_task"].extend([TimeoutError(), *[refusal] * 100])
    async with launching(missing_grace=60) as at:
        at.launch("run")
        await at.idle()
    assert [type(report) for report in reports] == [Waiting, LaunchFailed]
    assert len(client.calls("list_tasks")) > 1


async def test_while_refused_replays_are_searched_for_their_room_counts_as_full(
    launching: Any, client: FakeClient
):
    client.script["run_task"].extend([refused("RESOURCE:CPU")] * 100)
    client.script["list_tasks"].extend([error("ThrottlingException", operation="ListTasks")] * 1000)
    async with launching() as at:
        for number in range(50):
            at.launch(f"run {number}", recovery=Recovery.REPLAY)
        await anyio.sleep(10)
    assert len(client.calls("run_task")) < 25


async def test_a_task_that_listtasks_does_not_know_yet_is_not_started_twice(
    launching: Any, client: FakeClient, reports: Reports
):
    refusal = error(
        "ClientException", "You've reached the limit on the number of tasks you can run concurrently"
    )
    client.script["run_task"].extend([TimeoutError(), *[refusal] * 100])
    client.script["list_tasks"].extend([(), (), ("arn:known-at-last",)])
    async with launching() as at:
        at.launch("run")
        await at.idle()
    assert [report.arn for report in reports.of(Launched)] == ["arn:known-at-last"]
    assert {call["clientToken"] for call in client.calls("run_task")} == {"run-001"}


@pytest.mark.parametrize("arns", [(), ("arn:lives",)])
async def test_a_stopped_run_that_may_have_been_sent_is_searched_for_and_never_sent(
    launching: Any, client: FakeClient, reports: Reports, arns: tuple[str, ...]
):
    client.script["list_tasks"].extend([(), arns])
    async with launching() as at:
        at.launch("run", recovery=Recovery.REPLAY)
        at.ledger.stop("run", "why", 0.0)
        await at.idle()
    assert client.calls("run_task") == []
    assert [report.arn for report in reports.of(Launched)] == list(arns)
    assert [entry.arn for entry in at.ledger.stops] == list(arns)
    assert len(reports.of(Cancelled)) == 1 - len(arns)


async def test_a_run_that_was_throttled_for_long_is_sent_with_a_fresh_token(
    launching: Any, client: FakeClient, reports: Reports
):
    tokens = iter("abc")
    client.script["run_task"].extend([error("ThrottlingException"), TimeoutError()])
    async with launching() as at:
        at.launch("run", build=lambda: Request({"taskDefinition": next(tokens)}, "airflow"))
        await at.idle()
    assert [call["taskDefinition"] for call in client.calls("run_task")] == ["a", "b", "b"]
    assert len(reports.of(Launched)) == 1


async def test_a_request_that_cannot_be_built_fails_only_its_run(
    launching: Any, client: FakeClient, reports: Reports, caplog: pytest.LogCaptureFixture
):
    def invalid() -> Request:
        raise InvalidRequestError("The tags are too many.", "Remove some.")

    def broken() -> Request:
        raise KeyError("the-token")

    async with launching() as at:
        at.launch("invalid", build=invalid)
        at.launch("broken", build=broken)
        at.launch("fine")
        await at.idle()
    failed = {report.run_id: report for report in reports.of(LaunchFailed)}
    assert str(failed["invalid"].diagnosis) == "The tags are too many. Remove some."
    assert "the-token" not in str(failed["broken"].diagnosis)
    assert all(report.permanent for report in failed.values())
    assert [body["clientToken"] for body in client.calls("run_task")] == ["fine-001"]
    assert "Can't build the RunTask request of label of broken" in caplog.text


async def test_a_request_that_cannot_be_built_leaves_its_runtask_permit_to_others(
    launching: Any, client: FakeClient
):
    def invalid() -> Request:
        raise InvalidRequestError("The tags are too many.", "Remove some.")

    async with launching(run_task_rate=Rate(per_second=0.1, burst=1)) as at:
        for number in range(10):
            at.launch(str(number), build=invalid)
        at.launch("right")
        await at.idle(5)
    assert [body["clientToken"] for body in client.calls("run_task")] == ["right-001"]


async def test_a_run_stopped_while_it_waits_for_a_permit_is_not_sent(
    launching: Any, client: FakeClient, reports: Reports
):
    async with launching(run_task_rate=Rate(per_second=0.1, burst=1)) as at:
        at.launch("first")
        at.launch("second")
        await at.idle(5)
        reports.extend(at.ledger.stop("second", "why", 0.0))
        await at.idle()
    assert len(client.calls("run_task")) == 1
    assert reports.of(Cancelled) == [Cancelled("second")]


async def test_a_stopping_launcher_sends_nothing_more(launching: Any, client: FakeClient):
    client.latency = 10
    async with launching(concurrency=1) as at:
        at.launch("first")
        at.launch("second")
        await at.idle(1)
        at.launcher.stopping = True
        await at.idle()
    assert [body["clientToken"] for body in client.calls("run_task")] == ["first-001"]


async def test_a_slot_is_freed_after_every_kind_of_outcome(
    launching: Any, client: FakeClient, reports: Reports
):
    client.script["run_task"].extend(
        [error("AccessDeniedException"), refused("ATTRIBUTE"), started("arn:1"), TimeoutError()]
    )
    async with launching(concurrency=1) as at:
        for number in range(10):
            at.launch(str(number))
        await at.idle()
    assert len(reports.of(LaunchFailed)) == 2
    assert len(reports.of(Launched)) == 8


# --- requests whose cluster decides where they run ----------------------------------------------------------


def open_request(strategy: Any = None) -> Request:
    """Make a request that shows the cluster's default strategy once it is settled."""
    body = {"cluster": "one", "taskDefinition": "t"}
    if strategy is not None:
        return Request({**body, "placementStrategy": strategy}, "airflow")
    return Request(body, "airflow", open_request)


async def test_an_open_request_is_settled_by_the_clusters_default(
    launching: Any, client: FakeClient, reports: Reports
):
    client.script["default_strategy"].append([{"capacityProvider": "mine"}])
    async with launching() as at:
        at.launch("a", build=open_request)
        at.launch("b", build=open_request)
        await at.idle()
    assert client.calls("default_strategy") == ["one"]
    assert [body["placementStrategy"] for body in client.calls("run_task")] == [
        [{"capacityProvider": "mine"}]
    ] * 2
    assert {body["clientToken"] for body in client.calls("run_task")} == {"a-001", "b-001"}
    assert len(reports.of(Launched)) == 2


async def test_a_request_is_settled_once_for_all_sends_of_its_token(
    launching: Any, client: FakeClient, reports: Reports
):
    client.script["run_task"].extend([TimeoutError(), started("arn:1")])
    async with launching() as at:
        at.launch("run", build=open_request)
        await at.idle()
    first, second = client.calls("run_task")
    assert first == second
    assert client.calls("default_strategy") == ["one"]


async def test_a_run_waits_unsent_while_its_clusters_default_cannot_be_fetched(
    launching: Any, client: FakeClient, reports: Reports
):
    client.script["default_strategy"].extend(
        [error("ThrottlingException"), error("ServerException", status=500)]
    )
    async with launching() as at:
        at.launch("run", build=open_request)
        await at.idle()
    assert [body["clientToken"] for body in client.calls("run_task")] == ["run-001"]
    assert [type(report) for report in reports] == [Launched], "it is no launch whose outcome is unknown"


async def test_a_request_that_its_cluster_cannot_run_fails_only_its_run(
    launching: Any, client: FakeClient, reports: Reports
):
    def refuse(_: object) -> Request:
        raise InvalidRequestError("Fargate tasks need at least one subnet.", "Set subnets.")

    async with launching() as at:
        at.launch("wrong", build=lambda: Request({"cluster": "one"}, "airflow", refuse))
        at.launch("right", build=open_request)
        await at.idle()
    (failed,) = reports.of(LaunchFailed)
    assert (failed.run_id, failed.permanent) == ("wrong", True)
    assert "at least one subnet" in str(failed.diagnosis)
    assert [body["clientToken"] for body in client.calls("run_task")] == ["right-001"]


async def test_a_run_stopped_while_its_clusters_default_is_fetched_is_not_sent(
    launching: Any, client: FakeClient, reports: Reports
):
    client.latency = 5
    async with launching() as at:
        at.launch("run", build=open_request)
        await at.idle(1)
        at.ledger.stop("run", "because", 0.0)
        await at.idle()
    assert [name for name, _ in client.asked] == ["default_strategy"]
    assert reports == [Cancelled("run")]


async def test_a_run_that_is_only_searched_for_needs_no_clusters_default(
    launching: Any, client: FakeClient, reports: Reports
):
    async with launching() as at:
        at.launch("run", build=open_request, cluster="one", recovery=Recovery.SEARCH_ONLY)
        await at.idle()
    assert client.calls("default_strategy") == []
    assert set(client.calls("list_tasks")) == {("one", "airflow/default/run")}


async def test_a_refusal_says_where_the_wrong_member_is_set(
    launching: Any, client: FakeClient, reports: Reports
):
    client.script["run_task"].append(error("ClusterNotFoundException", "Cluster not found."))
    asked: list[str] = []

    def origin(member: str) -> str:
        asked.append(member)
        return "the profile of the queue gpu"

    async with launching() as at:
        at.launch("run", build=lambda: Request({"cluster": "gpus"}, "airflow", origin=origin))
        await at.idle()
    (failed,) = reports
    assert isinstance(failed, LaunchFailed)
    assert failed.diagnosis.detail.endswith("; cluster gpus, Region eu-central-1")
    assert failed.diagnosis.remedy.endswith(
        "Where it is set: cluster 'gpus' in the profile of the queue gpu."
    )
    assert asked == ["cluster"]


async def test_a_successful_launch_never_asks_where_its_members_are_set(
    launching: Any, client: FakeClient, reports: Reports
):
    async with launching() as at:
        at.launch("run", build=lambda: Request({}, "airflow", origin=lambda _: pytest.fail("asked")))
        await at.idle()
    assert len(reports.of(Launched)) == 1


async def test_a_request_settled_by_its_clusters_default_keeps_its_origins(
    launching: Any, client: FakeClient, reports: Reports
):
    def open_request(_: object) -> Request:
        return Request({"cluster": "c", "launchType": "FARGATE"}, "airflow")

    client.script["run_task"].append(
        error("InvalidParameterException", "Task definition does not support launch_type FARGATE.")
    )
    build = Request({"cluster": "c"}, "airflow", open_request, origin=lambda _: "airflow.cfg")
    async with launching() as at:
        at.launch("run", cluster="c", build=lambda: build)
        await at.idle()
    (failed,) = reports.of(LaunchFailed)
    assert "launchType 'FARGATE' in airflow.cfg" in failed.diagnosis.remedy


PAGE = error("403", status=403)
"""A proxy's page instead of ECS's answer."""


async def test_a_request_answered_by_a_proxy_may_have_reached_ecs_and_is_replayed_unchanged(
    launching: Any, client: FakeClient, reports: Reports
):
    client.script["run_task"].append(PAGE)
    bodies = iter(range(2))
    async with launching() as at:
        at.launch("run", build=lambda: Request({"cluster": "default", "count": next(bodies)}, "airflow"))
        await at.idle()
    first, second = client.calls("run_task")
    assert first == second
    assert [report.arn for report in reports.of(Launched)] == ["arn:run-001"]


async def test_a_refusal_after_a_proxys_page_does_not_count_if_listtasks_finds_a_task(
    launching: Any, client: FakeClient, reports: Reports
):
    client.script["run_task"].extend([PAGE, error("AccessDeniedException")])
    client.script["list_tasks"].append(("arn:lives",))
    async with launching() as at:
        at.launch("run")
        await at.idle()
    assert [report.arn for report in reports.of(Launched)] == ["arn:lives"]
    assert reports.of(LaunchFailed) == []


async def test_a_run_to_be_stopped_after_a_proxys_page_is_searched_for(
    launching: Any, client: FakeClient, reports: Reports
):
    client.script["run_task"].append(PAGE)
    client.script["list_tasks"].append(("arn:lives",))
    async with launching() as at:
        at.launch("run")
        await anyio.sleep(0.1)
        at.ledger.stop("run", "because", 0.0)
        at.launcher.wake()
        await at.idle()
    assert [report.arn for report in reports.of(Launched)] == ["arn:lives"]
    assert reports.of(Cancelled) == []
    assert len(client.calls("run_task")) == 1
