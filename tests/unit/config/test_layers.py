from __future__ import annotations

from typing import Any

import pytest

from ecs_async_executor.config.layers import leaves, merge, normalise_layer
from ecs_async_executor.errors import InvalidRequestError


def normalised(
    value: dict[Any, Any], container: str = "airflow", beside: tuple[str, ...] = ()
) -> tuple[dict[str, Any], ...]:
    problems: list[str] = []
    bodies = normalise_layer(value, container, problems, beside)
    if problems:
        raise InvalidRequestError.of(problems, "Correct or remove it.")
    return bodies


def body(value: dict[Any, Any]) -> dict[str, Any]:
    (one,) = normalised(value)
    return one


# AWS's names with more than two capitals in a row, which no rule of camel case gives.
@pytest.mark.parametrize(
    ("spelling", "member", "value"),
    [
        ("enable_ecs_managed_tags", "enableECSManagedTags", True),
        ("enableEcsManagedTags", "enableECSManagedTags", True),
        ("enableECSManagedTags", "enableECSManagedTags", True),
        ("enable_execute_command", "enableExecuteCommand", True),
        ("TaskDefinition", "taskDefinition", "t"),
        ("TASK_DEFINITION", "taskDefinition", "t"),
        ("launchType", "launchType", "EC2"),
        ("propagate_tags", "propagateTags", "TASK_DEFINITION"),
    ],
)
def test_every_spelling_of_a_member_is_aws_endpoint(spelling: str, member: str, value: object) -> None:
    assert body({spelling: value}) == {member: value}


def test_a_strategy_may_be_written_as_in_the_option() -> None:
    strategy = [
        {"capacityProvider": "FARGATE_SPOT", "weight": 3},
        {"capacityProvider": "FARGATE", "weight": 1},
    ]
    assert body({"capacity_provider_strategy": "FARGATE_SPOT:3,FARGATE:1"}) == {
        "capacityProviderStrategy": strategy
    }
    with pytest.raises(InvalidRequestError, match="capacityProviderStrategy: write name:weight:base"):
        body({"capacityProviderStrategy": "FARGATE_SPOT:much"})


def test_keys_of_the_environment_and_of_tags_are_left_alone() -> None:
    value = {"tags": {"launch_type": "x", "Team": "y"}}
    assert body(value) == {"tags": [{"key": "launch_type", "value": "x"}, {"key": "Team", "value": "y"}]}


@pytest.mark.parametrize(
    "tags",
    [
        {"key": "team", "value": "data"},
        {"team": "data"},
        [{"key": "team", "value": "data"}],
        [{"Key": "team", "Value": "data"}],
    ],
)
def test_tags_may_be_written_in_every_form_that_is_in_use(tags: object) -> None:
    assert body({"tags": tags}) == {"tags": [{"key": "team", "value": "data"}]}


def test_a_name_that_yaml_takes_for_a_boolean_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match="A name that is a bool is not a name: put it in quotes"):
        body({"environment": {True: "x"}})


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ({"overrides": {"cpu": 256}}, {"overrides": {"cpu": "256"}}),
        (
            {"overrides": {"ephemeralStorage": {"sizeInGiB": "21"}}},
            {"overrides": {"ephemeralStorage": {"sizeInGiB": 21}}},
        ),
        ({"tags": [{"key": 1, "value": 0.5}]}, {"tags": [{"key": "1", "value": "0.5"}]}),
        (
            {"tags": {1: 2, "debug": True}},
            {"tags": [{"key": "1", "value": "2"}, {"key": "debug", "value": "True"}]},
        ),
    ],
)
def test_numbers_are_text_where_aws_has_text_and_the_other_way_round(
    written: dict[str, Any], meant: dict[str, Any]
) -> None:
    assert body(written) == meant


@pytest.mark.parametrize("value", [True, pytest.param(10**5000, id="huge"), float("inf"), ["x"], {"a": 1}])
def test_nothing_else_becomes_text(value: object) -> None:
    assert body({"cluster": value}) == {"cluster": value}
    assert body({"tags": {"a": [value]}}) == {"tags": [{"key": "a", "value": [value]}]}


@pytest.mark.parametrize("key", [7, None, pytest.param(10**5000, id="huge"), b"cpu", ("cpu",)])
def test_a_name_that_is_no_text_is_refused(key: object) -> None:
    with pytest.raises(
        InvalidRequestError, match=r"is not a member of ECS's RunTask request. Write it in quotes."
    ):
        body({key: 1})


@pytest.mark.parametrize(
    ("key", "place"),
    [
        ("subnets", "networkConfiguration.awsvpcConfiguration.subnets"),
        ("security_groups", "networkConfiguration.awsvpcConfiguration.securityGroups"),
        ("assignPublicIp", "networkConfiguration.awsvpcConfiguration.assignPublicIp"),
        ("taskRoleArn", "overrides.taskRoleArn"),
    ],
)
def test_what_stands_deeper_is_reported_with_its_place(key: str, place: str) -> None:
    with pytest.raises(InvalidRequestError, match=f"{key} is not a member .* Write it as {place}"):
        body({key: ["x"]})


def test_what_may_stand_beside_is_proposed_as_well() -> None:
    with pytest.raises(InvalidRequestError, match=r"Did you mean fallback_after\?"):
        normalised({"fallback_afer": 1}, beside=("fallback_after",))


def test_the_members_are_listed_once() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        body({"xyzzy": 1, "qwerty": 1})
    assert str(caught.value).count("It has: ") == 1


def test_members_of_a_container_are_proposed_as_well() -> None:
    with pytest.raises(InvalidRequestError, match=r"Did you mean memory\?"):
        body({"memmory": 512})


def test_all_wrong_keys_are_reported_at_once() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        body({"lauchType": 1, "overrides": {"cpus": 2}, "clustr": 3})
    assert str(caught.value) == (
        "lauchType is not a member of ECS's RunTask request. Did you mean launchType? "
        "overrides.cpus is not a member of ECS's TaskOverride. Did you mean cpu? "
        "clustr is not a member of ECS's RunTask request. Did you mean cluster? Correct or remove it."
    )


def test_of_very_many_wrong_keys_some_are_reported() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        body({f"unknown {number}": 1 for number in range(100)})
    assert "There are 95 more." in str(caught.value)
    assert len(str(caught.value)) < 5000


def test_a_key_in_two_spellings_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match="launchType appears twice"):
        body({"launchType": "EC2", "launch_type": "FARGATE"})


def test_short_and_spelled_out_members_are_two_parts_the_short_ones_first() -> None:
    short, rest = normalised({"group": "g", "cpu": 1}, "main")
    assert short == {"overrides": {"containerOverrides": [{"name": "main", "cpu": 1}]}}
    assert rest == {"group": "g"}


TAG_A1, TAG_A2 = {"tags": [{"key": "a", "value": "1"}]}, {"tags": [{"key": "a", "value": "2"}]}
STRATEGY = {"capacityProviderStrategy": [{"capacityProvider": "x"}]}


@pytest.mark.parametrize(
    ("lower", "upper", "merged"),
    [
        (TAG_A1, TAG_A2, TAG_A2),
        (
            TAG_A1,
            {"tags": [{"key": "b", "value": "2"}]},
            {"tags": [*TAG_A1["tags"], {"key": "b", "value": "2"}]},
        ),
        (TAG_A1, {"tags": None}, {}),
        (TAG_A1, {"tags": [{"key": "a", "value": None}]}, {"tags": []}),
        (TAG_A1, {}, TAG_A1),
        ({"launchType": "EC2"}, STRATEGY, STRATEGY),
        (STRATEGY, {"launchType": "EC2"}, {"launchType": "EC2"}),
        (STRATEGY, {"launchType": None}, STRATEGY),
        ({"launchType": "EC2"}, {"capacityProviderStrategy": None}, {"launchType": "EC2"}),
        ({"launchType": "EC2"}, {"launchType": None}, {}),
        (
            {"overrides": {"cpu": "1", "memory": "2"}},
            {"overrides": {"cpu": None}},
            {"overrides": {"memory": "2"}},
        ),
        (
            {"placementStrategy": [{"type": "spread"}]},
            {"placementStrategy": [{"type": "random"}]},
            {"placementStrategy": [{"type": "random"}]},
        ),
    ],
)
def test_layers_are_merged_by_rule_and_neither_is_changed(
    lower: dict[str, Any], upper: dict[str, Any], merged: dict[str, Any]
) -> None:
    before = repr((lower, upper))
    assert merge(lower, upper) == merged
    assert repr((lower, upper)) == before


def test_leaves_have_paths_with_names() -> None:
    value = {
        "cluster": "c",
        "tags": {"team": "data"},
        "environment": {"A": "1"},
        "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["s"]}},
    }
    found = {path: leaf for part in normalised(value) for path, leaf in leaves(part).items()}
    assert found == {
        "cluster": "c",
        "tags[team]": "data",
        "overrides.containerOverrides[airflow].environment[A]": "1",
        "networkConfiguration.awsvpcConfiguration.subnets": ["s"],
    }
