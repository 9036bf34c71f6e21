"""What the doctor says about standbys: their room, their number, their cost, and what they need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from ecs_async_executor.config.settings import YOUNGEST_STANDBY, Settings
from ecs_async_executor.doctor.checks.routes import needed
from ecs_async_executor.doctor.effective import effectives
from ecs_async_executor.doctor.facts import Absent, Fact, Facts, Kind, Known, Question
from ecs_async_executor.doctor.findings import Finding, Severity, exit_code
from ecs_async_executor.doctor.permissions import needs
from ecs_async_executor.doctor.report import as_text
from ecs_async_executor.doctor.setup import Option, Setup, Target
from ecs_async_executor.messages import Request
from tests.unit.doctor.setups import BODY, DEFINITION, a_setup, facts, found

ON_DEMAND, SPOT = (Question(Kind.QUOTA, code) for code in ("L-3032A538", "L-36FBB829"))
TASK_ROLE = "arn:aws:iam::123456789012:role/task"
SMALL = {"cpu": "256", "memory": "512"}


def body(*providers: str, launch_type: str = "FARGATE", **overrides: str) -> dict[str, Any]:
    rest = {name: value for name, value in BODY.items() if name != "launchType"}
    strategy = [{"capacityProvider": each, "weight": 1} for each in providers]
    where = {"capacityProviderStrategy": strategy} if strategy else {"launchType": launch_type}
    return {**rest, **where, "overrides": overrides}


def setup(*pools: tuple[str, int, Mapping[str, Any]], prices: str = "", **members: Any) -> Setup:
    settings = Settings.model_validate(
        {
            "cluster": "prod",
            "container_name": "airflow",
            "task_definition": "airflow-task",
            "payload_bucket": "s3://payloads/airflow",
            **({"task_prices": prices} if prices else {}),
        }
    )
    targets = tuple(
        Target(name, "prod", "airflow", Request(body, "airflow"), standby=count)
        for name, count, body in pools
    )
    return a_setup(**{"targets": targets, "settings": settings, **members})


def answers(more: Mapping[Question, Fact] | None = None, **definition: Any) -> Facts:
    return Facts({**facts(definition={**DEFINITION, **definition}).answers, **(more or {})})


def said(setup: Setup, facts: Facts, check: str) -> list[Finding]:
    return [
        each for each in found(setup, facts) if each.check == check and each.severity is not Severity.FINE
    ]


# --- room -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pools", "quotas", "says"),
    [
        pytest.param([("a", 6, body())], {ON_DEMAND: 6}, "", id="they fit"),
        pytest.param(
            [("a", 7, body())],
            {ON_DEMAND: 6},
            "The standbys of a need 7 vCPUs, and the account's quota of Fargate On-Demand vCPUs is 6.",
            id="they don't",
        ),
        pytest.param([("a", 24, body(cpu="256"))], {ON_DEMAND: 6}, "", id="small ones"),
        pytest.param(
            [("a", 4, body()), ("b", 3, body())], {ON_DEMAND: 6}, "of a, b need 7 vCPUs", id="all together"
        ),
        pytest.param(
            [("a", 4, body()), ("b", 3, body("FARGATE_SPOT"))],
            {ON_DEMAND: 6, SPOT: 2},
            "of b need 3 vCPUs, and the account's quota of Fargate Spot vCPUs is 2.",
            id="Spot has a quota of its own",
        ),
        pytest.param(
            [("a", 8, body("FARGATE", "FARGATE_SPOT"))],
            {ON_DEMAND: 6, SPOT: 2},
            "",
            id="both quotas are theirs",
        ),
        pytest.param(
            [("a", 5, body()), ("b", 4, body("FARGATE", "FARGATE_SPOT"))],
            {ON_DEMAND: 6, SPOT: 2},
            "of a, b need 9 vCPUs, and the account's quota of Fargate On-Demand and Fargate Spot vCPUs is 8.",
            id="what the others leave is not enough",
        ),
        pytest.param([("a", 9, body(launch_type="EC2"))], {ON_DEMAND: 6}, "", id="on EC2"),
        pytest.param([("a", 9, body())], {}, "", id="the quota isn't known"),
    ],
)
def test_a_pool_that_is_larger_than_the_quota_is_named_with_the_figures(
    pools: list[Any], quotas: Mapping[Question, float], says: str
) -> None:
    known = {question: Known(float(value)) for question, value in quotas.items()}
    told = said(setup(*pools), answers(known), "vCPUs for standbys")
    assert [each.severity for each in told] == ([Severity.WARNING] if says else [])
    assert all(says in each.what for each in told)
    assert all("request-service-quota-increase" in each.todo for each in told)


def test_the_remedy_asks_for_as_many_vcpus_as_they_need() -> None:
    (told,) = said(setup(("a", 7, body())), answers({ON_DEMAND: Known(6.0)}), "vCPUs for standbys")
    assert "--quota-code L-3032A538 --desired-value 8" in told.todo


@pytest.mark.parametrize(("count", "warned"), [(16, False), (17, True)])
def test_more_standbys_than_tasks_may_run_are_named(count: int, warned: bool) -> None:
    of_airflow = {"core.parallelism": Option("16", "airflow.cfg")}
    told = said(setup(("a", count, body()), more=of_airflow), answers(), "the number of standbys")
    assert [f"standby is {count}, and [core] parallelism is 16." in each.what for each in told] == [
        True
    ] * warned


# --- cost -------------------------------------------------------------------------------------------------------


def cost(setup: Setup, facts: Facts) -> list[str]:
    return [
        f"{each.what} {each.why} {each.todo}".strip() for each in said(setup, facts, "the cost of standbys")
    ]


def test_the_cost_of_a_month_is_shown_by_profile() -> None:
    pools = (("default", 1, body(**SMALL)), ("big", 2, body(cpu="1024", memory="2048")), ("none", 0, body()))
    (told,) = cost(setup(*pools, region="us-east-1"), answers())
    assert told == (
        "The standbys of one scheduler cost $85.36 in a month in which none of them gets a task: "
        "$9.48 for 1 of default (0.25 vCPU, 0.5 GB), $75.87 for 2 of big (1 vCPU, 2 GB). "
        "Asking S3 for a task costs $3.32 more (us-east-1)."
    )


def test_one_that_is_replaced_all_the_time_costs_twice_as_much() -> None:
    (target,) = setup(("default", 1, body(**SMALL)), region="us-east-1").targets
    aging = replace(target, standby_max_age=YOUNGEST_STANDBY)
    (told,) = cost(setup(region="us-east-1", targets=(aging,)), answers())
    assert "$18.02 for 1 of default" in told
    assert "costs $2.10 more" in told


def test_arm_has_its_own_price() -> None:
    arm = answers(runtimePlatform={"cpuArchitecture": "ARM64"})
    (told,) = cost(setup(("default", 1, body(**SMALL)), region="us-east-1"), arm)
    assert "$7.59 for 1 of default" in told


@pytest.mark.parametrize("pool", [body(**SMALL), body("FARGATE_SPOT", **SMALL)], ids=["on demand", "Spot"])
def test_without_a_price_of_the_region_it_is_a_guess_that_says_so(pool: dict[str, Any]) -> None:
    (told,) = cost(setup(("default", 1, pool)), answers())
    assert "$9.48 for 1 of default" in told
    assert "These are Fargate's prices on demand in us-east-1: set your own in the option task_prices" in told


def test_the_options_prices_are_used_and_of_two_providers_the_dearer() -> None:
    pool = ("default", 1, body("FARGATE", "FARGATE_SPOT", **SMALL))
    (told,) = cost(setup(pool, prices="FARGATE:0.08:0.008,FARGATE_SPOT:0.01:0.001"), answers())
    assert "cost $18.44 in a month" in told
    assert "set your own" not in told


def test_on_instances_of_ones_own_they_take_room() -> None:
    (told,) = cost(setup(("ec2", 3, body(launch_type="EC2"))), answers())
    assert told.startswith(
        "The standbys of one scheduler always take room on your instances: 3 of ec2 (1 vCPU, 2 GB)."
    )
    container = {**DEFINITION["containerDefinitions"][0], "cpu": 0, "memoryReservation": 512}
    sizeless = answers(cpu=None, memory=None, containerDefinitions=[container])
    (told,) = cost(setup(("ec2", 3, body(launch_type="EC2"))), sizeless)
    assert "3 of ec2 (0 vCPU, 0.5 GB)" in told


def test_nothing_is_said_where_nothing_costs() -> None:
    assert cost(setup(("default", 0, body())), answers()) == []
    assert cost(setup(("default", 2, body()), local=True), answers()) == []
    assert cost(setup(("default", 2, body())), Facts()) == []


def test_a_note_is_no_fault() -> None:
    all_of_them = found(setup(("default", 1, body(**SMALL)), region="us-east-1"), answers())
    notes = [each for each in all_of_them if each.severity is Severity.NOTE]
    assert exit_code(notes) == 0
    assert as_text(notes).startswith("NOTE: The standbys of one scheduler cost $9.48")
    fine = [each.what for each in all_of_them if each.severity is Severity.FINE]
    assert "the cost of standbys" in fine


# --- what they need ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("standby", [0, 1])
def test_permissions_are_those_of_long_workloads_and_say_what_standbys_lose(standby: int) -> None:
    key = "arn:aws:kms:eu-central-1:123456789012:key/1"
    encrypted = {Question(Kind.ENCRYPTION, "payloads"): Known({"KMSMasterKeyID": key})}
    of_setup = setup(("default", standby, body()))
    every = {
        action: (need.resource, need.why)
        for need in needs(of_setup, answers(encrypted, taskRoleArn=TASK_ROLE))
        for action in need.actions
    }
    objects = "arn:aws:s3:::payloads/airflow/*"
    expected = {
        "s3:PutObject": (objects, "No standby gets a task: all start cold."),
        "s3:DeleteObject": (objects, "No standby gets a task: all start cold."),
        "s3:GetObject": (objects, "Standbys end as soon as they start"),
        "kms:GenerateDataKey": (key, "No standby gets a task: all start cold."),
        "kms:Decrypt": (key, "Standbys end as soon as they start"),
    }
    for action, (resource, words) in expected.items():
        assert every[action][0] == resource
        assert (words in every[action][1]) is bool(standby), action


@pytest.mark.parametrize("standby", [0, 1])
def test_without_a_task_role_no_standby_gets_a_task(standby: int) -> None:
    (told,) = said(setup(("default", standby, body())), answers(), "the task's roles")
    assert told.severity is Severity.ERROR
    assert ("no standby gets a task" in told.why) is bool(standby)


def test_containers_of_a_local_ecs_need_no_task_role_but_it_is_good_to_know() -> None:
    (told,) = said(setup(("default", 1, body()), local=True), answers(), "the task's roles")
    assert told.severity is Severity.NOTE


@pytest.mark.parametrize("standby", [0, 1])
def test_a_bucket_that_is_missing_or_far_away_concerns_standbys_too(standby: int) -> None:
    of_setup, bucket = setup(("default", standby, body())), Question(Kind.BUCKET, "payloads")
    (missing,) = said(of_setup, answers({bucket: Absent()}), "the payload bucket")
    (far, *_) = said(of_setup, answers({bucket: Known({"region": "us-west-2"})}), "the payload bucket")
    assert ("No standby gets a task." in missing.why) is bool(standby)
    assert ("each look of a standby crosses Regions" in far.why) is bool(standby)


def rule(**members: Any) -> dict[str, Any]:
    return {"Status": "Enabled", "Filter": {"Prefix": "airflow/"}, "Expiration": {"Days": 1}, **members}


@pytest.mark.parametrize(
    ("versioning", "rules", "warned"),
    [
        ("", [rule()], False),
        ("Suspended", [rule()], False),
        ("Enabled", [rule()], True),
        ("Enabled", [rule(NoncurrentVersionExpiration={"NoncurrentDays": 1})], False),
        ("Enabled", [rule(NoncurrentVersionExpiration={"NoncurrentDays": 30})], True),
    ],
)
@pytest.mark.parametrize("standby", [0, 1])
def test_a_bucket_that_keeps_what_was_deleted_is_named(
    versioning: str, rules: list[Any], warned: bool, standby: int
) -> None:
    more: dict[Question, Fact] = {
        Question(Kind.VERSIONING, "payloads"): Known(versioning),
        Question(Kind.LIFECYCLE, "payloads"): Known(rules),
    }
    told = said(setup(("default", standby, body())), answers(more), "the payload bucket")
    assert [each.severity for each in told] == [Severity.WARNING] * warned
    assert all("keeps old versions" in each.what for each in told)
    assert all(("standbys' lease" in each.why) is bool(standby) for each in told)


@pytest.mark.parametrize("standby", [0, 1])
def test_a_standby_needs_a_way_to_s3(standby: int) -> None:
    (each,) = effectives(setup(("default", standby, body())), answers())
    assert ("s3" in needed(each, "eu-central-1")) is bool(standby)
