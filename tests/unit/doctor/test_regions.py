"""A Region that isn't there is named, with the one that was meant; a new one is no error."""

from __future__ import annotations

from typing import Any

import pytest

from ecs_async_executor import aws_regions
from ecs_async_executor.doctor.checks.regions import is_misspelt
from ecs_async_executor.doctor.facts import Absent, Cause, Fact, Facts, Kind, Question, Unknown
from ecs_async_executor.doctor.findings import Finding, Severity
from tests.unit.doctor.setups import BODY, DEFINITION, a_setup, facts, found

REGIONS = ("eu-central-1", "eu-west-1", "us-east-1", "us-gov-west-1")
CLUSTER = Question(Kind.CLUSTER, "prod")


def unreachable(region: str, service: str) -> Unknown:
    return Unknown(f"This host can't reach https://{service}.{region}.amazonaws.com.", Cause.NETWORK)


def told(region: str, answer: Fact | None = None, **members: Any) -> list[Finding]:
    """Return what is said of a Region in which nothing answers, or only the question for the cluster."""
    asked = {
        Question(Kind.IDENTITY): unreachable(region, "sts"),
        Question(Kind.SUBNET, "subnet-1"): unreachable(region, "ec2"),
        CLUSTER: answer or unreachable(region, "ecs"),
    }
    setup = a_setup(region=region, regions=REGIONS, **members)
    return [each for each in found(setup, Facts(asked)) if region in each.what]


@pytest.mark.parametrize(
    ("region", "meant"),
    [
        ("eu-central1", "eu-central-1"),
        ("eu-cental-1", "eu-central-1"),
        ("us-east1", "us-east-1"),
        ("eu-west-1a", "eu-west-1"),
    ],
)
def test_a_misspelt_region_is_one_error_that_suggests_the_closest(region: str, meant: str) -> None:
    (said,) = told(region)
    assert (said.severity, said.what) == (Severity.ERROR, f"There is no AWS Region {region}.")
    assert said.todo.startswith(f"Did you mean {meant}? Correct [aws_ecs_executor] region_name")


def test_a_region_that_is_like_no_other_is_an_error_without_a_suggestion() -> None:
    (said,) = told("mars")
    assert said.severity is Severity.ERROR
    assert "Did you mean" not in said.todo


def test_an_unknown_region_with_a_name_of_awss_kind_may_be_new() -> None:
    first, second, *others = told("eu-central-7")
    assert (first.severity, second.severity) == (Severity.ERROR, Severity.UNKNOWN)
    assert "can't be reached in eu-central-7" in first.what
    assert "Did you mean eu-central-1?" in second.todo
    assert "upgrade boto3" in second.todo
    assert all(each.severity is Severity.UNKNOWN for each in others)


@pytest.mark.parametrize("answer", [facts().answers[CLUSTER], Absent(), Unknown("No.", Cause.DENIED)])
@pytest.mark.parametrize("region", ["eu-central-7", "eu-central1"])
def test_a_region_that_answers_is_there(region: str, answer: Fact) -> None:
    assert not [each for each in told(region, answer) if "AWS Region" in each.what]


def test_a_local_ecs_takes_any_region_and_without_a_list_none_is_judged() -> None:
    assert not [each for each in told("eu-central1", local=True) if "AWS Region" in each.what]
    nothing = found(a_setup(region="eu-central1"), Facts({CLUSTER: unreachable("eu-central1", "ecs")}))
    assert not [each for each in nothing if "AWS Region" in each.what]


def test_a_connection_that_a_region_breaks_is_reported_with_the_region_that_was_meant() -> None:
    setup = a_setup(region="us east", regions=REGIONS, connection_problem="The AWS Region is not valid.")
    said = [each for each in found(setup, Facts()) if each.severity is Severity.ERROR]
    assert any(each.todo == "Did you mean us-east-1? Correct region_name." for each in said)


def test_the_regions_of_resources_are_looked_at_as_well() -> None:
    container = {**DEFINITION["containerDefinitions"][0]}
    container["image"] = "123456789012.dkr.ecr.eu-cental-1.amazonaws.com/airflow:1"
    container["logConfiguration"] = {
        "logDriver": "awslogs",
        "options": {"awslogs-group": "/g", "awslogs-region": "eu-central1", "awslogs-stream-prefix": "a"},
    }
    container["secrets"] = [{"name": "DSN", "valueFrom": "arn:aws:ssm:eucentral-1:123456789012:parameter/x"}]
    body = {**BODY, "cluster": "arn:aws:ecs:eu_central_1:123456789012:cluster/prod"}
    seen = facts(definition={**DEFINITION, "containerDefinitions": [container]})
    said = [each for each in found(a_setup(body, regions=REGIONS), seen) if "no such AWS Region" in each.what]
    assert {each.what.split(" is in ")[1].split(",")[0] for each in said} == {
        "eu-cental-1",
        "eu-central1",
        "eucentral-1",
        "eu_central_1",
    }
    assert all(each.todo.startswith("Did you mean eu-central-1?") for each in said)


def test_every_region_of_awss_has_a_name_of_the_kind_that_a_new_one_may_have() -> None:
    known = aws_regions.known()
    assert {"eu-central-1", "cn-north-1", "us-gov-west-1", "us-iso-east-1"} <= {*known}
    setup = a_setup(regions=("elsewhere",))
    assert [each for each in known if is_misspelt(setup, each)] == []
