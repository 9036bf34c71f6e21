"""Options and per-task overrides: no fault of AwsEcsExecutor, F25 to F43, is one of this executor.

F40 stands in `test_queues.py`. What can't be shown by a launch is shown by what the scheduler's start says.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from airflow.configuration import conf
from airflow.executors.base_executor import ExecutorConf
from airflow.sdk import DAG, BaseOperator

from docs.write_options import PAGE, option_table
from ecs_async_executor import AsyncEcsExecutor
from ecs_async_executor.config.configuration import read_configuration
from ecs_async_executor.config.settings import DROP_IN_SECTION, Settings
from ecs_async_executor.engine.aws.ecs import EcsClient
from ecs_async_executor.errors import ConfigurationError
from ecs_async_executor.local import Control
from tests.support.scheduler import Scheduler, logged_events, one_task_dag, task_instances

RunDag = Callable[[DAG], str]
Launch = Callable[..., dict[str, Any]]
SPOT = [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]
MINE = [{"capacityProvider": "mine", "weight": 1}]


@pytest.fixture
def launch(
    configured: Control,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    run_dag: RunDag,
    sent: list[dict[str, Any]],
) -> Launch:
    """Launch a task under more options of `[aws_ecs_executor]`; gives its RunTask request, which ECS has taken."""

    def start(executor_config: dict[str, Any] | None = None, **options: str) -> dict[str, Any]:
        for name, value in options.items():
            monkeypatch.setenv(f"AIRFLOW__AWS_ECS_EXECUTOR__{name.upper()}", value)
        scheduler: Scheduler = request.getfixturevalue("scheduler")
        run_dag(one_task_dag(f"configured_{uuid4().hex}", executor_config=executor_config))
        scheduler.launched()
        (body,) = sent
        return body

    return start


@pytest.fixture
def default_strategy(ecs: Control) -> Iterator[Callable[[list[dict[str, Any]]], None]]:
    """Give the cluster a default capacity provider strategy."""
    yield lambda strategy: ecs.set_cluster("default", strategy)
    ecs.set_cluster("default", [])


def containers(body: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found = body["overrides"]["containerOverrides"]
    assert len({each["name"] for each in found}) == len(found), "no container appears twice"
    return {each["name"]: each for each in found}


def overrides(*items: dict[str, Any]) -> dict[str, Any]:
    return {"overrides": {"containerOverrides": list(items)}}


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(SPOT),
        str(SPOT),
        '[{"capacity_provider": "FARGATE_SPOT", "weight": 1}]',
        "FARGATE_SPOT:1",
    ],
)
def test_f25_a_capacity_provider_strategy_works_in_every_form(launch: Launch, text: str) -> None:
    body = launch(capacity_provider_strategy=text)
    assert body["capacityProviderStrategy"] == SPOT
    assert "launchType" not in body


def test_f26_no_platform_version_is_sent_to_capacity_providers_of_ones_own(launch: Launch) -> None:
    body = launch(capacity_provider_strategy="mine:1", platform_version="1.4.0")
    assert "platformVersion" not in body
    assert body["capacityProviderStrategy"] == MINE


def test_f26_no_platform_version_is_sent_if_the_clusters_default_is_not_fargate(
    launch: Launch, default_strategy: Callable[..., None]
) -> None:
    default_strategy(MINE)
    body = launch(platform_version="1.4.0")
    assert not {"platformVersion", "launchType", "capacityProviderStrategy"} & body.keys()


def test_f27_a_tasks_capacity_provider_takes_the_place_of_the_launch_type(launch: Launch) -> None:
    body = launch({"capacityProviderStrategy": MINE}, launch_type="FARGATE")
    assert body["capacityProviderStrategy"] == MINE
    assert "launchType" not in body


def test_f28_what_a_task_does_not_name_stays(launch: Launch) -> None:
    kwargs = {
        **overrides(
            {"name": "airflow", "cpu": 256, "environment": {"A": "1", "B": "1"}},
            {"name": "sidecar", "cpu": 1},
        ),
        "tags": {"team": "data", "env": "prod"},
    }
    config = {
        **overrides({"name": "airflow", "memory": 512, "environment": {"B": "2"}}),
        "tags": {"env": "dev"},
    }
    body = launch(config, run_task_kwargs=json.dumps(kwargs), task_definition="with-sidecar")
    airflow = containers(body)["airflow"]
    assert (airflow["cpu"], airflow["memory"]) == (256, 512)
    environment = {pair["name"]: pair["value"] for pair in airflow["environment"]}
    assert (environment["A"], environment["B"]) == ("1", "2")
    assert containers(body)["sidecar"] == {"name": "sidecar", "cpu": 1}
    assert body["tags"] == [{"key": "team", "value": "data"}, {"key": "env", "value": "dev"}]


def test_f29_a_task_may_name_a_sidecar_only(launch: Launch) -> None:
    body = launch(overrides({"name": "sidecar", "cpu": 1}), task_definition="with-sidecar")
    assert containers(body)["sidecar"] == {"name": "sidecar", "cpu": 1}
    assert "execute_workload" in str(containers(body)["airflow"]["command"])


def test_f30_a_sidecar_may_stand_first(launch: Launch) -> None:
    kwargs = overrides({"name": "sidecar", "environment": {"A": "1"}})
    body = launch(run_task_kwargs=json.dumps(kwargs), task_definition="with-sidecar")
    assert containers(body)["sidecar"] == {"name": "sidecar", "environment": [{"name": "A", "value": "1"}]}
    assert {"name": "A", "value": "1"} not in containers(body)["airflow"]["environment"]


@pytest.mark.parametrize("key", ["launchType", "launch_type"])
def test_f31_a_launch_type_in_run_task_kwargs_counts_in_either_spelling(launch: Launch, key: str) -> None:
    assert launch(run_task_kwargs=json.dumps({key: "EC2"}))["launchType"] == "EC2"


@pytest.mark.parametrize("key", ["capacityProviderStrategy", "capacity_provider_strategy"])
def test_f31_so_does_a_capacity_provider(launch: Launch, key: str) -> None:
    assert "launchType" not in launch(run_task_kwargs=json.dumps({key: SPOT}))


@pytest.mark.parametrize("key", ["enable_ecs_managed_tags", "enableECSManagedTags"])
def test_f32_names_with_capitals_in_a_row_are_found(launch: Launch, key: str) -> None:
    assert launch(run_task_kwargs=json.dumps({key: True}))["enableECSManagedTags"] is True


def test_f33_executor_config_takes_snake_case_as_well(launch: Launch) -> None:
    config = {
        "propagate_tags": "TASK_DEFINITION",
        "overrides": {"container_overrides": [{"memory_reservation": 64}]},
    }
    body = launch(config)
    assert body["propagateTags"] == "TASK_DEFINITION"
    assert containers(body)["airflow"]["memoryReservation"] == 64


def test_f34_the_documented_example_of_tags_works(launch: Launch) -> None:
    example = conf.configuration_description[DROP_IN_SECTION]["options"]["run_task_kwargs"]["example"]
    assert launch(run_task_kwargs=example)["tags"] == [{"key": "schema", "value": "1.0"}]


@pytest.mark.parametrize(
    ("text", "member"), [("true", "ENABLED"), ("1", "ENABLED"), ("True", "ENABLED"), ("false", "DISABLED")]
)
def test_f35_a_boolean_has_every_form_that_airflow_takes(launch: Launch, text: str, member: str) -> None:
    network = launch(assign_public_ip=text)["networkConfiguration"]["awsvpcConfiguration"]
    assert network["assignPublicIp"] == member


def test_f35_a_false_needs_no_subnet_on_a_bridge_network(launch: Launch) -> None:
    external = {"launch_type": "EXTERNAL", "task_definition": "bridge"}
    assert "networkConfiguration" not in launch(assign_public_ip="false", subnets="", **external)


@pytest.mark.parametrize("text", [" a , b ", '["a", "b"]', "['a', 'b']"])
def test_f36_subnets_may_have_spaces_or_be_a_list(launch: Launch, text: str) -> None:
    assert launch(subnets=text)["networkConfiguration"]["awsvpcConfiguration"]["subnets"] == ["a", "b"]


def test_f37_the_clusters_default_decides_and_is_asked_through_the_configured_connection(
    launch: Launch, default_strategy: Callable[..., None], ecs: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    default_strategy(SPOT)
    # The default connection leads nowhere.
    monkeypatch.delenv("AWS_ENDPOINT_URL_ECS")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    extra = {"region_name": "us-east-1", "endpoint_url": ecs.endpoint_url}
    mine = {"conn_type": "aws", "login": "key", "password": "secret", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_MINE", json.dumps(mine))
    body = launch(conn_id="mine")
    assert not {"launchType", "capacityProviderStrategy"} & body.keys()


def test_f37_without_a_default_it_is_fargate(launch: Launch) -> None:
    assert launch()["launchType"] == "FARGATE"


def test_f37_without_the_permission_to_ask_it_is_fargate(
    launch: Launch, ecs: Control, default_strategy: Callable[..., None]
) -> None:
    default_strategy(SPOT)
    ecs.add_fault("access_denied", action="DescribeClusters")
    assert launch()["launchType"] == "FARGATE"


def test_f37_an_unknown_cluster_stops_no_scheduler(
    configured: Control, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, run_dag: RunDag
) -> None:
    monkeypatch.setenv("AIRFLOW__AWS_ECS_EXECUTOR__CLUSTER", "unknown")
    scheduler: Scheduler = request.getfixturevalue("scheduler")
    run_dag(one_task_dag("nowhere"))
    scheduler.until_state("failed")
    assert any("Cluster not found" in reason for reason in logged_events("state mismatch"))


def test_f38_an_api_server_without_any_option_can_make_the_executor(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AIRFLOW__AWS_ECS_EXECUTOR__")]:
        monkeypatch.delenv(name)
    with pytest.raises(ConfigurationError):
        read_configuration(conf)
    executor = AsyncEcsExecutor()
    assert executor._parts is None


def test_f39_the_start_asks_no_permission_to_stop_and_survives_every_answer(
    configured: Control, ecs: Control, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped: list[object] = []
    monkeypatch.setattr(EcsClient, "stop_task", lambda *arguments: stopped.append(arguments))
    ecs.add_fault("access_denied", action="ListTasks")
    scheduler: Scheduler = request.getfixturevalue("scheduler")
    scheduler.rest(0.3)
    assert scheduler.executor._parts is not None
    assert stopped == []


def test_f41_the_page_of_options_is_made_of_the_options_themselves() -> None:
    page = PAGE.read_text("utf-8")
    assert option_table() in page
    assert [name for name in Settings.model_fields if f"| `{name}` |" not in page] == []
    assert "AIRFLOW__AWS_ECS_EXECUTOR__" in page


def test_f42_a_team_has_its_own_options_and_no_others(
    configured: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = {
        "CLUSTER": "of-the-team",
        "CONTAINER_NAME": "airflow",
        "TASK_DEFINITION": "t",
        "CONN_ID": "of-the-team",
    }
    for name, value in own.items():
        monkeypatch.setenv(f"AIRFLOW__BLUE___AWS_ECS_EXECUTOR__{name}", value)
    settings = read_configuration(ExecutorConf("blue")).settings
    assert (settings.cluster, settings.conn_id) == ("of-the-team", "of-the-team")
    assert (settings.region_name, settings.subnets) == (None, ())
    assert read_configuration(conf).settings.cluster == "default"


def test_f43_too_long_overrides_fail_their_task_before_any_call(
    scheduler: Scheduler, run_dag: RunDag, sent: list[dict[str, Any]]
) -> None:
    with DAG("sizes", schedule=None) as dag:
        BaseOperator(task_id="long", executor_config={"environment": {"A": "x" * 9000}})
        BaseOperator(task_id="short", executor_config={"environment": {"A": "x" * 5000}})
    run_dag(dag)
    scheduler.launched()
    scheduler.until(lambda: {t.task_id: t.state for t in task_instances()}["long"] == "failed")
    assert len(sent) == 1
    (reason,) = logged_events("state mismatch")
    assert "ECS takes 8192" in reason
    assert "xxx" not in reason
