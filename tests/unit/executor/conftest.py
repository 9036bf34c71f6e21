"""A supervisor without an engine and a database."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from ecs_async_executor.executor.reconciler import Reconciler
from ecs_async_executor.executor.rows.statements import Publication
from ecs_async_executor.messages import (
    Order,
)
from tests.support.reconciler import (
    DATABASE,
    Clock,
    Executor,
    make_supervisor,
)


@pytest.fixture
def submitted() -> list[Order]:
    return []


@pytest.fixture(autouse=True)
def written(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What rows have been made to show, in this order."""
    published_ids: list[str] = []

    def write(publications: Iterable[Publication]) -> frozenset[str]:
        published_ids.extend(publish.external_id for publish in publications)
        return frozenset(publish.run_id for publish in publications)

    monkeypatch.setattr(DATABASE + "write_external_ids", write)
    return published_ids


@pytest.fixture
def supervisor(submitted: list[Order]) -> Reconciler:
    return make_supervisor(Executor(), submitted)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def watching(submitted: list[Order], clock: Clock) -> Reconciler:
    return make_supervisor(Executor(), submitted, clock)
