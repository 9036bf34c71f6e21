from __future__ import annotations

import pytest

from ecs_async_executor.config.parsing import (
    parse_bucket,
    parse_json,
    parse_launch_type,
    parse_list,
    parse_strategy,
)

SPOT = {"capacityProvider": "FARGATE_SPOT", "weight": 3}
BOTH = [SPOT, {"capacityProvider": "FARGATE", "weight": 1, "base": 2}]


@pytest.mark.parametrize(
    "text",
    [
        '[{"capacityProvider": "FARGATE_SPOT", "weight": 3}, {"capacityProvider": "FARGATE", "weight": 1, "base": 2}]',
        "[{'capacityProvider': 'FARGATE_SPOT', 'weight': 3}, {'capacityProvider': 'FARGATE', 'weight': 1, 'base': 2}]",
        '[{"capacity_provider": "FARGATE_SPOT", "weight": 3}, {"CapacityProvider": "FARGATE", "weight": 1, "base": 2}]',
        "FARGATE_SPOT:3,FARGATE:1:2",
        " FARGATE_SPOT : 3 , FARGATE : 1 : 2 , ",
    ],
)
def test_a_strategy_may_be_json_or_pythons_own_or_short(text: str) -> None:
    assert parse_strategy(text) == BOTH


def test_one_provider_needs_no_list_and_no_weight() -> None:
    assert parse_strategy("mine") == [{"capacityProvider": "mine", "weight": 1}]
    assert parse_strategy("mine,yours") == [
        {"capacityProvider": "mine", "weight": 1},
        {"capacityProvider": "yours", "weight": 1},
    ]
    assert parse_strategy('{"capacityProvider": "mine", "weight": null}') == [{"capacityProvider": "mine"}]


@pytest.mark.parametrize(
    "text",
    [
        "FARGATE:x",
        "FARGATE:1:2:3",
        "FARGATE:-1",
        "FARGATE:9999999999",
        ":1",
        ",",
        "[]",
        "[5]",
        "[[]]",
        '[{"weight": 1}]',
        '[{"capacityProvider": 7}]',
        '[{"capacityProvider": "x", "weight": "1"}]',
        '[{"capacityProvider": "x", "weight": true}]',
        '[{"capacityProvider": "x", "wieght": 1}]',
        '[{"capacityProvider": "x"',
        "[" * 100_000,
        "{" * 100_000,
    ],
)
def test_what_is_no_strategy_is_refused_with_one_kind_of_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse_strategy(text)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a", ["a"]),
        (" a , b,", ["a", "b"]),
        ('["a", "b"]', ["a", "b"]),
        ("['a', 'b']", ["a", "b"]),
        ("", []),
    ],
)
def test_a_list_may_be_json_or_pythons_own_or_short(text: str, names: list[str]) -> None:
    assert parse_list(text) == names


def test_json_may_be_what_python_prints() -> None:
    assert parse_json("{'a': True, 'b': None}") == {"a": True, "b": None}
    assert parse_json('{"a": true}') == {"a": True}


@pytest.mark.parametrize("text", ["{", "their-secret", "__import__('os')", "[" * 100_000, "9" * 5000, "\0"])
def test_what_is_neither_is_refused_without_its_value(text: str) -> None:
    with pytest.raises(ValueError, match=r"it is not JSON|nested too deeply") as caught:
        parse_json(text)
    assert "their-secret" not in str(caught.value)


def test_a_launch_type_may_be_in_lower_case() -> None:
    assert parse_launch_type(" fargate ") == "FARGATE"


@pytest.mark.parametrize(
    ("value", "location"),
    [
        ("my-bucket", "s3://my-bucket/"),
        (" s3://my-bucket ", "s3://my-bucket/"),
        ("s3://my-bucket/", "s3://my-bucket/"),
        ("s3://my.bucket/airflow/payloads", "s3://my.bucket/airflow/payloads/"),
        ("my-bucket/airflow//", "s3://my-bucket/airflow/"),
        (None, None),
    ],
)
def test_a_bucket_may_have_a_prefix(value: str | None, location: str | None) -> None:
    assert parse_bucket(value) == location


@pytest.mark.parametrize(
    "value",
    ["s3://", "My-Bucket", "https://my-bucket", "arn:aws:s3:::my-bucket", "ab", "my-bucket/a b", "b" * 64],
)
def test_what_is_no_bucket_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="neither a bucket nor s3://bucket/prefix"):
        parse_bucket(value)
