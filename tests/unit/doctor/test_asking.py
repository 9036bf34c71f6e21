"""What the doctor asks AWS: each question by one call, and none that changes anything."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from ecs_async_executor.doctor import aws, host
from ecs_async_executor.doctor.aws.actions import ACTIONS
from ecs_async_executor.doctor.aws.asking import _ASK
from ecs_async_executor.doctor.facts import Kind

READS = ("batch_get_", "describe_", "get_", "head_", "list_", "simulate_")


def called() -> Iterator[str]:
    """Yield the names of the client's methods that the package calls."""
    for path in Path(str(aws.__file__)).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if (
                isinstance(node, ast.Attribute)
                and isinstance(node.value, ast.Name)
                and node.value.id == "client"
            ):
                yield node.attr


def test_every_question_is_answered_by_aws_or_by_this_host() -> None:
    assert _ASK.keys() == ACTIONS.keys() == {*Kind} - host.KINDS


def test_no_call_changes_anything() -> None:
    names = {*called()} - {"meta"}
    assert len(names) > 20
    assert [name for name in names if not name.startswith(READS)] == []
