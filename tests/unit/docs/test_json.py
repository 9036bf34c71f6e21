"""The JSON of the pages parses, and what is a request is one that AWS takes, as far as its model and our rules tell."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.session import get_session

from ecs_async_executor.engine.aws.validation import why_not
from ecs_async_executor.local.rules.registration import fargate_problems, problems
from tests.support.blocks import PAGES, Block, blocks

BLOCKS = [block for page in PAGES for block in blocks(page) if block.language == "json"]


def document(block: Block) -> Any:
    """Parse a block: an object or a list, or one member of an object as it stands there."""
    try:
        return json.loads(block.code)
    except json.JSONDecodeError:
        return json.loads(f"{{{block.code}}}")


def shape(service: str, name: str) -> Any:
    return get_session().get_service_model(service).shape_for(name)


def of_a_task_definition(found: dict[str, Any]) -> Iterator[str]:
    if wrong := why_not(found, shape("ecs", "RegisterTaskDefinitionRequest")):
        yield from wrong
        return
    yield from problems(found)
    if "FARGATE" in found.get("requiresCompatibilities", ()):
        yield from fargate_problems(found)


def of_a_policy(found: dict[str, Any]) -> Iterator[str]:
    if found.get("Version") != "2012-10-17":
        yield "the version of the language is not 2012-10-17"
    for statement in found["Statement"]:
        yield from of_a_statement(statement)


def of_a_statement(found: dict[str, Any]) -> Iterator[str]:
    if unknown := found.keys() - {"Sid", "Effect", "Principal", "Action", "Resource", "Condition"}:
        yield f"a statement has no {sorted(unknown)}"
    if missing := {"Effect", "Action"} - found.keys():
        yield f"a statement needs {sorted(missing)}"
    if not {"Principal", "Resource"} & found.keys():
        yield "a statement names a resource, or whom a role trusts"


def of_a_lifecycle(found: dict[str, Any]) -> Iterator[str]:
    yield from why_not(found, shape("s3", "BucketLifecycleConfiguration"))


def of_a_log(found: dict[str, Any]) -> Iterator[str]:
    yield from why_not(found["logConfiguration"], shape("ecs", "LogConfiguration"))


def of_a_service(found: dict[str, Any]) -> Iterator[str]:
    yield from why_not(found, shape("ecs", "CreateServiceRequest"))


def of_a_container(found: dict[str, Any]) -> Iterator[str]:
    """A container of a task definition, or some of its members."""
    yield from why_not(found, shape("ecs", "ContainerDefinition"))


def of_the_cloudwatch_agent(found: dict[str, Any]) -> Iterator[str]:
    """What AWS's page "Retrieve custom metrics with StatsD" has."""
    if unknown := found["metrics"].keys() - {"namespace", "metrics_collected"}:
        yield f"metrics has no {sorted(unknown)}"
    statsd = found["metrics"]["metrics_collected"]["statsd"]
    if unknown := statsd.keys() - {
        "service_address",
        "metrics_collection_interval",
        "metrics_aggregation_interval",
    }:
        yield f"statsd has no {sorted(unknown)}"


def of_nothing(_: dict[str, Any]) -> Iterator[str]:
    return iter(())


KINDS: dict[str, Callable[[dict[str, Any]], Iterator[str]]] = {
    "containerDefinitions": of_a_task_definition,
    "serviceName": of_a_service,
    "essential": of_a_container,
    "environment": of_a_container,
    "Statement": of_a_policy,
    "Effect": of_a_statement,
    "Rules": of_a_lifecycle,
    "logConfiguration": of_a_log,
    "metrics": of_the_cloudwatch_agent,
    "assumption": of_nothing,  # the report of `ecs-async conformance`
}
"""What a document is, by a member that only its kind has, and what is wrong with it."""


def kind(found: dict[str, Any]) -> Callable[[dict[str, Any]], Iterator[str]] | None:
    return next((check for member, check in KINDS.items() if member in found), None)


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_a_json_block_parses_and_aws_takes_it(block: Block) -> None:
    found = document(block)
    check = kind(found)
    assert check is not None, f"What is this? Add its kind to KINDS: {sorted(found)}"
    assert list(check(found)) == []


@pytest.mark.parametrize(
    ("found", "problem"),
    [
        (
            {"containerDefinitions": [{"nam": "airflow"}], "family": "f"},
            "containerDefinitions[0].nam is unknown to ECS.",
        ),
        (
            {"Version": "2008-10-17", "Statement": []},
            "the version of the language is not 2012-10-17",
        ),
        ({"Effect": "Allow", "Actions": "s3:GetObject", "Resource": "*"}, "a statement has no ['Actions']"),
        ({"Rules": [{"Status": 1}]}, "Rules[0].Status is a whole number; ECS takes text."),
    ],
)
def test_a_mistake_is_found(found: dict[str, Any], problem: str) -> None:
    check = kind(found)
    assert check is not None
    assert problem in list(check(found))
