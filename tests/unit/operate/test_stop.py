"""How people name a task instance."""

from __future__ import annotations

from itertools import permutations
from types import SimpleNamespace
from typing import Any

import pytest

from ecs_async_executor.errors import OperationError
from ecs_async_executor.operate import stop
from ecs_async_executor.operate.containers import Facts
from ecs_async_executor.operate.rows import FoundRow
from ecs_async_executor.operate.stop import Name, row_of
from tests.support.operation import DEPLOYMENT, NOW, RUN, TI, arn_of, container, found_row


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


EARLIER = found_row("failed", earlier_try=True, changed_at=NOW - 9000, external_id=RUN)
CLEARED = found_row(None, changed_at=NOW - 100, try_number=2)
OLDER = found_row("success", changed_at=NOW - 5000)


@pytest.mark.parametrize("rows", [*permutations([EARLIER, CLEARED, OLDER])])
def test_of_the_rows_that_a_container_had_the_newest_tells_what_airflow_makes_of_its_end(
    rows: tuple[FoundRow, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = Facts(by_external_id={arn_of(): [rows[0]], RUN: [rows[1]]}, by_ti_id={TI: [rows[2]]})
    monkeypatch.setattr(stop, "read_facts", lambda *_: facts)
    access: Any = SimpleNamespace(deployment=DEPLOYMENT)
    assert row_of(access, container()) == (CLEARED, True)


def test_a_container_without_any_row_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stop, "read_facts", lambda *_: Facts())
    access: Any = SimpleNamespace(deployment=DEPLOYMENT)
    assert row_of(access, container()) == (None, False)
