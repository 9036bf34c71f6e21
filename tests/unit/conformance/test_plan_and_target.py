from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ecs_async_executor.conformance.answers import compact
from ecs_async_executor.conformance.limits import TASKS
from ecs_async_executor.conformance.plan import plan
from ecs_async_executor.conformance.target import Target, read_target
from ecs_async_executor.errors import ConfigurationError
from tests.support.conformance import LabEdge, make_lab, run_on, target_of

DEFINITION: dict[str, Any] = {
    "networkMode": "awsvpc",
    "requiresCompatibilities": ["FARGATE"],
    "cpu": "1024",
    "memory": "2048",
    "containerDefinitions": [{"name": "sidecar", "essential": False}, {"name": "airflow"}],
}
GIVEN: dict[str, Any] = {"cluster": "c", "task_definition": "t", "run_id": "0" * 32, "subnets": ("subnet-1",)}


def target(**given: Any) -> Target:
    return read_target(DEFINITION, (), {**GIVEN, **given})


# --- the plan -----------------------------------------------------------------------------------------


def test_an_ecs_on_this_machine_costs_nothing() -> None:
    found = plan(target(), here=True)
    assert (found.cents, found.most_cents) == (0.0, 0)
    assert "on this machine: it costs nothing" in found.text
    assert "five minutes" not in found.text


def test_the_cost_is_fargates_price_for_the_tasks_size() -> None:
    found = plan(target())
    # 5 tasks, 2 minutes each, of 1 vCPU and 2 GiB.
    assert found.cents == round(5 / 30 * (0.04048 + 2 * 0.004445) * 100, 2)
    # 12 tasks for 25 minutes, at twice the price of us-east-1.
    assert found.most_cents == 50
    assert f"about {found.cents:g} US cents; at most 50" in found.text
    assert "https://aws.amazon.com/fargate/pricing/" in found.text


def test_a_public_address_costs_something_too() -> None:
    assert plan(target(public_ip=True)).most_cents > plan(target()).most_cents


def test_instances_cost_nothing_beside_themselves() -> None:
    found = plan(target(launch_type="EC2"))
    assert (found.cents, found.most_cents) == (0, 0)
    assert "container instances" in found.text


def test_a_run_starts_the_number_of_tasks_that_the_plan_tells() -> None:
    lab = make_lab()
    for broken in ("broken", ""):
        one = replace(target_of(lab), broken_task_definition=broken, run_id=f"{len(broken)}" * 32)
        _, limits = run_on(LabEdge(lab), one)
        assert len(limits.arns) == plan(one).tasks <= TASKS


def test_a_burst_is_announced() -> None:
    assert "400 DescribeTasks calls at once" in plan(target(), burst=400).text
    assert "at once" not in plan(target()).text


# --- the target ---------------------------------------------------------------------------------------


def test_the_container_is_the_first_essential_one() -> None:
    assert target().container == "airflow"
    assert target(container="sidecar").container == "sidecar"


@pytest.mark.parametrize(
    ("given", "launch_type"),
    [({}, "FARGATE"), ({"launch_type": "EC2"}, "EC2"), ({"capacity_provider": "FARGATE_SPOT"}, "")],
)
def test_the_launch_type_is_the_task_definitions_unless_something_else_is_given(
    given: dict[str, str], launch_type: str
) -> None:
    assert target(**given).launch_type == launch_type


@pytest.mark.parametrize("given", [{}, {"capacity_provider": "FARGATE_SPOT"}])
def test_fargate_is_billed_by_the_task(given: dict[str, str]) -> None:
    assert target(**given).on_fargate


@pytest.mark.parametrize(
    ("definition", "given", "words"),
    [
        ({}, {"container": "worker"}, "--container: the task definition has sidecar, airflow, not 'worker'"),
        ({}, {"subnets": ()}, "--subnets"),
        ({"runtimePlatform": {"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE"}}, {}, "Linux"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_starts(
    definition: dict[str, Any], given: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigurationError, match=words):
        read_target({**DEFINITION, **definition}, (), {**GIVEN, **given})


def test_a_request_names_the_network_as_it_was_given() -> None:
    request = target(security_groups=("sg-1",), public_ip=True).run_task("first")
    assert request["networkConfiguration"] == {
        "awsvpcConfiguration": {
            "subnets": ["subnet-1"],
            "securityGroups": ["sg-1"],
            "assignPublicIp": "ENABLED",
        }
    }
    spot = target(capacity_provider="FARGATE_SPOT").run_task("first")
    assert spot["capacityProviderStrategy"] == [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]
    assert "launchType" not in spot


def test_each_launch_has_a_token_of_its_own_and_each_run_a_label_of_its_own() -> None:
    one, other = target(), target(run_id="1" * 32)
    assert one.token("first") == one.token("first")
    assert len({one.token("first"), one.token("exit-0"), other.token("first")}) == 3
    assert len(one.token("first")) == 64
    assert one.started_by != other.started_by


@pytest.mark.parametrize(
    ("like", "prefix"),
    [
        ("arn:aws:ecs:us-east-1:123456789012:cluster/c", "arn:aws:ecs:us-east-1:123456789012:task/c/"),
        ("arn:aws-cn:ecs:cn-north-1:1:task/c/abc", "arn:aws-cn:ecs:cn-north-1:1:task/c/"),
        ("", ""),
    ],
)
def test_unknown_tasks_have_ids_as_ecs_makes_them(like: str, prefix: str) -> None:
    found = target().unknown_arns(3, like)
    assert len(set(found)) == 3
    assert all(each.startswith(prefix) and len(each) == len(prefix) + 32 for each in found)


def test_the_sent_sizes_of_overrides_are_exact() -> None:
    lab = make_lab()
    outcome, _ = run_on(LabEdge(lab))
    for name in ("plain", "quotes", "accents", "emoji"):
        sizes = [
            len(compact(each.call.params["overrides"])) for each in outcome.record.all(f"overrides-{name}")
        ]
        assert sizes == [8192, 8193]
