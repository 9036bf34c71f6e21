from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ecs_async_executor.local.api.actions import ACTION_FUNCTIONS
from ecs_async_executor.local.rules.protocol import ACTIONS
from tests.unit.local.conftest import definition

if TYPE_CHECKING:
    from tests.unit.local.conftest import Lab


def list_all(lab: Lab, **params: Any) -> list[str]:
    arns: list[str] = []
    token: str | None = ""
    while token is not None:
        page = lab.call("ListTasks", **params, **({"nextToken": token} if token else {}))
        arns += page["taskArns"]
        token = page.get("nextToken")
    return arns


def test_every_action_has_a_function() -> None:
    assert set(ACTION_FUNCTIONS) == set(ACTIONS)


def test_describe_tasks_follows_a_task_through_its_life(lab: Lab) -> None:
    lab.ecs.plan.defaults = {"provisioning": 1, "pending": 1, "pull": 1, "duration": 1, "deprovisioning": 1}
    arn = lab.run()
    seen = []
    for _ in range(6):
        seen.append(lab.describe(arn)["lastStatus"])
        lab.now += 1
    assert seen == ["PROVISIONING", "PENDING", "ACTIVATING", "RUNNING", "DEPROVISIONING", "STOPPED"]
    task = lab.describe(arn)
    assert (task["stopCode"], task["containers"][0]["exitCode"]) == ("EssentialContainerExited", 0)
    start = task["createdAt"]
    times = ["pullStartedAt", "pullStoppedAt", "startedAt", "stoppingAt", "executionStoppedAt", "stoppedAt"]
    assert [task[name] - start for name in times] == [2, 3, 3, 4, 4, 5]


def test_describe_tasks_takes_ids_and_arns_and_reports_the_unknown(lab: Lab) -> None:
    arn = lab.run()
    answer = lab.call("DescribeTasks", tasks=[arn.rpartition("/")[2], arn, "a" * 32, "b" * 36])
    assert [task["taskArn"] for task in answer["tasks"]] == [arn, arn]
    assert answer["failures"] == [
        {"arn": f"arn:aws:ecs:us-east-1:123456789012:task/default/{unknown}", "reason": "MISSING"}
        for unknown in ("a" * 32, "b" * 36)
    ]


@pytest.mark.parametrize("task_id", ["", "nope", "a" * 33, "b" * 38])
def test_a_task_id_has_32_or_36_characters(lab: Lab, task_id: str) -> None:
    for error in (lab.error("DescribeTasks", tasks=[task_id]), lab.error("StopTask", task=task_id)):
        assert (error.code, error.message) == (
            "InvalidParameterException",
            "taskId length should be one of [32,36]",
        )


def test_a_task_is_missing_an_hour_after_it_stopped(lab: Lab) -> None:
    arn = lab.run()
    lab.now += 3601
    assert lab.describe(arn)["lastStatus"] == "STOPPED"
    lab.now += 1
    assert lab.call("DescribeTasks", tasks=[arn])["failures"][0]["reason"] == "MISSING"


def test_a_task_of_another_cluster_is_missing_by_its_id(lab: Lab) -> None:
    lab.ecs.store.ensure_cluster("other")
    task_id = lab.run().rpartition("/")[2]
    answer = lab.call("DescribeTasks", cluster="other", tasks=[task_id])
    assert [each["reason"] for each in answer["failures"]] == ["MISSING"]


ELSEWHERE = {
    "another Region": ("arn:aws:ecs:eu-west-1:123456789012:task/default/{}", "Invalid Region in ARN"),
    "another account": (
        "arn:aws:ecs:us-east-1:210987654321:task/default/{}",
        "Identifier is for 210987654321. Your accountId is 123456789012",
    ),
    "another account, in an old ARN": (
        "arn:aws:ecs:us-east-1:210987654321:task/{}",
        "Identifier is for 210987654321. Your accountId is 123456789012",
    ),
    "another cluster": (
        "arn:aws:ecs:us-east-1:123456789012:task/other/{}",
        "Invalid identifier: Identifier is for cluster other. Your cluster is default",
    ),
}


@pytest.mark.parametrize(("foreign", "words"), ELSEWHERE.values(), ids=ELSEWHERE)
def test_an_arn_of_another_region_account_or_cluster_spoils_a_whole_call(
    lab: Lab, foreign: str, words: str
) -> None:
    arn = lab.run()
    elsewhere = foreign.format("a" * 32)
    calls: dict[str, Any] = {"DescribeTasks": {"tasks": [arn, elsewhere]}, "StopTask": {"task": elsewhere}}
    for action, params in calls.items():
        error = lab.error(action, **params)
        assert (error.code, error.message) == ("InvalidParameterException", words)
    assert lab.describe(arn)["desiredStatus"] == "RUNNING"


def test_an_arn_of_the_old_format_names_no_cluster(lab: Lab) -> None:
    arn = lab.run()
    old = arn.replace("task/default/", "task/")
    assert [task["taskArn"] for task in lab.call("DescribeTasks", tasks=[old])["tasks"]] == [arn]


def test_the_length_of_an_id_is_checked_before_its_region(lab: Lab) -> None:
    error = lab.error("DescribeTasks", tasks=["arn:aws:ecs:eu-west-1:123456789012:task/default/short"])
    assert "taskId length" in error.message


def test_consistent_reads_lag_behind(lab: Lab) -> None:
    lab.ecs.conditions.update({"consistency_lag": 2}, lab.now)
    lab.ecs.plan.defaults = {"provisioning": 1, "duration": 100}
    arn = lab.run(startedBy="a")
    assert lab.call("DescribeTasks", tasks=[arn])["failures"][0]["reason"] == "MISSING"
    assert lab.call("ListTasks", startedBy="a")["taskArns"] == []
    lab.now += 2
    assert lab.describe(arn)["lastStatus"] == "PROVISIONING"
    assert lab.call("ListTasks", startedBy="a")["taskArns"] == [arn]
    lab.now += 1
    assert lab.describe(arn)["lastStatus"] == "RUNNING"


@pytest.mark.parametrize(("count", "words"), [(0, "empty"), (101, "100")])
def test_describe_tasks_takes_one_to_a_hundred_ids(lab: Lab, count: int, words: str) -> None:
    assert words in lab.error("DescribeTasks", tasks=["x"] * count).message


def test_a_malformed_record_spoils_one_task_of_an_answer(lab: Lab) -> None:
    arns = [lab.run(), lab.run()]
    lab.ecs.conditions.update({"faults": [{"kind": "malformed_task", "times": 1}]}, lab.now)
    broken, whole = lab.call("DescribeTasks", tasks=arns)["tasks"]
    assert broken["taskArn"] != arns[0]
    assert whole["taskArn"] == arns[1]
    assert len(lab.call("DescribeTasks", tasks=arns)["tasks"]) == 2


def test_stopping_a_task_terminates_it_and_deletes_its_tags(lab: Lab) -> None:
    arn = lab.run(tags=[{"key": "a", "value": "b"}])
    assert lab.describe(arn, include=["TAGS"])["tags"] == [{"key": "a", "value": "b"}]
    stopping = lab.call("StopTask", task=arn, reason="cleared")["task"]
    assert (stopping["desiredStatus"], stopping["stoppedReason"]) == ("STOPPED", "cleared")
    task = lab.describe(arn, include=["TAGS"])
    assert (task["lastStatus"], task["stopCode"], task["tags"]) == ("STOPPED", "UserInitiated", [])
    assert task["containers"][0]["exitCode"] == 143


def test_stopping_twice_keeps_the_first_reason(lab: Lab) -> None:
    arn = lab.run()
    lab.call("StopTask", task=arn, reason="first")
    assert lab.call("StopTask", task=arn, reason="second")["task"]["stoppedReason"] == "first"


def test_stopping_an_unknown_task_is_invalid(lab: Lab) -> None:
    error = lab.error("StopTask", task="a" * 32)
    assert (error.code, error.message) == ("InvalidParameterException", "The referenced task was not found.")


def test_list_tasks_pages_through_everything_once(lab: Lab) -> None:
    arns = [lab.run() for _ in range(7)]
    assert list_all(lab, maxResults=3) == arns
    assert list_all(lab, maxResults=7) == arns
    assert "nextToken" not in lab.call("ListTasks", maxResults=7)


def test_list_tasks_shows_what_should_run_unless_asked_for_the_stopped(lab: Lab) -> None:
    stopped, alive = lab.run(), lab.run()
    lab.call("StopTask", task=stopped)
    assert list_all(lab) == [alive]
    assert list_all(lab, desiredStatus="STOPPED") == [stopped]
    assert list_all(lab, desiredStatus="PENDING") == []


def test_list_tasks_filters_by_started_by_family_and_launch_type(lab: Lab) -> None:
    lab.call("RegisterTaskDefinition", **definition("a", family="other", networkMode="awsvpc"))
    mine, theirs, other = lab.run(startedBy="a/1"), lab.run(startedBy="a/2"), lab.run(taskDefinition="other")
    assert list_all(lab, startedBy="a/1") == [mine]
    assert list_all(lab, startedBy="a/1", desiredStatus="STOPPED") == []
    assert list_all(lab, startedBy="nobody") == []
    assert list_all(lab, family="other") == [other]
    assert list_all(lab, launchType="EC2") == [mine, theirs, other]
    assert list_all(lab, launchType="FARGATE") == []
    assert list_all(lab, serviceName="s") == []


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"startedBy": "a", "family": "f"}, "cannot specify startedBy with other arguments"),
        ({"startedBy": "a", "launchType": "EC2"}, "cannot specify startedBy with other arguments"),
        ({"maxResults": 0}, "maxResults"),
        ({"maxResults": 101}, "maxResults"),
        ({"nextToken": "?"}, "token"),
    ],
)
def test_list_tasks_refuses_what_aws_refuses(lab: Lab, params: dict[str, Any], words: str) -> None:
    error = lab.error("ListTasks", **params)
    assert error.code == "InvalidParameterException"
    assert words in error.message


def test_a_task_can_be_tagged_later(lab: Lab) -> None:
    arn = lab.run(tags=[{"key": "a", "value": "1"}])
    lab.call("TagResource", resourceArn=arn, tags=[{"key": "a", "value": "2"}, {"key": "b", "value": "3"}])
    assert lab.describe(arn, include=["TAGS"])["tags"] == [
        {"key": "a", "value": "2"},
        {"key": "b", "value": "3"},
    ]
    assert lab.describe(arn)["tags"] == []


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:ecs:us-east-1:123456789012:cluster/default",
        "arn:aws:ecs:us-east-1:123456789012:task/default/x",
    ],
)
def test_only_known_tasks_can_be_tagged(lab: Lab, arn: str) -> None:
    assert lab.error("TagResource", resourceArn=arn, tags=[]).code == "InvalidParameterException"


def test_a_task_takes_at_most_fifty_tags(lab: Lab) -> None:
    arn = lab.run(tags=[{"key": str(n)} for n in range(50)])
    assert "tags has 51 items" in lab.error("TagResource", resourceArn=arn, tags=[{"key": "more"}]).message


def test_describe_clusters_counts_tasks_and_shows_the_default_strategy(lab: Lab) -> None:
    strategy = [{"capacityProvider": "FARGATE_SPOT", "weight": 1, "base": 0}]
    lab.ecs.store.ensure_cluster("default").default_strategy = strategy
    lab.ecs.plan.defaults = {"provisioning": 5, "duration": 100}
    lab.call("RunTask", taskDefinition="airflow-task", count=2, launchType="EC2")
    (cluster,) = lab.call("DescribeClusters")["clusters"]
    assert (cluster["pendingTasksCount"], cluster["runningTasksCount"]) == (2, 0)
    assert cluster["defaultCapacityProviderStrategy"] == strategy
    lab.now += 5
    (cluster,) = lab.call("DescribeClusters", clusters=["default"])["clusters"]
    assert (cluster["pendingTasksCount"], cluster["runningTasksCount"]) == (0, 2)


def test_an_unknown_cluster_is_missing_from_describe_clusters(lab: Lab) -> None:
    answer = lab.call("DescribeClusters", clusters=["nope"])
    arn = "arn:aws:ecs:us-east-1:123456789012:cluster/nope"
    assert answer == {"clusters": [], "failures": [{"arn": arn, "reason": "MISSING"}]}


def test_a_cluster_is_known_by_its_arn(lab: Lab) -> None:
    arn = lab.run(cluster="arn:aws:ecs:us-east-1:123456789012:cluster/default")
    assert lab.describe(arn)["clusterArn"].endswith(":cluster/default")


def test_a_stop_reason_has_up_to_255_characters(lab: Lab) -> None:
    arn = lab.run()
    error = lab.error("StopTask", task=arn, reason="r" * 256)
    assert (error.code, error.message) == ("InvalidParameterException", "reason longer than 255.")
    assert lab.describe(arn)["desiredStatus"] == "RUNNING"
    assert lab.call("StopTask", task=arn, reason="r" * 255)["task"]["stoppedReason"] == "r" * 255


def test_a_task_definitions_tags_are_described_only_if_they_are_asked_for(lab: Lab) -> None:
    tag = {"key": "team", "value": "data"}
    lab.call("RegisterTaskDefinition", **definition("a"), tags=[tag])
    assert lab.call("DescribeTaskDefinition", taskDefinition="f")["tags"] == []
    assert lab.call("DescribeTaskDefinition", taskDefinition="f", include=["TAGS"])["tags"] == [tag]


@pytest.mark.parametrize(
    ("propagate", "expected"),
    [("TASK_DEFINITION", {"team": "data", "env": "test"}), ("NONE", {"env": "test"})],
)
def test_a_task_gets_its_task_definitions_tags_if_they_are_propagated(
    lab: Lab, propagate: str, expected: dict[str, str]
) -> None:
    tags = [{"key": "team", "value": "data"}, {"key": "env", "value": "prod"}]
    lab.call("RegisterTaskDefinition", **definition("a"), tags=tags)
    own = [{"key": "env", "value": "test"}]
    arn = lab.run(taskDefinition="f", propagateTags=propagate, tags=own, networkConfiguration=None)
    shown = lab.describe(arn, include=["TAGS"])["tags"]
    assert {tag["key"]: tag["value"] for tag in shown} == expected


def test_nothing_is_launched_from_a_deregistered_task_definition(lab: Lab) -> None:
    network = {"networkConfiguration": None}
    first, second = (
        lab.call("RegisterTaskDefinition", **definition("a"))["taskDefinition"] for _ in range(2)
    )
    gone = lab.call("DeregisterTaskDefinition", taskDefinition=second["taskDefinitionArn"])
    assert gone["taskDefinition"]["status"] == "INACTIVE"
    error = lab.error("RunTask", taskDefinition="f:2")
    assert (error.code, error.message) == ("ClientException", "TaskDefinition is inactive")
    arn = lab.run(taskDefinition="f", **network)
    assert lab.describe(arn)["taskDefinitionArn"] == first["taskDefinitionArn"]
    described = lab.call("DescribeTaskDefinition", taskDefinition="f:2")["taskDefinition"]
    assert described["status"] == "INACTIVE"
    assert described["deregisteredAt"] >= described["registeredAt"]


def test_a_family_whose_revisions_are_all_deregistered_has_no_latest_one(lab: Lab) -> None:
    lab.call("RegisterTaskDefinition", **definition("a"))
    lab.call("DeregisterTaskDefinition", taskDefinition="f:1")
    error = lab.error("DescribeTaskDefinition", taskDefinition="f")
    assert (error.code, error.message) == ("ClientException", "Unable to describe task definition.")
    assert lab.call("RegisterTaskDefinition", **definition("a"))["taskDefinition"]["revision"] == 2


def test_families_are_listed_by_prefix_and_status_in_pages(lab: Lab) -> None:
    for name in ("team-b", "team-a", "other", "team-c"):
        lab.call("RegisterTaskDefinition", **definition("a", family=name))
    lab.call("DeregisterTaskDefinition", taskDefinition="team-c:1")
    page = lab.call("ListTaskDefinitionFamilies", familyPrefix="team-", maxResults=2)
    assert page["families"] == ["team-a", "team-b"]
    rest = lab.call("ListTaskDefinitionFamilies", familyPrefix="team-", nextToken=page["nextToken"])
    assert rest == {"families": ["team-c"]}
    active = lab.call("ListTaskDefinitionFamilies", familyPrefix="team-", status="ACTIVE")
    assert active == {"families": ["team-a", "team-b"]}
    assert lab.call("ListTaskDefinitionFamilies", familyPrefix="team-", status="INACTIVE") == {
        "families": ["team-c"]
    }
