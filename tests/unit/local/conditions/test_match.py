from __future__ import annotations

from typing import Any

import pytest

from ecs_async_executor.errors import ConfigurationError
from ecs_async_executor.local.conditions.match import Launch, Match, build, launch_of

LAUNCH = Launch("airflow/prod/1", "etl", {"POOL": "spot"})


@pytest.mark.parametrize(
    ("match", "covered"),
    [
        (Match(), True),
        (Match(started_by="airflow/prod"), True),
        (Match(started_by="airflow/test"), False),
        (Match(family="etl"), True),
        (Match(family="et"), False),
        (Match(environment={"POOL": "spot"}), True),
        (Match(environment={"POOL": "big"}), False),
        (Match(started_by="airflow/", family="other"), False),
    ],
)
def test_a_match_covers_a_launch_when_every_condition_holds(match: Match, covered: bool) -> None:
    assert match.covers(LAUNCH) is covered


def test_a_call_that_launches_nothing_is_covered_by_an_open_match_only() -> None:
    assert Match().covers(None)
    assert not Match(family="etl").covers(None)


def test_a_launch_is_read_from_a_run_task_request() -> None:
    environment = [{"name": "POOL", "value": "spot"}]
    params = {
        "taskDefinition": "arn:aws:ecs:us-east-1:123456789012:task-definition/etl:7",
        "startedBy": "airflow/prod/1",
        "overrides": {"containerOverrides": [{"name": "main", "environment": environment}]},
    }
    assert launch_of(params) == LAUNCH


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"overrides": "wrong"},
        {"overrides": {"containerOverrides": [1]}},
        {"overrides": {"containerOverrides": [{"environment": [1]}]}},
    ],
)
def test_a_malformed_request_has_an_empty_launch(params: dict[str, Any]) -> None:
    assert launch_of(params) == Launch()


@pytest.mark.parametrize("document", [{"famly": "x"}, ["family"]])
def test_unknown_keys_and_shapes_are_configuration_errors(document: Any) -> None:
    with pytest.raises(ConfigurationError, match="rule"):
        build(Match, "rule", document)
