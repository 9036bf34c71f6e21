"""What a task is billed for, at which price, and how the Audit Log says it."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_async_executor.fargate_prices import FARGATE, REGION
from ecs_async_executor.messages import Usage
from ecs_async_executor.task_cost import (
    Cost,
    Prices,
    Sum,
    billed_seconds,
    describe,
    make_usage,
    parse_prices,
    read,
    size_of,
    sum_by,
    task_id_in,
)


def used(capacity: str = "FARGATE", seconds: float = 3600.0, processor: str = "X86_64") -> Usage:
    return Usage(0.5, 1.0, seconds, capacity, processor)


@pytest.mark.parametrize(
    ("capacity", "seconds", "billed"),
    [
        ("FARGATE", 0.0, 60),
        ("FARGATE", 59.9, 60),
        ("FARGATE", 60.0, 60),
        ("FARGATE", 60.1, 61),
        ("FARGATE_SPOT", 5.0, 60),
        ("EC2", 5.5, 5.5),
        ("my-instances", 0.0, 0.0),
    ],
)
def test_fargate_bills_whole_seconds_and_a_minute_at_least(
    capacity: str, seconds: float, billed: float
) -> None:
    assert billed_seconds(used(capacity, seconds)) == billed


@pytest.mark.parametrize(
    ("own", "usage", "region", "price"),
    [
        ("", used(), REGION, FARGATE["X86_64"]),
        ("", used(processor="ARM64"), REGION, FARGATE["ARM64"]),
        ("", used(processor=""), REGION, FARGATE["X86_64"]),
        ("", used(), "eu-central-1", None),
        ("", used(), "", None),
        ("", used("FARGATE_SPOT"), REGION, None),
        ("", used("EC2"), REGION, None),
        ("FARGATE:2:1", used(), "eu-central-1", (2, 1)),
        ("FARGATE:2:1", used(processor="ARM64"), REGION, (2, 1)),
        ("FARGATE:2:1,FARGATE/ARM64:1:0.5", used(processor="ARM64"), REGION, (1, 0.5)),
        ("FARGATE/ARM64:1:0.5", used(), REGION, FARGATE["X86_64"]),
        ("FARGATE_SPOT:0.01:0.001", used("FARGATE_SPOT"), "eu-central-1", (0.01, 0.001)),
        ("my-instances:0:0", used("my-instances"), "", (0, 0)),
    ],
)
def test_a_price_is_the_one_that_was_set_or_awss_public_one_or_unknown(
    own: str, usage: Usage, region: str, price: tuple[float, float] | None
) -> None:
    assert Prices.of(parse_prices(own) if own else ()).price(usage, region) == price


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it is not a list of prices in US dollars; write NAME:VCPU_HOUR:GB_HOUR"),
        (" , ", "it is not a list of prices"),
        ("FARGATE", "it is not a list of prices"),
        ("FARGATE:1", "it is not a list of prices"),
        ("FARGATE:1:x", "it is not a list of prices"),
        ("FARGATE:.5:1", "it is not a list of prices"),
        ("FARGATE:-1:1", "it is not a list of prices"),
        ("FARGATE:nan:1", "it is not a list of prices"),
        ("FARGATE:1e400:1", "it is not a list of prices"),
        ("FARGATE/MIPS:1:1", "it is not a list of prices"),
        ("A:1:1,A:2:2", "two prices for the same capacity"),
    ],
)
def test_what_is_no_price_is_said_when_options_are_read(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        parse_prices(text)


def test_prices_are_written_as_a_list() -> None:
    found = (("FARGATE", 0.04048, 0.004445), ("FARGATE/ARM64", 1.0, 2.0))
    assert parse_prices(" FARGATE : 0.04048 : 0.004445 , FARGATE/ARM64:1:2,") == found
    assert parse_prices(found) == found


def test_a_task_costs_its_hours_at_its_price() -> None:
    cost = Prices().cost(used(seconds=7200.0), REGION)
    assert (cost.vcpu_hours, cost.gb_hours) == (1.0, 2.0)
    assert cost.dollars == pytest.approx(0.04048 + 2 * 0.004445)
    assert Prices().cost(used("EC2", 60.0), REGION) == Cost(0.5 / 60, 1 / 60, None)


@pytest.mark.parametrize(
    ("cpu", "memory", "pull_started_at", "usage"),
    [
        ("512", "1024", 100.0, Usage(0.5, 1.0, 50.0, "FARGATE", "ARM64")),
        ("512", "1024", 200.0, Usage(0.5, 1.0, 0.0, "FARGATE", "ARM64")),
        ("512", "1024", None, None),
        (None, "1024", 100.0, None),
        ("512", None, 100.0, None),
        ("1 vCPU", "1024", 100.0, None),
    ],
)
def test_usage_is_what_ecs_tells_of_size_and_time(
    cpu: str | None, memory: str | None, pull_started_at: float | None, usage: Usage | None
) -> None:
    found = make_usage(
        cpu,
        memory,
        capacity="FARGATE",
        architecture="arm64",
        pull_started_at=pull_started_at,
        ended_at=150.0,
    )
    assert found == usage


@pytest.mark.parametrize(
    ("usage", "region", "text"),
    [
        (
            used(seconds=5.0),
            REGION,
            "0.008333 vCPU-hours, 0.016667 GB-hours, $0.000411: 0.5 vCPU and 1 GB for 60 s (FARGATE on X86_64), ECS task a1.",
        ),
        (
            used("my-instances", 36_000.0, ""),
            REGION,
            "5 vCPU-hours, 10 GB-hours: 0.5 vCPU and 1 GB for 36000 s (my-instances), ECS task a1.",
        ),
        (used("", 0.0, ""), REGION, "0 vCPU-hours, 0 GB-hours: 0.5 vCPU and 1 GB for 0 s, ECS task a1."),
    ],
)
def test_the_audit_log_says_it_in_words(usage: Usage, region: str, text: str) -> None:
    assert describe(usage, Prices().cost(usage, region), "a1") == text


@pytest.mark.parametrize(
    ("whole", "containers", "size"),
    [
        ("512", ["256", "256", "1024"], "512"),
        (None, ["256", None, "512"], "768.0"),
        (None, ["0"], "0.0"),
        ("", ["256"], "256.0"),
        (None, [None], None),
        (None, [], None),
        (None, ["much"], None),
    ],
)
def test_a_task_without_a_size_has_that_of_its_containers(
    whole: str | None, containers: list[str | None], size: str | None
) -> None:
    assert size_of(whole, containers) == size


AMOUNTS = st.floats(0, 1e6)


@given(AMOUNTS, AMOUNTS, st.none() | AMOUNTS)
def test_what_is_written_is_read_again(vcpu_hours: float, gb_hours: float, dollars: float | None) -> None:
    found = read(describe(used(), Cost(vcpu_hours, gb_hours, dollars), "a1"))
    assert found is not None
    assert found.vcpu_hours == pytest.approx(vcpu_hours, abs=1e-6)
    assert found.gb_hours == pytest.approx(gb_hours, abs=1e-6)
    assert found.dollars == (None if dollars is None else pytest.approx(dollars, abs=1e-6))


@given(st.text() | st.just("1.2.3 vCPU-hours, 1 GB-hours:"))
def test_other_texts_are_no_costs(text: str) -> None:
    assert read(text) is None


def test_sums_are_by_name_the_dearest_first() -> None:
    found = sum_by([("a", Cost(1, 2, 0.5)), ("b", Cost(9, 9)), ("c", Cost(10, 9)), ("a", Cost(1, 2))])
    assert [*found] == ["a", "c", "b"]
    assert found["a"] == Sum(2, 1, 2, 4, 0.5)
    assert (found["a"].price, found["b"].price) == (0.5, None)
    found["a"].merge(found["b"])
    assert found["a"] == Sum(3, 2, 11, 13, 0.5)


@pytest.mark.parametrize(
    ("seconds", "standby", "billed"),
    [
        (10.0, 0.0, 60),
        (10.0, 20.0, 40),
        (10.2, 55.0, 11),
        (10.2, 3600.0, 11),
        (10.0, None, 60),
        (90.0, None, 90),
    ],
)
def test_fargates_minute_counts_from_the_start_of_the_container_and_not_of_its_task(
    seconds: float, standby: float | None, billed: float
):
    assert billed_seconds(Usage(1, 2, seconds, "FARGATE", standby=standby)) == billed


@pytest.mark.parametrize(
    ("standby", "words"),
    [
        (0.0, "FARGATE), ECS task abc."),
        (412.4, "(FARGATE), after 412 s as a standby, ECS task abc."),
        (None, "(FARGATE), its time as a standby included, ECS task abc."),
    ],
)
def test_what_a_warm_task_has_used_says_whether_its_wait_is_in_it(standby: float | None, words: str):
    usage = Usage(1, 2, 90.0, "FARGATE", standby=standby)
    text = describe(usage, Prices().cost(usage, "us-east-1"), "abc")
    assert text.endswith(words)
    assert task_id_in(text) == "abc."
    assert read(text) == read(describe(replace(usage, standby=0.0), Prices().cost(usage, "us-east-1"), "abc"))
