from __future__ import annotations

import copy
import re
import threading
from typing import Any

import pytest

from ecs_async_executor.config.layers import Layer
from ecs_async_executor.config.request import RequestTemplate
from ecs_async_executor.config.settings import Settings
from ecs_async_executor.ecs_rules import OVERRIDES
from ecs_async_executor.errors import InvalidRequestError
from ecs_async_executor.messages import Payload

TOKEN = "the-secret-token"
MARK = {"name": "AIRFLOW_IS_EXECUTOR_CONTAINER", "value": "true"}
COMMAND = ["python", "-m", "worker", TOKEN]
HUGE = 10**5000
"""Python makes no text of it."""


def template(**options: Any) -> RequestTemplate:
    required = {
        "cluster": "default",
        "container_name": "airflow",
        "task_definition": "airflow-task",
        "subnets": ("subnet-1",),
    }
    return RequestTemplate(Settings.model_validate({**required, **options}))


def body(executor_config: object = None, **options: Any) -> dict[str, Any]:
    request = template(**options).request(COMMAND, executor_config)
    return without_mark(dict((request.settle([]) if request.settle else request).body))


def without_mark(request: dict[str, Any]) -> dict[str, Any]:
    """Leave out the variable that every Airflow container gets, and see that it gets it."""
    request, found = copy.deepcopy(request), 0
    for container in request["overrides"]["containerOverrides"]:
        if MARK in container.get("environment", ()):
            found += 1
            container["environment"].remove(MARK)
            if not container["environment"]:
                del container["environment"]
    assert found == 1
    return request


def airflow_container(request: dict[str, Any], name: str = "airflow") -> dict[str, Any]:
    containers = request["overrides"]["containerOverrides"]
    return dict(next(c for c in containers if c.get("name") == name))


def refusal(executor_config: object, **options: Any) -> str:
    with pytest.raises(InvalidRequestError) as caught:
        body(executor_config, **options)
    assert TOKEN not in str(caught.value)
    return str(caught.value).removeprefix("executor_config: ")


# --- from options ---------------------------------------------------------------------------------------------


def test_the_options_make_a_fargate_request() -> None:
    assert body(launch_type="FARGATE") == {
        "cluster": "default",
        "taskDefinition": "airflow-task",
        "launchType": "FARGATE",
        "networkConfiguration": {
            "awsvpcConfiguration": {"subnets": ["subnet-1"], "assignPublicIp": "DISABLED"}
        },
        "overrides": {"containerOverrides": [{"name": "airflow", "command": COMMAND}]},
    }


def test_all_network_options_reach_the_request() -> None:
    network = body(security_groups=("sg-1", "sg-2"), assign_public_ip=True)["networkConfiguration"]
    assert network["awsvpcConfiguration"] == {
        "subnets": ["subnet-1"],
        "securityGroups": ["sg-1", "sg-2"],
        "assignPublicIp": "ENABLED",
    }


def test_public_addresses_are_not_asked_for_on_ec2() -> None:
    request = body(launch_type="EC2")
    assert "assignPublicIp" not in request["networkConfiguration"]["awsvpcConfiguration"]


def test_without_network_options_there_is_no_network_configuration() -> None:
    assert "networkConfiguration" not in body(launch_type="EC2", subnets=())


def test_a_capacity_provider_strategy_takes_the_place_of_a_launch_type() -> None:
    strategy = [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]
    request = body(capacity_provider_strategy=strategy)
    assert request["capacityProviderStrategy"] == strategy
    assert "launchType" not in request


@pytest.mark.parametrize(
    ("option", "sent"), [("1.4.0", "1.4.0"), ("LATEST", None), ("latest", None), (None, None)]
)
def test_the_platform_version_is_sent_unless_it_is_the_latest(option: str | None, sent: str | None) -> None:
    assert body(platform_version=option).get("platformVersion") == sent


def test_the_request_names_the_container_that_decides() -> None:
    request = template(container_name="main").request(COMMAND, None)
    assert request.container == "main"
    assert airflow_container(dict(request.body), "main")["command"] == COMMAND


def test_a_request_hides_its_body_in_logs() -> None:
    assert TOKEN not in repr(template().request(COMMAND, None))


# --- layers ---------------------------------------------------------------------------------------------------


def test_run_task_kwargs_win_over_options_and_executor_config_over_both() -> None:
    kwargs = {"cluster": "of-the-kwargs", "group": "of the kwargs"}
    request = body({"group": "of the task"}, run_task_kwargs=kwargs)
    assert (request["cluster"], request["group"]) == ("of-the-kwargs", "of the task")


@pytest.mark.parametrize(
    "spelling", ["enableExecuteCommand", "enable_execute_command", "EnableExecuteCommand"]
)
def test_keys_are_taken_in_camel_and_in_snake_case(spelling: str) -> None:
    assert body({spelling: True})["enableExecuteCommand"] is True


def test_keys_are_taken_in_snake_case_at_every_depth() -> None:
    config = {"overrides": {"container_overrides": [{"name": "airflow", "memory_reservation": 64}]}}
    assert airflow_container(body(config))["memoryReservation"] == 64


def test_containers_are_merged_by_name() -> None:
    kwargs = {"overrides": {"containerOverrides": [{"name": "airflow", "cpu": 1, "memory": 64}]}}
    config = {
        "overrides": {"containerOverrides": [{"name": "airflow", "cpu": 2}, {"name": "proxy", "cpu": 3}]}
    }
    request = body(config, run_task_kwargs=kwargs)
    assert request["overrides"]["containerOverrides"] == [
        {"name": "airflow", "cpu": 2, "memory": 64, "command": COMMAND},
        {"name": "proxy", "cpu": 3},
    ]


def test_a_container_named_twice_in_one_layer_is_one_container() -> None:
    config = {
        "overrides": {"containerOverrides": [{"name": "airflow", "cpu": 1}, {"name": "airflow", "memory": 2}]}
    }
    assert body(config)["overrides"]["containerOverrides"] == [
        {"name": "airflow", "cpu": 1, "memory": 2, "command": COMMAND}
    ]


def test_a_sidecar_that_stands_first_does_not_get_airflows_command() -> None:
    kwargs = {"overrides": {"containerOverrides": [{"name": "proxy", "cpu": 1}]}}
    request = body(run_task_kwargs=kwargs)
    assert request["overrides"]["containerOverrides"] == [
        {"name": "proxy", "cpu": 1},
        {"name": "airflow", "command": COMMAND},
    ]


def test_environment_is_merged_by_name() -> None:
    def override(environment: object) -> dict[str, Any]:
        return {"overrides": {"containerOverrides": [{"name": "airflow", "environment": environment}]}}

    kwargs = override([{"name": "A", "value": "1"}, {"name": "B", "value": "2"}])
    request = body(override([{"name": "B", "value": "3"}]), run_task_kwargs=kwargs)
    assert airflow_container(request)["environment"] == [
        {"name": "A", "value": "1"},
        {"name": "B", "value": "3"},
    ]


def test_environment_and_tags_may_be_dicts() -> None:
    config = {
        "tags": {"team": "data", "cost": 7},
        "overrides": {"containerOverrides": [{"name": "airflow", "environment": {"A": 1, "B": "2"}}]},
    }
    request = body(config)
    assert request["tags"] == [{"key": "team", "value": "data"}, {"key": "cost", "value": "7"}]
    assert airflow_container(request)["environment"] == [
        {"name": "A", "value": "1"},
        {"name": "B", "value": "2"},
    ]


def test_one_pair_in_place_of_a_list_is_that_pair() -> None:
    assert body({"tags": {"key": "team", "value": "data"}})["tags"] == [{"key": "team", "value": "data"}]


def test_tags_are_merged_by_key() -> None:
    request = body(
        {"tags": {"team": "ml", "run": "x"}}, run_task_kwargs={"tags": {"team": "data", "org": "o"}}
    )
    assert request["tags"] == [
        {"key": "team", "value": "ml"},
        {"key": "org", "value": "o"},
        {"key": "run", "value": "x"},
    ]


def test_null_removes_a_key() -> None:
    request = body(
        {"group": None, "networkConfiguration": None, "launchType": "EC2"}, run_task_kwargs={"group": "g"}
    )
    assert "group" not in request
    assert "networkConfiguration" not in request


def test_null_removes_a_tag_and_a_variable() -> None:
    def layer(value: str | None) -> dict[str, Any]:
        container = {"name": "airflow", "environment": {"A": value, "B": "2"}}
        return {"tags": {"a": value, "b": "2"}, "overrides": {"containerOverrides": [container]}}

    request = body(layer(None), run_task_kwargs=layer("1"))
    assert request["tags"] == [{"key": "b", "value": "2"}]
    assert airflow_container(request)["environment"] == [{"name": "B", "value": "2"}]


@pytest.mark.parametrize(
    "config",
    [
        {"overrides": None},
        {"overrides": {"containerOverrides": None}},
        {"overrides": {"cpu": None}},
        {"overrides": {"containerOverrides": [{"name": "airflow", "command": None, "cpu": None}]}},
        {"overrides": {"containerOverrides": [{"name": "airflow", "environment": {"A": None}}]}},
    ],
)
def test_null_where_nothing_was_is_nothing(config: dict[str, Any]) -> None:
    assert airflow_container(body(config))["command"] == COMMAND


def test_lists_without_names_are_replaced() -> None:
    network = {"awsvpc_configuration": {"subnets": ["subnet-2"]}}
    request = body({"network_configuration": network})
    assert request["networkConfiguration"]["awsvpcConfiguration"]["subnets"] == ["subnet-2"]


def test_a_tasks_capacity_provider_drives_the_launch_type_out() -> None:
    strategy = [{"capacityProvider": "FARGATE_SPOT"}]
    request = body({"capacity_provider_strategy": strategy})
    assert request["capacityProviderStrategy"] == strategy
    assert "launchType" not in request


def test_a_tasks_launch_type_drives_the_capacity_provider_out() -> None:
    request = body({"launchType": "EC2"}, capacity_provider_strategy=[{"capacityProvider": "FARGATE_SPOT"}])
    assert request["launchType"] == "EC2"
    assert "capacityProviderStrategy" not in request


def test_no_task_changes_what_the_next_one_gets() -> None:
    one = template(run_task_kwargs={"overrides": {"containerOverrides": [{"name": "airflow", "cpu": 1}]}})
    before = dict(one.request(["first"], None).body)
    config = {"tags": {"a": "b"}, "overrides": {"containerOverrides": [{"name": "airflow", "cpu": 9}]}}
    one.request(COMMAND, config)
    assert dict(one.request(["first"], None).body) == before
    assert config["overrides"] == {"containerOverrides": [{"name": "airflow", "cpu": 9}]}


# --- refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["count", "clientToken", "client_token", "startedBy", "started_by"])
def test_what_is_the_executors_own_is_refused(key: str) -> None:
    assert "can't be configured" in refusal({key: "x"})


def test_two_keys_that_exclude_each_other_are_refused() -> None:
    message = refusal({"launchType": "EC2", "capacityProviderStrategy": [{"capacityProvider": "x"}]})
    assert "launchType and capacityProviderStrategy exclude each other: remove one of them." in message


def test_a_command_is_refused_and_not_shown() -> None:
    config = {"overrides": {"containerOverrides": [{"name": "airflow", "command": ["their-secret"]}]}}
    message = refusal(config)
    assert "command of container 'airflow'" in message
    assert "their-secret" not in message


@pytest.mark.parametrize("config", [[], ["x"], "overrides", 5, 0, True, object()])
def test_an_executor_config_that_is_no_dict_is_refused(config: object) -> None:
    assert "not a dict" in refusal(config)


def test_a_typing_error_gets_a_suggestion() -> None:
    assert "Did you mean launchType?" in refusal({"lauchType": "EC2"})
    assert "Did you mean environment?" in refusal(
        {"overrides": {"containerOverrides": [{"name": "airflow", "enviroment": {}}]}}
    )


@pytest.mark.parametrize("key", ["kubernetes", ""])
def test_a_key_that_nothing_resembles_is_answered_with_all_there_are(key: str) -> None:
    message = refusal({key: 1})
    assert f"{key} is not a member of ECS's RunTask request. It has: capacityProviderStrategy, " in message


def test_an_unknown_key_is_named_with_its_path() -> None:
    message = refusal({"overrides": {"containerOverrides": [{"name": "airflow", "zzz": 1}]}})
    assert message.startswith("overrides.containerOverrides.zzz is not a member")


@pytest.mark.parametrize(
    "config",
    [
        {"cluster": True},
        {"overrides": "their-secret"},
        {"overrides": ["their-secret"]},
        {"overrides": {"cpu": ["their-secret"]}},
        {"overrides": {"containerOverrides": [{"name": "airflow", "cpu": "their-secret"}]}},
        {"overrides": {"containerOverrides": "their-secret"}},
        {"overrides": {"containerOverrides": {"name": "airflow", "x": "their-secret"}}},
        {"overrides": {"containerOverrides": [None]}},
        {"overrides": {"containerOverrides": [["their-secret"]]}},
        {"overrides": {"containerOverrides": [{"name": {}}]}},
        {"overrides": {"containerOverrides": [{"name": "airflow", "environment": "their-secret"}]}},
        {"overrides": {"containerOverrides": [{"name": "airflow", "environment": [["their-secret"]]}]}},
        {"tags": 7},
        {"tags": [{"key": {"their-secret"}}]},
        {"tags": threading.Lock()},
        {"enableExecuteCommand": "true"},
        {"capacityProviderStrategy": [{"weight": 1}]},
        {"capacityProviderStrategy": [{"capacityProvider": "x", "weight": -1}]},
        {"networkConfiguration": {"awsvpcConfiguration": {"subnets": None}}},
        {"taskDefinition": None},
    ],
)
def test_a_wrong_type_or_a_missing_member_is_refused_without_its_value(config: dict[str, Any]) -> None:
    message = refusal(config)
    assert re.search(r" is missing\.| is .*ECS takes ", message)
    assert message.endswith(" See ECS's RunTask request and its quotas.")
    assert "their-secret" not in message


@pytest.mark.parametrize(
    "config",
    [
        {"cpu": HUGE},
        {"overrides": {"cpu": HUGE}},
        {HUGE: 1},
        {"environment": {HUGE: 1}},
        {"tags": {"a": HUGE}},
    ],
    ids=["cpu", "task_cpu", "member", "variable", "tag"],
)
def test_a_number_that_python_can_not_print_is_refused_like_any_other(config: dict[Any, Any]) -> None:
    assert refusal(config)


@pytest.mark.parametrize("variable", [{}, {"value": "their-secret"}, {"name": ""}])
def test_a_variable_without_a_name_is_refused(variable: dict[str, str]) -> None:
    message = refusal({"environment": [variable]})
    assert message.startswith("environment has a variable without a name.")
    assert "their-secret" not in message


def test_what_is_wrong_with_an_executor_config_begins_with_its_name() -> None:
    with pytest.raises(InvalidRequestError, match=r"^executor_config: clustr is not a member"):
        body({"clustr": "x"})


def test_wrong_names_and_wrong_values_are_reported_at_once() -> None:
    message = refusal({"wrong": 1, "startedBy": "x", "count": 3, "cluster": None, "tags": 7})
    for words in (
        "wrong is not a member",
        "startedBy can't",
        "count can't",
        "cluster can't be removed",
        "tags is",
    ):
        assert words in message


def test_what_a_misspelt_member_would_have_said_is_not_missing() -> None:
    message = refusal({"taskDefinition": None, "taskDefinitoin": "t"})
    assert "Did you mean taskDefinition?" in message
    assert "is missing" not in message


def test_true_is_no_count() -> None:
    assert "count can't be configured" in refusal({"count": True})


def test_the_cluster_can_not_be_removed() -> None:
    assert refusal({"cluster": None}).startswith("cluster can't be removed: name another one")
    with pytest.raises(InvalidRequestError, match="run_task_kwargs: cluster can't be removed"):
        template(run_task_kwargs={"cluster": None})


def test_everything_that_is_the_executors_is_named_at_once() -> None:
    message = refusal({"count": 2, "startedBy": "x", "clientToken": "y"})
    assert all(f"{name} can't be configured." in message for name in ("count", "startedBy", "clientToken"))


def test_s3_is_used_before_ecs_may_count_more_than_we_do() -> None:
    escaped = {"environment": {"A": "é" * 1500}}  # 1,500 characters, which are sent as 9,000
    payload = Payload("s3://bucket/run.json", b"{}")
    assert template().request(COMMAND, escaped).payload is None
    assert template().request(COMMAND, escaped, deliver=lambda: (["fetch"], payload)).payload == payload


def test_too_many_characters_of_overrides_are_refused_before_the_call() -> None:
    def config(length: int) -> dict[str, Any]:
        environment = {"A": "x" * length}
        return {"overrides": {"containerOverrides": [{"name": "airflow", "environment": environment}]}}

    message = refusal(config(OVERRIDES))
    assert "ECS takes 8192" in message
    assert "x" * 100 not in message
    assert body(config(OVERRIDES - 300))


LONG = {"environment": {"A": "x" * 7200}}
LONGER = {"environment": {"A": "x" * 8100}}
HOLDING = ["airflow", "x" * 1000]


def deliver() -> tuple[list[str], Payload]:
    return ["fetch", "s3://b/k"], Payload("s3://b/k", b"workload")


@pytest.mark.parametrize("launch_type", [None, "FARGATE"])
def test_overrides_that_are_too_long_only_with_the_workload_are_sent_without_it(
    launch_type: str | None,
) -> None:
    made = template(launch_type=launch_type).request(HOLDING, LONG, deliver=deliver)
    if made.settle is not None:
        made = made.settle([])
    (container,) = made.body["overrides"]["containerOverrides"]
    assert container["command"] == ["fetch", "s3://b/k"]
    assert container["environment"] == [{"name": "A", "value": "x" * 7200}, MARK]
    assert made.payload == deliver()[1]


def test_nothing_is_delivered_that_fits() -> None:
    made = template().request(HOLDING, None, deliver=deliver)
    assert made.payload is None
    assert made.body["overrides"]["containerOverrides"][0]["command"] == HOLDING


def test_overrides_that_are_too_long_even_so_are_refused_with_both_numbers() -> None:
    with pytest.raises(InvalidRequestError) as refused:
        template().request(HOLDING, LONGER, deliver=deliver)
    numbers = [int(number) for number in re.findall(r"\d{4}", str(refused.value))]
    assert numbers[1] == OVERRIDES
    assert numbers[0] > numbers[2] > OVERRIDES
    assert "Shorten the executor_config" in refused.value.remedy


@pytest.mark.parametrize(("config", "helps"), [(LONG, True), (LONGER, False)])
def test_the_option_is_named_only_where_it_helps(config: dict[str, Any], helps: bool) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        template().request(HOLDING, config)
    assert ("`payload_bucket`" in refused.value.remedy) is helps


def test_characters_are_counted_not_bytes() -> None:
    environment = {"A": "ß" * 7000}
    config = {"overrides": {"containerOverrides": [{"name": "airflow", "environment": environment}]}}
    assert body(config)


def test_a_request_that_can_never_be_built_is_refused_with_the_options() -> None:
    with pytest.raises(InvalidRequestError, match="Did you mean cluster"):
        template(run_task_kwargs={"clusters": "x"})
    with pytest.raises(InvalidRequestError, match="count can't be configured"):
        template(run_task_kwargs={"count": 2})


# --- the Airflow container ------------------------------------------------------------------------------------


def test_an_override_without_a_name_means_the_airflow_container() -> None:
    kwargs = {"count": 1, "overrides": {"containerOverrides": [{"environment": {"A": "1"}, "cpu": 256}]}}
    body = template(run_task_kwargs=kwargs).request(["run"], None).body
    (container,) = body["overrides"]["containerOverrides"]
    assert container["name"] == "airflow"
    assert (container["cpu"], container["command"]) == (256, ["run"])
    assert "count" not in body


@pytest.mark.parametrize(
    ("short", "spelled_out"),
    [
        ({"cpu": 256, "memory": 512}, {"cpu": 256, "memory": 512}),
        ({"memory_reservation": 64}, {"memoryReservation": 64}),
        ({"environment": {"A": "1"}}, {"environment": [{"name": "A", "value": "1"}]}),
        ({"resourceRequirements": [{"type": "GPU", "value": "1"}]},) * 2,
    ],
)
def test_members_of_a_container_at_the_top_are_for_the_airflow_container(
    short: dict[str, Any], spelled_out: dict[str, Any]
) -> None:
    assert airflow_container(body(short)) == {"name": "airflow", "command": COMMAND, **spelled_out}


def test_what_is_spelled_out_wins_over_the_short_form_of_the_same_config() -> None:
    container = {"name": "airflow", "cpu": 2, "environment": {"A": "2"}}
    config = {
        "overrides": {"containerOverrides": [container]},
        "cpu": 1,
        "memory": 64,
        "environment": {"A": "1", "B": "1"},
    }
    assert airflow_container(body(config)) == {
        "name": "airflow",
        "command": COMMAND,
        "cpu": 2,
        "memory": 64,
        "environment": [{"name": "A", "value": "2"}, {"name": "B", "value": "1"}],
    }


def test_null_in_the_short_form_removes_what_a_lower_layer_has_set() -> None:
    request = body(
        {"cpu": None, "environment": {"A": None}},
        run_task_kwargs={"cpu": 1, "environment": {"A": "1", "B": "2"}},
    )
    assert airflow_container(request) == {
        "name": "airflow",
        "command": COMMAND,
        "environment": [{"name": "B", "value": "2"}],
    }


def test_an_empty_command_as_in_old_templates_is_none() -> None:
    config = {"overrides": {"containerOverrides": [{"name": "airflow", "command": []}]}}
    assert airflow_container(body(config))["command"] == COMMAND


def test_a_sidecar_may_have_a_command() -> None:
    config = {"overrides": {"containerOverrides": [{"name": "proxy", "command": ["serve"]}]}}
    assert airflow_container(body(config), "proxy")["command"] == ["serve"]
    assert airflow_container(body(config))["command"] == COMMAND


@pytest.mark.parametrize("key", ["command", "Command", "name"])
def test_airflows_own_members_of_the_container_are_refused_and_not_shown(key: str) -> None:
    message = refusal({key: ["their-secret"]})
    assert message.startswith(f"{key.lower()} can't be configured")
    assert "their-secret" not in message


# --- layers above ---------------------------------------------------------------------------------------------


def settings(**options: Any) -> Settings:
    required = {"cluster": "default", "container_name": "airflow", "task_definition": "t", "subnets": ("s",)}
    return Settings.model_validate({**required, **options})


def test_what_the_user_says_of_the_executors_own_variable_counts() -> None:
    variable = {"AIRFLOW_IS_EXECUTOR_CONTAINER": ""}
    request = template().request(COMMAND, {"environment": variable, "launch_type": "EC2"})
    assert airflow_container(dict(request.body))["environment"] == [{**MARK, "value": ""}]


def test_fargate_without_a_subnet_is_refused_when_a_task_is_launched_that_brings_none() -> None:
    one = template(launch_type="FARGATE", subnets=())
    with pytest.raises(InvalidRequestError, match="Fargate tasks need"):
        one.request(COMMAND, None)
    network = {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}
    assert one.request(COMMAND, {"networkConfiguration": network}).body["networkConfiguration"] == network


def test_a_profile_stands_between_run_task_kwargs_and_executor_config() -> None:
    kwargs = {"group": "of the kwargs", "tags": {"a": "1", "b": "1"}, "cpu": 1}
    profile = Layer("queue gpu", {"cluster": "gpus", "task_definition": "gpu", "tags": {"b": "2"}, "cpu": 2})
    one = RequestTemplate(settings(run_task_kwargs=kwargs), profile)
    request = one.request(COMMAND, {"cpu": 3, "launch_type": "EC2"})
    assert (request.body["cluster"], request.body["taskDefinition"]) == ("gpus", "gpu")
    assert request.body["group"] == "of the kwargs"
    assert request.body["tags"] == [{"key": "a", "value": "1"}, {"key": "b", "value": "2"}]
    assert airflow_container(dict(request.body))["cpu"] == 3


def test_a_profile_may_have_a_container_of_its_own() -> None:
    one = RequestTemplate(
        settings(run_task_kwargs={"cpu": 1}), Layer("queue gpu", {"memory": 64}), container="main"
    )
    request = one.request(COMMAND, {"launchType": "EC2"})
    assert request.container == "main"
    assert request.body["overrides"]["containerOverrides"] == [
        {"name": "main", "cpu": 1, "memory": 64, "environment": [MARK], "command": COMMAND}
    ]


@pytest.mark.parametrize(
    ("kwargs", "profile", "named"),
    [
        ({"clusters": "x"}, {}, "run_task_kwargs: clusters is not a member"),
        ({"tags": 7}, {}, "run_task_kwargs: tags is a whole number; ECS takes a list."),
        ({}, {"lauchType": "EC2"}, "queue gpu: lauchType is not a member"),
        ({}, {"count": 2}, "queue gpu: count can't be configured"),
    ],
)
def test_a_wrong_layer_is_refused_at_the_start_and_named(
    kwargs: dict[str, Any], profile: dict[str, Any], named: str
) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        RequestTemplate(settings(run_task_kwargs=kwargs), Layer("queue gpu", profile))
    assert str(caught.value).startswith(named)


def test_the_layers_are_kept_for_who_wants_to_explain_a_request() -> None:
    one = RequestTemplate(settings(), Layer("queue gpu", {}))
    assert [layer.name for layer in one.layers] == [
        "cluster",
        "task_definition",
        "subnets",
        "assign_public_ip",
        "run_task_kwargs",
        "queue gpu",
    ]


def test_no_layer_shows_its_value_in_logs() -> None:
    assert "their-secret" not in repr(Layer("queue", {"environment": {"PASSWORD": "their-secret"}}))


def test_a_wrong_item_is_named_by_its_name_and_not_by_its_place_among_those_of_other_layers() -> None:
    kwargs = {"environment": {"A": "1", "B": "2"}, "tags": {"a": "1"}}
    said = refusal({"environment": {"C": "\0"}, "tags": {"team": "x&y"}}, run_task_kwargs=kwargs)
    assert "environment[C] has a NUL character" in said
    assert "tags[team] has '&';" in said
    said = refusal({"environment": [{"name": "C", "value": ["x"]}]}, run_task_kwargs=kwargs)
    assert said.startswith("environment[C] is a list; ECS takes text.")
