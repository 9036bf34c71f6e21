from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from ecs_async_executor.ecs_rules import MOST_TAGS
from ecs_async_executor.engine.images import (
    DEFINITION,
    DEPLOYMENT,
    IMAGE,
    Revision,
    is_fixed,
)
from ecs_async_executor.errors import InvalidRequestError
from tests.support.definitions import PREFIX, Definitions, document

DIGEST = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/team/airflow@sha256:" + "0a" * 32


def revision(image: str = "airflow:2", container: str = "airflow", **more: Any) -> Revision:
    return Revision(Definitions().register(document(**more)), container, image, "airflow/prod")


@pytest.mark.parametrize(
    ("definition", "fixed"),
    [
        ("airflow-task", False),
        ("airflow-task:7", True),
        (f"{PREFIX}airflow-task", False),
        (f"{PREFIX}airflow-task:7", True),
        (f"{PREFIX}airflow-task:*", False),
    ],
)
def test_only_a_definition_with_a_revision_is_fixed(definition: str, fixed: bool) -> None:
    assert is_fixed(definition) is fixed


def test_the_copy_differs_in_family_image_and_tags_alone() -> None:
    tags = [{"key": "team", "value": "data"}, {"key": "aws:cloudformation:stack-name", "value": "s"}]
    request = revision(DIGEST, tags=tags).registration
    original = document()
    airflow, sidecar = original["containerDefinitions"]
    assert request["containerDefinitions"] == [{**airflow, "image": DIGEST}, sidecar]
    assert request["tags"] == [
        {"key": "team", "value": "data"},
        {"key": DEPLOYMENT, "value": "airflow/prod"},
        {"key": DEFINITION, "value": "airflow-task:1"},
        {"key": IMAGE, "value": DIGEST},
    ]
    assert request.keys() == {*original, "tags"}
    assert {**request, "family": "", "tags": [], "containerDefinitions": []} == {
        **original,
        "family": "",
        "tags": [],
        "containerDefinitions": [],
    }


def test_the_copied_revision_stays_as_it_was() -> None:
    base = Definitions().register(document())
    _ = Revision(base, "airflow", "airflow:2", "airflow/prod").registration
    assert base.task_definition["containerDefinitions"] == document()["containerDefinitions"]


def test_the_family_is_the_same_whoever_computes_it_and_another_one_for_anything_else() -> None:
    one = revision()
    others = [
        replace(one, image="airflow:3"),
        replace(one, container="sidecar"),
        replace(one, deployment="airflow/test"),
        revision(family="airflow-task-2"),
    ]
    assert one.family == revision().family == "ecs-async-image-airflow-task-1-8fea927726149efd"
    assert len({one.family, *(each.family for each in others)}) == 5


def test_the_longest_family_makes_a_family_that_ecs_takes() -> None:
    family = revision(family="f" * 255).family
    assert re.fullmatch("[A-Za-z0-9_-]{1,255}", family)


def test_the_tags_of_the_longest_names_are_short_enough_for_ecs() -> None:
    tags = revision("i" * 255, family="f" * 255).tags
    assert max(map(len, tags.values())) <= 256
    assert tags[DEFINITION].endswith(":1")


def test_a_revision_is_found_by_what_it_registers() -> None:
    definitions = Definitions()
    wanted = revision()
    made = definitions.register(wanted.registration)
    assert wanted.is_found(made)
    definitions.deregister(made.arn)
    assert not wanted.is_found(made)


@pytest.mark.parametrize("key", [DEPLOYMENT, DEFINITION, IMAGE])
def test_a_definition_without_our_tags_is_not_taken_for_ours(key: str) -> None:
    wanted = revision()
    request = wanted.registration
    request["tags"] = [tag for tag in request["tags"] if tag["key"] != key]
    assert not wanted.is_found(Definitions().register(request))


def test_a_definition_whose_container_runs_another_image_is_not_taken_for_ours() -> None:
    wanted = revision()
    request = wanted.registration
    request["containerDefinitions"][0]["image"] = "somebody/else"
    assert not wanted.is_found(Definitions().register(request))


def test_no_definition_is_not_found() -> None:
    assert not revision().is_found(None)


def test_a_missing_container_is_named() -> None:
    with pytest.raises(InvalidRequestError, match=r"airflow-task:1 has no container 'worker'.*airflow:2"):
        _ = revision(container="worker").registration


def test_a_definition_with_too_many_tags_is_reported() -> None:
    tags = [{"key": f"k{number}", "value": ""} for number in range(MOST_TAGS - 2)]
    with pytest.raises(InvalidRequestError, match=r"has 48 tags; with the executor's 3"):
        _ = revision(tags=tags).registration
    assert len(revision(tags=tags[1:]).registration["tags"]) == MOST_TAGS


def test_nothing_shows_the_environment_of_a_definition() -> None:
    assert "secret" not in repr(revision())
