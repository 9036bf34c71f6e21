"""The RunTask requests of AwsEcsExecutor and of this executor are equal, but for differences that are listed."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import pytest
from airflow.configuration import conf

from tests.parity.captured_requests import FRESH_TOKEN, OLD_TOKEN, Refused, ours
from tests.parity.cases import all_cases, broken_cases
from tests.parity.comparison import Verdict, is_equal, judge, what_theirs_does
from tests.parity.differences import DIFFERENCES
from tests.parity.members import MEMBERS, network
from tests.parity.rejected_configurations import REFUSALS
from tests.parity.setups import Setup
from tests.parity.spelling import shape_of_run_task

CASES = all_cases()
BROKEN = broken_cases()


@cache
def verdict(label: str) -> Verdict:
    return judge({**CASES, **BROKEN}[label])


@pytest.mark.parametrize("label", CASES)
def test_requests_are_equal_but_for_the_listed_differences(label: str) -> None:
    found = verdict(label)
    if found.refusals:
        check_refusal(found)
    else:
        assert is_equal(found.ours, found.expected)


@pytest.mark.parametrize("label", BROKEN)
def test_what_is_broken_is_refused_in_clear_words(label: str) -> None:
    found = verdict(label)
    assert found.refusals
    check_refusal(found)
    if len(found.refusals) == 1:
        (name,) = found.refusals
        assert what_theirs_does(found.expected) in REFUSALS[name].theirs


def check_refusal(found: Verdict) -> None:
    assert isinstance(found.ours, Refused), found.refusals
    message = str(found.ours.error)
    words = [REFUSALS[name].says for name in found.refusals]
    assert any(re.search(each, message) for each in words), (words, message)
    assert not re.search(f"{OLD_TOKEN}|{FRESH_TOKEN}|x{{99}}", message)


# --- the lists say no more than is needed, and the cases leave nothing out ------------------------------------------


@pytest.mark.parametrize("name", DIFFERENCES)
def test_no_listed_difference_can_be_left_out(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    labels = [label for label in CASES if name in verdict(label).applied]
    others = {other: each for other, each in DIFFERENCES.items() if other != name}
    monkeypatch.setattr("tests.parity.comparison.DIFFERENCES", others)
    assert not all(is_explained(CASES[label]) for label in labels)


def is_explained(setup: Setup) -> bool:
    try:
        found = judge(setup)
    except TypeError:  # a later rewrite relies on an earlier one
        return False
    return is_equal(found.ours, found.expected)


@pytest.mark.parametrize("name", REFUSALS)
def test_each_listed_refusal_has_a_case_of_its_own(name: str) -> None:
    assert any(verdict(label).refusals == {name} for label in BROKEN)


def test_each_fault_that_shows_in_a_request_explains_a_difference() -> None:
    faults = {each.fault for each in DIFFERENCES.values()} | {each.fault for each in REFUSALS.values()}
    assert {f"F{number}" for number in (*range(25, 37), 41, 43)} <= faults


def test_every_option_of_aws_ecs_executor_is_varied() -> None:
    def values(name: str) -> set[str | None]:
        return {setup.options.get(name) for setup in (*CASES.values(), *BROKEN.values())}

    options = conf.configuration_description["aws_ecs_executor"]["options"]
    assert [name for name in options if len(values(name)) < 2] == []


def test_every_member_of_run_task_is_compared() -> None:
    def paths(shape: Any, at: str = "") -> set[str]:
        shape = shape.member if shape.type_name == "list" else shape
        if shape.type_name != "structure":
            return {at}
        return set().union(*(paths(member, f"{at}.{name}") for name, member in shape.members.items()))

    def sent(value: Any, at: str = "") -> set[str]:
        if isinstance(value, dict):
            return {at}.union(*(sent(item, f"{at}.{name}") for name, item in value.items()))
        return set().union(*(sent(item, at) for item in value)) if isinstance(value, list) else {at}

    executors_own = {".clientToken", ".startedBy", ".overrides.containerOverrides.command"}
    compared = set().union(*map(sent, MEMBERS.values()))
    assert paths(shape_of_run_task()) - compared == executors_own


def test_a_difference_of_the_requests_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    other = verdict("container_name:main").ours
    monkeypatch.setattr("tests.parity.comparison.ours", lambda _: other)
    assert not is_explained(Setup())


def test_a_public_address_without_a_subnet_is_blamed_on_its_option() -> None:
    found = verdict("a public address in bridge mode")
    assert isinstance(found.ours, Refused)
    assert "assign_public_ip" in str(found.ours.error)
    assert "run_task_kwargs" not in str(found.ours.error)


def test_on_fargate_each_task_may_bring_the_only_network() -> None:
    setup = Setup(config=network(subnets=["subnet-1"])).having(launch_type="FARGATE", subnets=None)
    assert not isinstance(ours(setup), Refused)
