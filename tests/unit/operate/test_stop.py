"""How people name a task instance."""

from __future__ import annotations

import pytest

from ecs_async_executor.errors import OperationError
from ecs_async_executor.operate.stop import Name
from tests.support.operation import arn_of


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("d/r/t", Name("d", "r", "t")),
        (
            "d/manual__2026-01-01T00:00:00+00:00/group.t/12",
            Name("d", "manual__2026-01-01T00:00:00+00:00", "group.t", 12),
        ),
        ("d/r/7", Name("d", "r", "7")),
        (arn_of(), None),
        ("0a1b2c3d", None),
    ],
)
def test_a_name_has_slashes_and_the_rest_is_an_arn_or_an_id(text: str, name: Name | None) -> None:
    assert Name.parse(text) == name


@pytest.mark.parametrize("text", ["d/r", "d/r/t/x", "d//t", "d/r/t/1/2", "/r/t"])
def test_half_a_name_is_refused(text: str) -> None:
    with pytest.raises(OperationError, match="DAG/RUN/TASK"):
        Name.parse(text)
