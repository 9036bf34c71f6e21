from __future__ import annotations

import random
from typing import Any

import pytest

from ecs_async_executor.errors import ConfigurationError
from ecs_async_executor.local.conditions.match import Launch
from ecs_async_executor.local.conditions.plan import Plan, exit_code, seconds
from ecs_async_executor.local.state.lifecycle import Course, Interruption


def rng() -> random.Random:
    return random.Random(7)  # noqa: S311  a seeded choice, not a secret


def courses(document: dict[str, Any], *launches: Launch) -> list[Course]:
    plan = Plan.from_json(document, rng())
    return [plan.course(launch, rng()) for launch in launches]


def test_an_empty_plan_gives_the_default_course() -> None:
    assert courses({}, Launch()) == [Course()]


def test_the_first_rule_that_covers_a_launch_changes_the_defaults() -> None:
    document = {
        "defaults": {"duration": 5, "pull": 1},
        "rules": [{"family": "etl", "exit_code": 2}, {"started_by": "a", "exit_code": 3}],
    }
    assert courses(document, Launch("a", "etl"), Launch("a", "x"), Launch("b", "x")) == [
        Course(duration=5, pull=1, exit_code=2),
        Course(duration=5, pull=1, exit_code=3),
        Course(duration=5, pull=1),
    ]


def test_a_rule_may_ask_for_the_nth_launch_that_it_covers() -> None:
    document = {"rules": [{"started_by": "a", "nth": [2, 3], "exit_code": 1}]}
    launches = [Launch("a"), Launch("b"), Launch("a"), Launch("a"), Launch("a")]
    assert [course.exit_code for course in courses(document, *launches)] == [0, 0, 1, 1, 0]


def test_nth_may_be_a_single_number() -> None:
    assert courses({"rules": [{"nth": 1, "exit_code": 9}]}, Launch(), Launch())[1].exit_code == 0


def test_an_interruption_and_sidecar_ends_are_read_from_json() -> None:
    document = {"defaults": {"interruption": {"after": 3}, "ends": {"agent": [None, "lost"]}}}
    assert courses(document, Launch()) == [
        Course(interruption=Interruption(3), ends={"agent": (None, "lost")}),
    ]


def test_durations_are_numbers_ranges_or_lognormal() -> None:
    assert seconds(2, rng()) == 2.0
    assert 1 <= seconds([1, 5], rng()) <= 5
    assert seconds({"median": 10, "sigma": 0}, rng()) == pytest.approx(10)


def test_the_same_seed_draws_the_same_numbers() -> None:
    assert seconds([1, 5], rng()) == seconds([1, 5], rng())


def test_exit_codes_may_be_weighted() -> None:
    assert exit_code({"0": 0, "9": 1}, rng()) == 9
    assert exit_code(None, rng()) is None


@pytest.mark.parametrize(
    "document",
    [
        {"default": {}},
        {"defaults": []},
        {"rules": {}},
        {"rules": ["all"]},
        {"defaults": {"duratoin": 1}},
        {"defaults": {"duration": -1}},
        {"defaults": {"duration": [5, 1]}},
        {"defaults": {"duration": "long"}},
        {"rules": [{"started_by": "a", "exit": 1}]},
        {"defaults": {"interruption": {"when": 1}}},
        {"defaults": {"interruption": 5}},
        {"defaults": {"interruption": {"after": "soon"}}},
        {"defaults": {"duration": None}},
        {"defaults": {"duration": True}},
        {"defaults": {"duration": [1, "a"]}},
        {"defaults": {"duration": {"median": "x", "sigma": 1}}},
        {"defaults": {"duration": {"median": 1, "sigma": "x"}}},
        {"defaults": {"exit_code": "x"}},
        {"defaults": {"exit_code": {}}},
        {"defaults": {"exit_code": {"a": 1}}},
        {"defaults": {"exit_code": {"0": "x"}}},
        {"defaults": {"exit_code": {"0": -1}}},
        {"defaults": {"ends": 5}},
        {"defaults": {"ends": {"a": 1}}},
        {"defaults": {"ends": {"a": ["x", None]}}},
        {"defaults": {"reason": 5}},
        {"rules": [{"nth": "x"}]},
        {"rules": [{"nth": [0]}]},
        {"rules": [{"environment": 5}]},
        {"rules": [{"started_by": 5}]},
    ],
)
def test_mistakes_in_a_plan_show_when_it_is_read(document: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        Plan.from_json(document, rng())
