from __future__ import annotations

import random
from typing import Any

import pytest

from ecs_async_executor.errors import ConfigurationError
from ecs_async_executor.local.conditions.conditions import DEFAULTS, Conditions


@pytest.fixture
def conditions() -> Conditions:
    return Conditions(random.Random(1), 0.0)  # noqa: S311  a seeded choice, not a secret


def test_conditions_begin_fast_unlimited_and_reliable(conditions: Conditions) -> None:
    assert conditions.to_json() == DEFAULTS
    assert conditions.delay("RunTask") == 0


def test_an_update_replaces_only_what_it_names(conditions: Conditions) -> None:
    conditions.update({"task_limit": 3, "room": 5, "consistency_lag": 2}, 0)
    assert (conditions.task_limit, conditions.room) == (3, 5)
    conditions.update({"task_limit": None, "room": None}, 0)
    assert conditions.to_json() == {**DEFAULTS, "consistency_lag": 2.0}


def test_latency_is_the_actions_own_or_that_of_all(conditions: Conditions) -> None:
    conditions.update({"latency": {"*": 1, "RunTask": [2, 0.5]}}, 0)
    assert conditions.delay("ListTasks") == 1
    assert 2 <= conditions.delay("RunTask") <= 2.5


def test_the_latency_of_all_is_ecss_and_s3_has_one_of_its_own(conditions: Conditions) -> None:
    conditions.update({"latency": {"*": 1, "s3:*": 2, "s3:GetObject": 3}}, 0)
    delays = [conditions.delay(action) for action in ("RunTask", "s3:PutObject", "s3:GetObject")]
    assert delays == [1, 2, 3]
    conditions.update({"latency": {"*": 1}}, 0)
    assert conditions.delay("s3:PutObject") == 0


def test_throttling_has_awss_rates_or_others(conditions: Conditions) -> None:
    conditions.update({"throttling": True}, 0)
    assert conditions.buckets is not None
    conditions.update({"throttling": {"tag_modify": [1, 1]}}, 0)
    assert conditions.buckets.admit([("tag_modify", 1)], 0)
    conditions.update({"throttling": False}, 0)
    assert conditions.buckets is None


@pytest.mark.parametrize(
    "document",
    [
        {"lag": 1},
        {"latency": 1},
        {"faults": {}},
        {"faults": ["throttle"]},
        {"latency": {"*": -1}},
        {"latency": {"*": "slow"}},
        {"throttling": "yes"},
        {"throttling": {"nope": [1, 1]}},
        {"consistency_lag": -1},
        {"task_limit": True},
        {"room": -1},
        {"faults": [{"kind": "nope"}]},
        {"latency": {"Run": 1}},
        {"latency": {"s3:PutObjekt": 1}},
        {"throttling": {"cluster_resource_read": 5}},
        {"throttling": {"cluster_resource_read": ["a", 1]}},
    ],
)
def test_an_update_with_a_mistake_changes_nothing(conditions: Conditions, document: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        conditions.update({"consistency_lag": 5.0, **document}, 0)
    assert conditions.to_json() == DEFAULTS


def test_clearing_goes_back_to_the_beginning(conditions: Conditions) -> None:
    conditions.update({"throttling": True, "faults": [{"kind": "throttle"}]}, 0)
    conditions.clear(0)
    assert conditions.to_json() == DEFAULTS
