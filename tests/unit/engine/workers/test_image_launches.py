from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import pytest

from ecs_async_executor.engine.options import Rate
from ecs_async_executor.messages import Cancelled, Launched, LaunchFailed, Payload, Recovery, Request
from tests.support.engine import URL, FakeClient, Reports, error, fetching

pytestmark = pytest.mark.virtual_time
REGISTER = "register_task_definition"


def building(
    image: str = "airflow:2", definition: str = "airflow-task", **more: Any
) -> Callable[[], Request]:
    """Make a builder of requests; each build has a token of its own, as real ones do."""
    builds = iter(range(1000))

    def build() -> Request:
        tags = [{"key": "build", "value": str(next(builds))}]
        body = {"cluster": "default", "taskDefinition": definition, "tags": tags}
        return Request(body, "airflow", image=image, **more)

    return build


def images(client: FakeClient) -> list[str]:
    return [client.definitions.image_of(body["taskDefinition"]) for body in client.calls("run_task")]


async def test_a_run_is_launched_from_a_revision_with_its_image(
    launching: Any, client: FakeClient, reports: Reports
):
    async with launching() as at:
        at.launch("run", build=building())
        await at.idle()
    assert images(client) == ["airflow:2"]
    assert reports == [Launched("run", 1, "arn:run-001", "default", "airflow")]


async def test_a_thousand_runs_with_one_image_cost_one_registration(
    launching: Any, client: FakeClient, reports: Reports
):
    client.latency = 0.3
    async with launching() as at:
        for number in range(1000):
            at.launch(str(number), build=building())
        await at.idle()
    assert len(client.calls(REGISTER)) == 1
    assert len(client.calls("describe_task_definition")) == 2
    assert set(images(client)) == {"airflow:2"}
    assert len(reports.of(Launched)) == 1000


async def test_runs_that_wait_for_an_image_hold_up_no_other_runs(
    launching: Any, client: FakeClient, reports: Reports
):
    throttled = error("ThrottlingException", "Rate exceeded", operation="RegisterTaskDefinition")
    client.script[REGISTER].extend([throttled] * 20)
    async with launching(concurrency=2) as at:
        for number in range(100):
            at.launch(f"image-{number}", priority=9, build=building())
        await at.idle(1)
        at.launch("without an image")
        await at.idle(1)
        assert [report.run_id for report in reports.of(Launched)] == ["without an image"]
        await at.idle()
    assert len(reports.of(Launched)) == 101


async def test_a_run_knows_which_image_it_waits_for_and_forgets_it_after_that(
    launching: Any, client: FakeClient, reports: Reports
):
    client.latency = 1.0
    async with launching() as at:
        at.launch("run", build=building())
        await at.idle(0.5)
        (entry,) = at.ledger
        assert entry.launch.awaited_image == "airflow:2"
        await at.idle()
        assert entry.launch.awaited_image == ""
    assert len(reports.of(Launched)) == 1


async def test_runs_that_waited_for_an_image_are_sent_by_priority(
    launching: Any, client: FakeClient, reports: Reports
):
    client.latency = 1.0
    async with launching(concurrency=1, run_task_rate=Rate(per_second=0.5, burst=1)) as at:
        for priority in (1, 3, 2, 5, 4):
            at.launch(str(priority), priority=priority, build=building())
        await at.idle()
    assert [report.run_id for report in reports.of(Launched)] == ["5", "4", "3", "2", "1"]


async def test_a_run_that_comes_with_the_answer_is_sent_after_those_of_higher_priority_that_waited(
    launching: Any, client: FakeClient, reports: Reports
):
    def settled(_: object) -> Request:
        return Request({"cluster": "default", "taskDefinition": "t", "launchType": "FARGATE"}, "airflow")

    def build() -> Request:
        return Request({"cluster": "default", "taskDefinition": "t"}, "airflow", settled)

    client.latency = 1.0
    async with launching() as at:

        def answer(_: object) -> list[Any]:
            for number in range(5):
                at.launch(f"low-{number}", build=build)
            return []

        client.script["default_strategy"].append(answer)
        for number in range(5):
            at.launch(f"high-{number}", priority=9, build=build)
        await at.idle()
    assert [body["clientToken"][:3] for body in client.calls("run_task")] == ["hig"] * 5 + ["low"] * 5


async def test_the_same_bytes_are_sent_although_the_definition_has_a_new_revision_meanwhile(
    launching: Any, client: FakeClient, reports: Reports
):
    def lost(_: object) -> Any:
        client.definitions.register({**client.definitions.find("airflow-task").task_definition, "cpu": "512"})  # type: ignore[union-attr]  # it is there
        return error("ServerException", status=500)

    client.script["run_task"].extend([lost, *[error("ServerException", status=500)] * 10])
    async with launching() as at:
        at.launch("run", build=building())
        await at.idle()
    bodies = client.calls("run_task")
    assert len(bodies) == 12
    assert all(body == bodies[0] for body in bodies)
    assert len(reports.of(Launched)) == 1


@pytest.mark.parametrize("recovery", [Recovery.REPLAY, Recovery.SEARCH])
async def test_a_launch_that_another_scheduler_sent_with_another_revision_is_taken_over(
    launching: Any, client: FakeClient, reports: Reports, recovery: Recovery
):
    client.script["run_task"].append(error("ConflictException", resourceIds=["arn:old"]))
    async with launching() as at:
        at.launch("run", build=building(), recovery=recovery)
        await at.idle()
    assert [report.arn for report in reports.of(Launched)] == ["arn:old"]


@pytest.mark.parametrize(
    "refused",
    [
        error("ClientException", "TaskDefinition is inactive"),
        error("ClientException", "TaskDefinition not found."),
    ],
)
async def test_after_a_revision_was_deregistered_the_next_launch_gets_another_one(
    launching: Any, client: FakeClient, reports: Reports, refused: Exception
):
    async with launching() as at:
        at.launch("before", build=building())
        await at.idle()
        (made,) = client.definitions.registered
        client.definitions.deregister(made.arn)
        client.script["run_task"].append(refused)
        at.launch("run", build=building())
        await at.idle()
        (failed,) = reports.of(LaunchFailed)
        assert not failed.permanent
        at.launch("run", build=building(), number=2)
        await at.idle()
    assert client.definitions.image_of(client.calls("run_task")[-1]["taskDefinition"]) == "airflow:2"
    assert len(client.definitions.registered) == 2


async def test_no_run_that_was_in_flight_fails_for_good_because_its_revision_was_deregistered(
    launching: Any, client: FakeClient, reports: Reports
):
    refused = error("ClientException", "TaskDefinition is inactive")
    client.latency = 0.3
    async with launching() as at:
        at.launch("before", build=building())
        await at.idle()
        (made,) = client.definitions.registered
        client.definitions.deregister(made.arn)
        client.script["run_task"].extend([refused] * 10)
        for number in range(10):
            at.launch(str(number), build=building())
        await at.idle()
        failed = reports.of(LaunchFailed)
        assert [report.permanent for report in failed] == [False] * 10
        for number in range(10):
            at.launch(str(number), build=building(), number=2)
        await at.idle()
    assert len(client.definitions.registered) == 2
    assert len(reports.of(Launched)) == 11


async def test_a_launch_whose_revision_was_deregistered_says_that_nothing_is_to_be_done(
    launching: Any, client: FakeClient, reports: Reports
):
    client.script["run_task"].append(error("ClientException", "TaskDefinition is inactive"))
    async with launching() as at:
        at.launch("run", build=building())
        await at.idle()
    (failed,) = reports.of(LaunchFailed)
    assert "the image airflow:2" in failed.diagnosis.summary
    assert failed.diagnosis.remedy.startswith("Nothing to do")


@pytest.mark.parametrize(
    "message",
    [
        "Network Configuration must be provided when networkMode 'awsvpc' is specified.",
        "Fargate requires task definition to have execution role ARN to support ECR images.",
        "Fargate only supports network mode \u2018awsvpc\u2019.",
    ],
)
async def test_what_is_wrong_with_the_copied_definition_fails_for_good_and_asks_nothing_again(
    launching: Any, client: FakeClient, reports: Reports, message: str
):
    build = building(definition="airflow-task:1")
    async with launching() as at:
        at.launch("before", build=build)
        await at.idle()
        asked = len(client.calls("describe_task_definition"))
        client.script["run_task"].append(error("InvalidParameterException", message))
        at.launch("run", build=build)
        await at.idle()
        at.launch("after", build=build)
        await at.idle()
    (failed,) = reports.of(LaunchFailed)
    assert failed.permanent
    assert len(client.calls("describe_task_definition")) == asked


async def test_a_definition_of_the_users_own_that_is_inactive_stays_a_permanent_failure(
    launching: Any, client: FakeClient, reports: Reports
):
    client.script["run_task"].append(error("ClientException", "TaskDefinition is inactive"))
    async with launching() as at:
        at.launch("run")
        await at.idle()
    (failed,) = reports.of(LaunchFailed)
    assert failed.permanent


async def test_an_image_that_cannot_be_registered_fails_its_runs_with_the_reason(
    launching: Any, client: FakeClient, reports: Reports
):
    client.script[REGISTER].append(
        error("ClientException", "Role is not valid", operation="RegisterTaskDefinition")
    )
    async with launching() as at:
        for number in range(10):
            at.launch(str(number), build=building())
        at.launch("another", build=building("airflow:3"))
        await at.idle()
    failed = reports.of(LaunchFailed)
    assert len(failed) == 10
    assert all("Role is not valid" in str(report.diagnosis) for report in failed)
    assert all("for the image airflow:2" in str(report.diagnosis) for report in failed)
    assert [report.run_id for report in reports.of(Launched)] == ["another"]
    assert len(client.calls(REGISTER)) == 2


async def test_a_run_that_is_stopped_while_it_waits_for_its_image_is_not_launched(
    launching: Any, client: FakeClient, reports: Reports
):
    client.latency = 1.0
    async with launching() as at:
        at.launch("run", build=building())
        await at.idle(0.5)
        at.ledger.stop("run", "because", anyio.current_time())
        await at.idle()
    assert client.calls("run_task") == []
    (ended,) = [*reports.of(LaunchFailed), *reports.of(Cancelled)]
    assert ended.run_id == "run"


async def test_a_replay_whose_image_is_refused_is_searched_for_first(
    launching: Any, client: FakeClient, reports: Reports
):
    denied = error("AccessDeniedException", operation="RegisterTaskDefinition")
    client.script[REGISTER].append(denied)
    client.script["list_tasks"].append(("arn:old",))
    async with launching() as at:
        at.launch("run", build=building(), recovery=Recovery.REPLAY)
        await at.idle()
    assert [report.arn for report in reports.of(Launched)] == ["arn:old"]
    assert client.calls("run_task") == []


async def test_an_image_and_a_payload_go_together(
    launching: Any, client: FakeClient, reports: Reports, s3: Any
):
    async with launching() as at:
        at.launch("run", build=building(payload=Payload(URL, b"token")))
        await at.idle()
    assert images(client) == ["airflow:2"]
    assert len(reports.of(Launched)) == 1
    assert URL in s3.objects


async def test_runs_that_wait_for_an_image_again_hold_up_no_uploads(
    launching: Any, client: FakeClient, reports: Reports, s3: Any
):
    s3.latency = 20.0
    async with launching() as at:
        for number in range(100):
            at.launch(f"image-{number}", build=building(payload=Payload(URL, b"token")))
        await at.idle(50)
        unanswered = error("ServerException", status=500, operation="DescribeTaskDefinition")
        client.script["describe_task_definition"].extend([unanswered] * 20)
        await at.idle(50)  # the family's latest revision is to be read again
        assert len(reports.of(Launched)) < 100
        at.launch("another", build=fetching())
        await at.idle(50)
        assert reports.of(Launched)[-1].run_id == "another"
        await at.idle()
    assert len(reports.of(Launched)) == 101


async def test_a_token_that_was_made_before_the_wait_is_not_sent(
    launching: Any, client: FakeClient, reports: Reports
):
    client.script[REGISTER].append(error("ServerException", status=500, operation="RegisterTaskDefinition"))
    async with launching() as at:
        at.launch("run", build=building())
        await at.idle()
    (body,) = client.calls("run_task")
    assert body["tags"] == [{"key": "build", "value": "1"}]
