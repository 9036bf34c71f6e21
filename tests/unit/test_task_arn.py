from __future__ import annotations

import pytest

from ecs_async_executor.task_arn import TaskArn


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("arn:aws:ecs:eu-west-1:1:task/c/abc", ("aws", "eu-west-1", "1", "c", "abc")),
        ("arn:aws-cn:ecs:cn-north-1:1:task/c/abc", ("aws-cn", "cn-north-1", "1", "c", "abc")),
        ("arn:aws-us-gov:ecs:us-gov-west-1:1:task/abc", ("aws-us-gov", "us-gov-west-1", "1", None, "abc")),
    ],
)
def test_an_arn_of_any_partition_and_format_is_taken_apart(text: str, parts: tuple[str | None, ...]) -> None:
    arn = TaskArn.parse(text)
    assert arn is not None
    assert (arn.partition, arn.region, arn.account, arn.cluster, arn.task_id) == parts
    assert str(arn) == text


@pytest.mark.parametrize(
    "text",
    [None, "", "abc", "arn:aws:ecs:eu-west-1:1:cluster/c", "arn:aws:ecs:eu-west-1:1:task/a/b/c", "x arn:aws:ecs:e:1:task/a"],
)  # fmt: skip
def test_anything_else_is_no_arn(text: str | None) -> None:
    assert TaskArn.parse(text) is None


@pytest.mark.parametrize(("task_id", "is_whole"), [("a" * 32, True), ("b" * 36, True), ("a" * 31, False)])
def test_an_id_has_32_or_36_characters(task_id: str, is_whole: bool) -> None:
    arn = TaskArn.parse(f"arn:aws:ecs:eu-west-1:1:task/c/{task_id}")
    assert arn is not None
    assert arn.is_whole is is_whole
