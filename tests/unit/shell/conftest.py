"""A supervisor without an engine and a database."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from ecs_async_executor.executor.reconciler import Supervisor
from ecs_async_executor.executor.rows.statements import Show
from ecs_async_executor.messages import (
    Order,
)
from tests.support.supervisor import (
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
    shown: list[str] = []

    def write(shows: Iterable[Show]) -> frozenset[str]:
        shown.extend(show.external_id for show in shows)
        return frozenset(show.run_id for show in shows)

    monkeypatch.setattr(DATABASE + "write_external_ids", write)
    return shown


@pytest.fixture
def supervisor(submitted: list[Order]) -> Supervisor:
    return make_supervisor(Executor(), submitted)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def watching(submitted: list[Order], clock: Clock) -> Supervisor:
    return make_supervisor(Executor(), submitted, clock)
