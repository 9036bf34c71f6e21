"""The faults of AwsEcsExecutor's configuration, F25 to F43, side by side: it has them, and this executor has not.

When AwsEcsExecutor has one no longer, its test says so. How this executor does in a scheduler: tests/airflow/faults.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from airflow.configuration import conf
from airflow.exceptions import AirflowConfigException
from airflow.executors.base_executor import ExecutorConf
from airflow.providers.amazon.aws.executors.ecs.ecs_executor import AwsEcsExecutor
from airflow.providers.amazon.aws.hooks.ecs import EcsHook
from botocore.exceptions import ClientError, ParamValidationError

from ecs_async_executor import AsyncEcsExecutor
from ecs_async_executor.config.configuration import read_configuration
from tests.parity.captured_requests import Body, Refused, ours, theirs, wire
from tests.parity.members import container
from tests.parity.setups import BASE, Setup
from tests.parity.spelling import in_snake_case

ARM = [{"capacityProvider": "arm-instances", "weight": 1}]


def sent_by_ours(setup: Setup) -> Body:
    outcome = ours(setup)
    assert not isinstance(outcome, Refused), outcome.error
    return outcome


def sent_by_theirs(setup: Setup) -> Body:
    outcome = theirs(setup)
    assert not isinstance(outcome, Refused), outcome.error
    return outcome


def refused_by_theirs(setup: Setup) -> Exception:
    outcome = theirs(setup)
    assert isinstance(outcome, Refused)
    return outcome.error


def airflow_container(body: Body) -> dict[str, Any]:
    """Return the override of the Airflow container; there must be one."""
    (found,) = (each for each in body["overrides"]["containerOverrides"] if each["name"] == "airflow")
    return dict(found)


def network(body: Body) -> dict[str, Any]:
    return dict(body["networkConfiguration"]["awsvpcConfiguration"])


# --- launch type, capacity providers, platform ----------------------------------------------------------------------


@pytest.mark.parametrize("written", [json.dumps(ARM), str(ARM), "arm-instances:1"])
def test_f25_the_option_for_capacity_providers_works_in_every_form(written: str) -> None:
    setup = Setup().having(capacity_provider_strategy=written)
    assert isinstance(refused_by_theirs(setup), ParamValidationError)
    assert sent_by_ours(setup)["capacityProviderStrategy"] == ARM


def test_f26_no_platform_version_goes_to_an_ec2_capacity_provider() -> None:
    setup = Setup().with_kwargs({"capacity_provider_strategy": ARM})
    assert sent_by_theirs(setup)["platformVersion"] == "LATEST"
    assert "platformVersion" not in sent_by_ours(setup)
    pinned = setup.having(platform_version="1.4.0")
    assert "platformVersion" not in sent_by_ours(pinned)


def test_f26_null_removes_the_platform_version() -> None:
    setup = Setup(config={"platformVersion": None}).having(platform_version="1.4.0")
    assert isinstance(refused_by_theirs(setup), ParamValidationError)
    assert "platformVersion" not in sent_by_ours(setup)


def test_f27_a_tasks_capacity_provider_takes_the_place_of_the_launch_type() -> None:
    setup = Setup(config={"capacityProviderStrategy": ARM}).having(launch_type="FARGATE")
    both = {"launchType", "capacityProviderStrategy"}
    assert both <= sent_by_theirs(setup).keys()
    assert both & sent_by_ours(setup).keys() == {"capacityProviderStrategy"}


# --- merging and spelling -------------------------------------------------------------------------------------------

SIZES = container(cpu=512, environment=[{"name": "A", "value": "1"}])


def test_f28_memory_for_one_task_leaves_the_rest_as_it_was() -> None:
    setup = Setup(config=container(memory=4096)).with_kwargs(SIZES)
    assert "cpu" not in airflow_container(sent_by_theirs(setup))
    found = airflow_container(sent_by_ours(setup))
    assert (found["cpu"], found["memory"]) == (512, 4096)
    assert {"name": "A", "value": "1"} in found["environment"]


def test_f29_a_task_may_configure_its_sidecar_alone() -> None:
    setup = Setup(config={"overrides": {"containerOverrides": [{"name": "proxy", "cpu": 64}]}})
    assert isinstance(refused_by_theirs(setup), KeyError)
    body = sent_by_ours(setup)
    assert airflow_container(body)["command"]
    assert {"name": "proxy", "cpu": 64} in body["overrides"]["containerOverrides"]


def test_f30_a_sidecar_that_stands_first_stays_the_sidecar() -> None:
    proxy = {"name": "proxy", "environment": [{"name": "PORT", "value": "80"}]}
    setup = Setup().with_kwargs(
        {"overrides": {"containerOverrides": [proxy, {"name": "airflow", "cpu": 512}]}}
    )
    names = [each["name"] for each in sent_by_theirs(setup)["overrides"]["containerOverrides"]]
    assert names == ["airflow", "airflow"]
    body = sent_by_ours(setup)
    assert proxy in body["overrides"]["containerOverrides"]
    assert airflow_container(body)["cpu"] == 512


def test_f31_a_launch_type_in_camel_case_counts() -> None:
    setup = Setup().with_kwargs({"launchType": "EC2"})
    assert sent_by_theirs(setup)["launchType"] == "FARGATE"
    assert sent_by_ours(setup)["launchType"] == "EC2"


def test_f31_no_launch_type_is_added_to_capacity_providers_in_camel_case() -> None:
    setup = Setup().with_kwargs({"capacityProviderStrategy": ARM})
    assert "launchType" in sent_by_theirs(setup)
    assert "launchType" not in sent_by_ours(setup)


def test_f32_managed_tags_can_be_written_in_snake_case() -> None:
    setup = Setup().with_kwargs({"enable_ecs_managed_tags": True})
    assert "enableEcsManagedTags" in str(refused_by_theirs(setup))
    assert sent_by_ours(setup)["enableECSManagedTags"] is True


def test_f33_executor_config_may_be_in_snake_case_as_run_task_kwargs_may() -> None:
    setup = Setup(config=in_snake_case({**container(memoryReservation=512), "enableExecuteCommand": True}))
    assert isinstance(refused_by_theirs(setup), ParamValidationError)
    body = sent_by_ours(setup)
    assert body["enableExecuteCommand"] is True
    assert airflow_container(body)["memoryReservation"] == 512


def test_f34_the_documented_example_of_tags_works() -> None:
    documented = conf.configuration_description["aws_ecs_executor"]["options"]["run_task_kwargs"]["example"]
    setup = Setup().having(run_task_kwargs=documented)
    assert isinstance(refused_by_theirs(setup), ParamValidationError)
    assert sent_by_ours(setup)["tags"] == [{"key": "schema", "value": "1.0"}]


# --- forms of options -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("true", ["true", "1", "yes", "on"])
def test_f35_public_addresses_are_a_boolean_like_any_other(true: str) -> None:
    setup = Setup().having(assign_public_ip=true)
    assert network(sent_by_theirs(setup))["assignPublicIp"] == "DISABLED"
    assert network(sent_by_ours(setup))["assignPublicIp"] == "ENABLED"


@pytest.mark.parametrize("false", ["false", "0", "no"])
def test_f35_bridge_and_host_networks_need_no_subnet(false: str) -> None:
    setup = Setup().having(launch_type="EC2", subnets=None, assign_public_ip=false)
    assert "At least one subnet" in str(refused_by_theirs(setup))
    assert "networkConfiguration" not in sent_by_ours(setup)


@pytest.mark.parametrize("subnets", ["a, b", '["a", "b"]', " a,b "])
def test_f36_subnets_may_have_spaces_or_be_a_json_list(subnets: str) -> None:
    setup = Setup().having(subnets=subnets)
    assert network(sent_by_theirs(setup))["subnets"] != ["a", "b"]
    assert network(sent_by_ours(setup))["subnets"] == ["a", "b"]


# --- how AWS is asked -----------------------------------------------------------------------------------------------


@pytest.fixture
def hooks(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, Any]]:
    """Connection and region of every client that AwsEcsExecutor makes."""
    made: list[tuple[Any, Any]] = []

    def conn(hook: EcsHook) -> Any:
        made.append((hook.aws_conn_id, hook._region_name))
        return wire().client

    monkeypatch.setattr(EcsHook, "conn", property(conn))
    return made


def test_f37_building_requests_asks_aws_nothing(hooks: list[tuple[Any, Any]]) -> None:
    setup = Setup().having(conn_id="mine", region_name="eu-central-1")
    with setup.in_force():
        AwsEcsExecutor()
    assert hooks == [("mine", "eu-central-1"), ("aws_default", None)]
    hooks.clear()
    sent_by_ours(setup)
    assert hooks == []
    assert [name for name, _ in wire().sent] == ["RunTask"]


def test_f37_a_clusters_own_strategy_is_left_to_decide() -> None:
    body = sent_by_ours(Setup(strategy_of_cluster=True))
    assert not {"launchType", "capacityProviderStrategy"} & body.keys()


def test_f38_the_executor_can_be_made_where_nothing_is_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AirflowConfigException):
        AwsEcsExecutor()
    monkeypatch.setattr("socket.socket.connect", None)  # no call, either
    AsyncEcsExecutor()


def test_f39_its_health_check_tries_to_stop_a_task_and_a_throttle_stops_the_scheduler(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    def throttled(model: Any, **_: Any) -> None:
        asked.append(model.name)
        raise ClientError({"Error": {"Code": "ThrottlingException", "Message": "Rate exceeded"}}, model.name)

    events = wire().client.meta.events
    with Setup().having(launch_type="EC2").in_force(), monkeypatch.context() as patch:
        patch.setattr(EcsHook, "conn", wire().client)
        executor = AwsEcsExecutor()
        events.register_first("before-call.ecs.StopTask", throttled)
        try:
            with pytest.raises(Exception, match="health check has failed"):
                executor.start()
        finally:
            events.unregister("before-call.ecs.StopTask", throttled)
    assert asked == ["StopTask"]


# --- what is documented, teams, sizes -------------------------------------------------------------------------------


def test_f41_members_of_containeroverride_work_as_its_documentation_has_it() -> None:
    assert "keys that match the\n    ``ContainerOverride`` definition" in str(AwsEcsExecutor.__doc__)
    setup = Setup(config={"cpu": 512, "environment": [{"name": "A", "value": "1"}]})
    assert isinstance(refused_by_theirs(setup), ParamValidationError)
    found = airflow_container(sent_by_ours(setup))
    assert found["cpu"] == 512
    assert {"name": "A", "value": "1"} in found["environment"]


def test_f41_fargate_without_subnets_is_refused_and_not_left_to_a_default_that_does_not_exist() -> None:
    setup = Setup().having(subnets=None)
    assert "networkConfiguration" not in sent_by_theirs(setup)
    outcome = ours(setup)
    assert isinstance(outcome, Refused)
    assert "at least one subnet" in str(outcome.error)


@contextmanager
def options_of_team(monkeypatch: pytest.MonkeyPatch, **values: str) -> Iterator[ExecutorConf]:
    with monkeypatch.context() as patch:
        for name, value in values.items():
            patch.setenv(f"AIRFLOW__BLUE___AWS_ECS_EXECUTOR__{name.upper()}", value)
        yield ExecutorConf("blue")


def test_f42_a_team_has_its_own_connection_region_and_cluster(
    hooks: list[tuple[Any, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    values = {**BASE, "cluster": "the-teams", "conn_id": "the-teams", "region_name": "eu-central-1"}
    with options_of_team(monkeypatch, **values) as team:
        AwsEcsExecutor(team_name="blue")
        settings = read_configuration(team).settings
    assert ("aws_default", None) in hooks
    assert (settings.cluster, settings.conn_id, settings.region_name) == (
        "the-teams",
        "the-teams",
        "eu-central-1",
    )


def test_f43_overrides_that_are_too_long_are_refused_with_the_numbers() -> None:
    setup = Setup(config=container(environment=[{"name": "A", "value": "x" * 8000}]))
    assert len(json.dumps(sent_by_theirs(setup)["overrides"])) > 8192
    outcome = ours(setup)
    assert isinstance(outcome, Refused)
    assert re.search(r"have \d+ characters; ECS takes 8192", str(outcome.error))
