"""Who pays for a start that failed."""

from __future__ import annotations

import pytest

from ecs_async_executor.engine.messages import Cancelled, Diagnosis, LaunchFailed, Terminal
from ecs_async_executor.retries import Retries
from ecs_async_executor.runs import Run

WHY = Diagnosis("It failed.")
RETRIES = Retries(max_starts=3, capacity_timeout=100.0, random=lambda: 1.0)
FAULT = LaunchFailed("run", 1, WHY, permanent=False)
CAPACITY = LaunchFailed("run", 1, WHY, permanent=False, costs_attempt=False)


def failed(end: Terminal, *, starts: int = 1, number: int = 1, waits_since: float | None = None) -> Run:
    return Run("run", "key", "label", None, number=number, starts=starts, waits_since=waits_since, ended=end)


@pytest.mark.parametrize(
    ("run", "allowed"),
    [
        pytest.param(failed(FAULT), True, id="a failed start, and starts are left"),
        pytest.param(failed(FAULT, starts=2), True, id="the last but one"),
        pytest.param(failed(FAULT, starts=3), False, id="the last"),
        pytest.param(
            failed(LaunchFailed("run", 1, WHY, permanent=True)), False, id="a failure that can only repeat"
        ),
        pytest.param(failed(CAPACITY, waits_since=901.0), True, id="waiting, and there is time"),
        pytest.param(failed(CAPACITY, waits_since=900.0), False, id="waiting, and the time is over"),
        pytest.param(
            failed(CAPACITY, starts=3, waits_since=999.0), True, id="waiting costs none of the starts"
        ),
        pytest.param(failed(FAULT, waits_since=0.0), True, id="a fault after long waiting is a fault"),
        pytest.param(failed(Cancelled("run")), True, id="cancelled, and wanted all the same"),
    ],
)
def test_whether_it_is_launched_again(run: Run, allowed: bool) -> None:
    assert RETRIES.allow(run, 1000.0) is allowed


def test_failed_starts_wait_up_to_a_minute_and_capacity_up_to_five() -> None:
    assert [RETRIES.delay(failed(FAULT, starts=n)) for n in (1, 2, 3, 4, 9)] == [10, 20, 40, 60, 60]
    assert [RETRIES.delay(failed(CAPACITY, number=n)) for n in (1, 2, 3, 7, 99)] == [5, 10, 20, 300, 300]
