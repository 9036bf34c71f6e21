"""A reconciler without an engine or a database."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from ecs_async_executor.executor.reconciler import Reconciler
from ecs_async_executor.executor.rows.statements import Publication
from ecs_async_executor.messages import Order
from tests.support.reconciler import DATABASE, Clock, Executor, make_reconciler


@pytest.fixture
def submitted() -> list[Order]:
    return []


@pytest.fixture(autouse=True)
def written(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The external executor ids that were written to rows, in order."""
    external_ids: list[str] = []

    def write(publications: Iterable[Publication]) -> frozenset[str]:
        external_ids.extend(each.external_id for each in publications)
        return frozenset(each.run_id for each in publications)

    monkeypatch.setattr(DATABASE + "write_external_ids", write)
    return external_ids


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def reconciler(submitted: list[Order], clock: Clock) -> Reconciler:
    return make_reconciler(Executor(), submitted, clock)
