"""Launches that wait for long because of what holds up all launches."""

from __future__ import annotations

from collections.abc import Callable

import anyio
import pytest

from ecs_async_executor.engine.admission.calls import Calls
from ecs_async_executor.engine.options import EngineOptions, Rate
from ecs_async_executor.engine.state.ledger import Ledger
from ecs_async_executor.engine.workers.wait_reporter import (
    HELD_UP_AFTER,
    INTERVAL,
    REPORTS_AT_ONCE,
    WaitReporter,
)
from ecs_async_executor.messages import Diagnosis, Waiting
from tests.support.engine import Reports, options, order

pytestmark = pytest.mark.virtual_time

MakeCalls = Callable[[EngineOptions], Calls]
PAUSE = Diagnosis("The scheduler can't reach AWS.")


def hold(monkeypatch: pytest.MonkeyPatch, why: Diagnosis | None) -> None:
    monkeypatch.setattr(Calls, "hold_up", property(lambda _: why))


async def report_for(seconds: float, ledger: Ledger, calls: Calls, reports: Reports) -> None:
    with anyio.move_on_after(seconds):
        await WaitReporter(ledger, calls, reports.append).run()


async def test_a_launch_that_is_held_up_for_long_is_reported_once_per_reason(
    make_calls: MakeCalls, reports: Reports, monkeypatch: pytest.MonkeyPatch
):
    ledger = Ledger(options(), lambda: 1.0)
    ledger.launch(order("run"), anyio.current_time())
    hold(monkeypatch, PAUSE)
    await report_for(HELD_UP_AFTER - 1, ledger, make_calls(options()), reports)
    assert reports == []
    await report_for(HELD_UP_AFTER, ledger, make_calls(options()), reports)
    assert reports == [Waiting("run", PAUSE)]
    throttled = Diagnosis("AWS throttles RunTask, so launches are slow.")
    hold(monkeypatch, throttled)
    await report_for(2 * INTERVAL, ledger, make_calls(options()), reports)
    assert reports == [Waiting("run", PAUSE), Waiting("run", throttled)]


async def test_nothing_is_reported_while_nothing_holds_launches_up(
    make_calls: MakeCalls, reports: Reports, monkeypatch: pytest.MonkeyPatch
):
    ledger = Ledger(options(), lambda: 1.0)
    ledger.launch(order("run"), anyio.current_time())
    hold(monkeypatch, None)
    await report_for(3 * HELD_UP_AFTER, ledger, make_calls(options()), reports)
    assert reports == []


def asking(run_id: str) -> Ledger:
    """Make a ledger with a launch that waits for an answer of ECS, such as which revision runs its image."""
    ledger = Ledger(options(), lambda: 1.0)
    ledger.launch(order(run_id), anyio.current_time())
    entry = ledger.take(anyio.current_time())
    assert entry is not None
    ledger.prepare(entry, anyio.current_time())
    return ledger


async def test_an_outage_is_reported_for_launches_that_wait_for_an_answer_although_none_waits_for_its_turn(
    make_calls: MakeCalls, reports: Reports, monkeypatch: pytest.MonkeyPatch
):
    calls = make_calls(options())
    calls._backlog = lambda: 0
    monkeypatch.setattr(Calls, "outage", property(lambda _: PAUSE))
    await report_for(HELD_UP_AFTER + 2 * INTERVAL, asking("run"), calls, reports)
    assert reports == [Waiting("run", PAUSE)]


async def test_a_launch_that_waits_for_an_answer_does_not_wait_for_the_rate_of_run_task(
    make_calls: MakeCalls, reports: Reports
):
    calls = make_calls(options(run_task_rate=Rate(per_second=20, burst=100)))
    assert calls.hold_up is not None
    await report_for(2 * HELD_UP_AFTER, asking("run"), calls, reports)
    assert reports == []


async def test_launches_that_wait_for_their_image_for_long_are_reported_once(
    make_calls: MakeCalls, reports: Reports
):
    ledger = asking("run")
    (entry,) = ledger
    entry.launch.awaited_image = "airflow:2"
    await report_for(HELD_UP_AFTER - 1, ledger, make_calls(options()), reports)
    assert reports == []
    await report_for(2 * HELD_UP_AFTER, ledger, make_calls(options()), reports)
    (told,) = reports.of(Waiting)
    assert told.run_id == "run"
    assert told.diagnosis.summary == "No task definition for the image airflow:2 is registered yet."


async def test_thousands_are_reported_a_few_at_a_time_the_first_ordered_first(
    make_calls: MakeCalls, reports: Reports, monkeypatch: pytest.MonkeyPatch
):
    ledger = Ledger(options(), lambda: 1.0)
    for number in range(3 * REPORTS_AT_ONCE):
        ledger.launch(order(f"run {number}"), anyio.current_time())
    hold(monkeypatch, PAUSE)
    await anyio.sleep(HELD_UP_AFTER)
    await report_for(1.5 * INTERVAL, ledger, make_calls(options()), reports)
    assert reports == [Waiting(f"run {number}", PAUSE) for number in range(REPORTS_AT_ONCE)]
    await report_for(10 * INTERVAL, ledger, make_calls(options()), reports)
    assert len(reports) == 3 * REPORTS_AT_ONCE


async def test_a_full_rate_limit_is_a_reason_of_its_own(make_calls: MakeCalls):
    calls = make_calls(options(run_task_rate=Rate(per_second=20, burst=100)))
    calls._backlog = lambda: 5120
    found = calls.hold_up
    assert found is not None
    assert found.summary == "More launches wait than RunTask's rate allows at once."
    assert found.detail == "5,120 launches wait; 20 calls/s allowed"
    calls._backlog = lambda: 19
    found = calls.hold_up
    assert found is None, "what one second lets through waits for a reason of its own, a back-off for example"
