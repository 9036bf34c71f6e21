from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.refused import REFUSED, TAKEN, Row
from tests.unit.local.conftest import NETWORK, definition

if TYPE_CHECKING:
    from tests.unit.local.conftest import Lab


def overrides(**fields: Any) -> dict[str, Any]:
    return {"containerOverrides": [{"name": "airflow", **fields}]}


def spot(weight: int = 1) -> list[dict[str, Any]]:
    return [{"capacityProvider": "FARGATE_SPOT", "weight": weight}]


def test_a_new_task_is_described_with_what_it_was_asked_for(lab: Lab) -> None:
    task = lab.call(
        "RunTask",
        taskDefinition="airflow-task",
        startedBy="airflow/1",
        overrides=overrides(command=["a"]),
        tags=[{"key": "a", "value": "b"}],
    )["tasks"][0]
    assert task["startedBy"] == "airflow/1"
    assert task["overrides"]["containerOverrides"] == [{"name": "airflow", "command": ["a"]}]
    assert task["tags"] == [{"key": "a", "value": "b"}]
    assert task["createdAt"] == lab.now
    assert task["containers"][0]["name"] == "airflow"
    assert (task["group"], task["launchType"]) == ("family:airflow-task", "EC2")


def test_every_container_of_the_definition_is_echoed_in_the_overrides(lab: Lab) -> None:
    two = definition("airflow", {"name": "sidecar", "essential": False}, networkMode="awsvpc")
    lab.call("RegisterTaskDefinition", **two)
    task = lab.call("RunTask", taskDefinition="f", overrides=overrides(cpu=3))["tasks"][0]
    assert task["overrides"]["containerOverrides"] == [{"name": "airflow", "cpu": 3}, {"name": "sidecar"}]
    assert [container["name"] for container in task["containers"]] == ["airflow", "sidecar"]


def test_count_launches_copies(lab: Lab) -> None:
    tasks = lab.call("RunTask", taskDefinition="airflow-task", count=10)["tasks"]
    assert len({task["taskArn"] for task in tasks}) == 10


@pytest.mark.parametrize(
    ("params", "launch_type", "provider"),
    [
        ({"launchType": "FARGATE", "networkConfiguration": NETWORK}, "FARGATE", None),
        ({"capacityProviderStrategy": spot(), "networkConfiguration": NETWORK}, "FARGATE", "FARGATE_SPOT"),
        ({"capacityProviderStrategy": [{"capacityProvider": "asg", "weight": 1}]}, "EC2", "asg"),
        ({"cluster": "strategic", "networkConfiguration": NETWORK}, "FARGATE", "FARGATE_SPOT"),
    ],
)
def test_the_capacity_comes_from_the_request_or_the_cluster(
    lab: Lab, params: dict[str, Any], launch_type: str, provider: str | None
) -> None:
    lab.ecs.store.ensure_cluster("strategic").default_strategy = spot()
    task = lab.call("RunTask", taskDefinition="airflow-task", **params)["tasks"][0]
    assert (task["launchType"], task.get("capacityProviderName")) == (launch_type, provider)


@pytest.mark.parametrize(
    ("params", "code", "words"),
    [
        ({"cluster": "nope"}, "ClusterNotFoundException", "Cluster not found"),
        ({"taskDefinition": "nope"}, "ClientException", "TaskDefinition not found."),
        ({"taskDefinition": "airflow-task:9"}, "ClientException", "TaskDefinition not found."),
        ({"count": 0}, "InvalidParameterException", "Count"),
        ({"count": 11}, "InvalidParameterException", "Count"),
        ({"startedBy": "a" * 129}, "InvalidParameterException", "startedBy"),
        ({"startedBy": "a b"}, "InvalidParameterException", "startedBy"),
        ({"clientToken": "a" * 65}, "InvalidParameterException", "clientToken"),
        ({"clientToken": "a b"}, "InvalidParameterException", "clientToken"),
        (
            {"overrides": overrides(command=["x" * 8192])},
            "InvalidParameterException",
            "Container Overrides length must be at most 8192",
        ),
        (
            {"tags": [{"key": str(n)} for n in range(51)]},
            "InvalidParameterException",
            "tags has 51 items; ECS takes at most 50",
        ),
        ({"tags": [{"key": "aws:x"}]}, "InvalidParameterException", "aws:"),
        ({"tags": [{"key": "x" * 129}]}, "InvalidParameterException", "128"),
        ({"propagateTags": "SERVICE"}, "InvalidParameterException", "SERVICE"),
        ({"launchType": "EC2", "capacityProviderStrategy": spot()}, "InvalidParameterException", "both"),
        ({"capacityProviderStrategy": spot(0) * 2}, "InvalidParameterException", "weight"),
        ({"capacityProviderStrategy": spot() * 21}, "InvalidParameterException", "20"),
        (
            {"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["s"] * 17}}},
            "InvalidParameterException",
            "16",
        ),
        (
            {
                "networkConfiguration": {
                    "awsvpcConfiguration": {"subnets": ["s"], "securityGroups": ["g"] * 6}
                }
            },
            "InvalidParameterException",
            "5",
        ),
    ],
)
def test_what_ecs_refuses_is_refused(lab: Lab, params: dict[str, Any], code: str, words: str) -> None:
    error = lab.error("RunTask", **{"taskDefinition": "airflow-task", **params})
    assert error.code == code
    assert words in error.message
    assert not list(lab.ecs.store.all_tasks())


def test_overrides_of_exactly_8192_characters_are_taken(lab: Lab) -> None:
    frame = len('{"containerOverrides":[{"name":"airflow","command":[""]}]}')
    assert lab.run(overrides=overrides(command=["x" * (8192 - frame)]))
    error = lab.error(
        "RunTask", taskDefinition="airflow-task", overrides=overrides(command=["x" * (8193 - frame)])
    )
    assert "8192" in error.message


def test_a_replayed_client_token_returns_the_same_task(lab: Lab) -> None:
    assert lab.run(clientToken="t", startedBy="a") == lab.run(clientToken="t", startedBy="a")
    assert len(list(lab.ecs.store.all_tasks())) == 1


def test_the_order_of_a_replays_keys_does_not_matter(lab: Lab) -> None:
    first = lab.call("RunTask", taskDefinition="airflow-task", startedBy="a", clientToken="t")
    again = lab.call("RunTask", clientToken="t", startedBy="a", taskDefinition="airflow-task")
    assert first == again


def test_a_client_token_with_other_parameters_conflicts_and_names_the_tasks(lab: Lab) -> None:
    arn = lab.run(clientToken="t", startedBy="a")
    error = lab.error("RunTask", taskDefinition="airflow-task", clientToken="t", startedBy="b")
    assert error.code == "ConflictException"
    assert error.extra == {"resourceIds": [arn]}


def test_a_client_token_belongs_to_its_cluster(lab: Lab) -> None:
    lab.ecs.store.ensure_cluster("other")
    assert lab.run(clientToken="t") != lab.run(clientToken="t", cluster="other")


def test_a_replay_shows_little_of_a_stopped_task(lab: Lab) -> None:
    lab.run(clientToken="t")
    lab.now += 60
    task = lab.call("RunTask", taskDefinition="airflow-task", clientToken="t")["tasks"][0]
    assert set(task) == {"taskArn", "lastStatus", "desiredStatus"}
    assert task["lastStatus"] == "STOPPED"


def test_a_client_token_is_forgotten_an_hour_after_its_task_stopped(lab: Lab) -> None:
    arn = lab.run(clientToken="t")
    lab.now += 3600
    assert lab.run(clientToken="t") == arn
    lab.now += 2
    assert lab.run(clientToken="t") != arn


def test_a_client_token_of_a_long_task_is_forgotten_after_a_day(lab: Lab) -> None:
    lab.ecs.plan.defaults = {"duration": 1e6}
    arn = lab.run(clientToken="t")
    lab.now += 24 * 3600
    assert lab.run(clientToken="t") == arn
    lab.now += 1
    assert lab.run(clientToken="t") != arn


@pytest.mark.parametrize(
    ("reason", "names_an_instance"),
    [("", False), ("RESOURCE:CPU", True), ("AGENT", True), ("RESOURCE:FARGATE", True)],
)
def test_a_capacity_refusal_is_a_failure_that_its_token_replays(
    lab: Lab, reason: str, names_an_instance: bool
) -> None:
    lab.ecs.conditions.update({"faults": [{"kind": "capacity", "times": 1, "reason": reason}]}, lab.now)
    first = lab.call("RunTask", taskDefinition="airflow-task", clientToken="t")
    assert first["tasks"] == []
    assert first["failures"][0]["reason"].startswith(reason or "Capacity is unavailable at this time")
    assert ("arn" in first["failures"][0]) is names_an_instance
    assert lab.call("RunTask", taskDefinition="airflow-task", clientToken="t") == first
    assert lab.run(clientToken="another")


def test_an_empty_answer_starts_nothing_and_is_not_remembered(lab: Lab) -> None:
    lab.ecs.conditions.update({"faults": [{"kind": "empty_answer", "times": 1}]}, lab.now)
    answer = lab.call("RunTask", taskDefinition="airflow-task", clientToken="t")
    assert answer == {"tasks": [], "failures": []}
    assert lab.run(clientToken="t")


def test_the_task_limit_holds_for_tasks_that_live(lab: Lab) -> None:
    lab.ecs.conditions.update({"task_limit": 1}, lab.now)
    lab.run()
    error = lab.error("RunTask", taskDefinition="airflow-task")
    assert "reached the limit on the number of tasks" in error.message
    lab.now += 60
    assert lab.run()


def test_a_cluster_without_room_refuses_in_failures_until_a_task_has_stopped(lab: Lab) -> None:
    lab.ecs.conditions.update({"room": 1}, lab.now)
    lab.run()
    refused = lab.call("RunTask", taskDefinition="airflow-task")
    assert refused["tasks"] == []
    assert [failure["reason"] for failure in refused["failures"]] == ["RESOURCE:MEMORY"]
    assert ":container-instance/" in refused["failures"][0]["arn"]
    lab.now += 60
    assert lab.run()


def test_of_several_tasks_those_that_fit_are_launched(lab: Lab) -> None:
    lab.ecs.conditions.update({"room": 2}, lab.now)
    answer = lab.call("RunTask", taskDefinition="airflow-task", count=3)
    assert (len(answer["tasks"]), len(answer["failures"])) == (2, 1)


def test_each_cluster_has_room_of_its_own(lab: Lab) -> None:
    lab.ecs.store.ensure_cluster("another")
    lab.ecs.conditions.update({"room": 1}, lab.now)
    assert lab.run()
    assert lab.run(cluster="another")


def test_a_token_replays_the_refusal_though_there_is_room_by_now(lab: Lab) -> None:
    lab.ecs.conditions.update({"room": 0}, lab.now)
    first = lab.call("RunTask", taskDefinition="airflow-task", clientToken="t")
    lab.ecs.conditions.update({"room": None}, lab.now)
    assert lab.call("RunTask", taskDefinition="airflow-task", clientToken="t") == first
    assert lab.run(clientToken="another")


def test_a_sidecar_fault_injects_a_container_that_the_definition_lacks(lab: Lab) -> None:
    lab.ecs.conditions.update({"faults": [{"kind": "sidecar_exit", "exit_code": None}]}, lab.now)
    arn = lab.run()
    lab.now += 60
    main, sidecar = lab.describe(arn)["containers"]
    assert (main["name"], main["exitCode"]) == ("airflow", 0)
    assert sidecar["name"] == "sidecar"
    assert "exitCode" not in sidecar


TWO: list[dict[str, Any]] = [{"name": "proxy"}, {"name": "airflow"}]


@pytest.mark.parametrize(
    ("fields", "failed"),
    [({}, "airflow"), ({"container": "proxy"}, "proxy"), ({"container": "agent"}, "agent")],
)
def test_a_start_failure_marks_the_container_it_names_else_the_one_that_was_given_the_command(
    lab: Lab, fields: dict[str, str], failed: str
) -> None:
    lab.call("RegisterTaskDefinition", **definition(*TWO, networkMode="awsvpc"))
    lab.ecs.conditions.update({"faults": [{"kind": "start_failure", "reason": "no", **fields}]}, lab.now)
    arn = lab.run(taskDefinition="f", overrides=overrides(command=["a"]))
    lab.now += 1
    reasons = {container["name"]: container.get("reason") for container in lab.describe(arn)["containers"]}
    assert reasons == dict.fromkeys(("proxy", "airflow", failed)) | {failed: "no"}


def test_the_container_that_was_given_the_command_ends_a_simulated_task(lab: Lab) -> None:
    lab.call("RegisterTaskDefinition", **definition(*TWO, networkMode="awsvpc"))
    lab.ecs.plan.defaults = {"exit_code": 3}
    arn = lab.run(taskDefinition="f", overrides=overrides(command=["a"]))
    lab.now += 60
    codes = {container["name"]: container["exitCode"] for container in lab.describe(arn)["containers"]}
    assert codes == {"proxy": 143, "airflow": 3}


def test_a_start_failure_may_look_permanent(lab: Lab) -> None:
    reason = "ResourceInitializationError: unable to pull secrets: AccessDeniedException"
    lab.ecs.conditions.update({"faults": [{"kind": "start_failure", "reason": reason}]}, lab.now)
    arn = lab.run()
    lab.now += 1
    task = lab.describe(arn)
    assert (task["lastStatus"], task["stopCode"], task["stoppedReason"]) == (
        "STOPPED",
        "TaskFailedToStart",
        reason,
    )
    assert "startedAt" not in task
    assert "exitCode" not in task["containers"][0]


@pytest.mark.parametrize("row", REFUSED.values(), ids=REFUSED)
def test_the_local_ecs_refuses_what_the_configuration_refuses(lab: Lab, row: Row) -> None:
    error = lab.error("RunTask", **{"taskDefinition": "airflow-task", **row.members})
    assert error.code == "InvalidParameterException"
    assert (row.local or row.says.partition("] ")[2] or row.says) in error.message


@pytest.mark.parametrize(
    "members",
    [
        {"launchType": "fargate"},
        {"propagateTags": "task_definition"},
        {"placementStrategy": [{"type": "BinPack"}]},
        {"overrides": overrides(resourceRequirements=[{"type": "gpu", "value": "1"}])},
    ],
)
def test_the_local_ecs_takes_enums_in_awss_spelling_only(lab: Lab, members: dict[str, Any]) -> None:
    error = lab.error("RunTask", **{"taskDefinition": "airflow-task", **members})
    assert "is not one of" in error.message


@pytest.mark.parametrize("members", TAKEN.values(), ids=TAKEN)
def test_the_local_ecs_takes_what_the_configuration_takes(lab: Lab, members: dict[str, Any]) -> None:
    network = {"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}}

    assert lab.run(**{**network, **members})
