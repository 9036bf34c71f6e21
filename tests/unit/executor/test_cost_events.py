"""What an ended ECS task has used goes into its task's Audit Log, if asked, behind everything that people wait for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ecs_async_executor.config.settings import Settings
from ecs_async_executor.executor.cost_events import CostEvents
from ecs_async_executor.executor.reconciler import Reconciler
from ecs_async_executor.executor.task_events import ROWS_PER_HEARTBEAT
from ecs_async_executor.messages import Cancelled, Diagnosis, Order, Stop, Stopped, Usage
from ecs_async_executor.task_cost import Prices
from tests.support.reconciler import (
    ARN,
    SETTINGS,
    WHY,
    Clock,
    Executor,
    accept,
    decide,
    launched,
    make_reconciler,
    rows_show,
)

USAGE = Usage(0.5, 1.0, 90.0, "FARGATE", "X86_64")
TEXT = (
    "0.0125 vCPU-hours, 0.025 GB-hours, $0.000617: 0.5 vCPU and 1 GB for 90 s (FARGATE on X86_64), "
    f"ECS task {ARN.rpartition('/')[2]}."
)


def ended(run_id: str, usage: Usage | None = USAGE, number: int = 1) -> Stopped:
    return Stopped(run_id, number, ARN, exit_code=0, ran=True, permanent=False, diagnosis=WHY, usage=usage)


def make(*, asked: bool = True, submitted: list[Order] | None = None, **settings: Any) -> Reconciler:
    return make_reconciler(
        Executor(),
        [] if submitted is None else submitted,
        Clock(),
        settings=SETTINGS.model_copy(update={"log_cost": asked, **settings}),
    )


def costs(reconciler: Reconciler) -> list[tuple[str | None, str | None]]:
    reconciler.task_events.flush()
    logs = reconciler._executor._task_event_logs
    return [(each.task_id, each.extra) for each in logs if each.event == "ecs task cost"]


def test_it_is_off_by_default() -> None:
    assert Settings.model_fields["log_cost"].default is False
    reconciler = make(asked=False)
    run = accept(reconciler)
    reconciler.note(launched(run))
    reconciler.note(ended(run.run_id))
    assert costs(reconciler) == []


def test_each_ended_ecs_task_has_one_row() -> None:
    reconciler = make()
    run = accept(reconciler, task_id="load")
    reconciler.note(launched(run))
    reconciler.note(ended(run.run_id))
    reconciler.note(ended(run.run_id, number=7))  # of a launch that this scheduler doesn't know
    assert costs(reconciler) == [("load", TEXT)]


def test_a_container_that_is_launched_again_has_a_row_for_each_launch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows_show(monkeypatch, "queued")
    reconciler = make()
    run = accept(reconciler, task_id="load")
    reconciler.note(launched(run))
    reconciler.note(replace(ended(run.run_id), ran=False, exit_code=None))
    decide(reconciler)
    assert run.number == 2
    assert costs(reconciler) == [("load", TEXT)]


def test_a_dropped_runs_task_has_its_row_as_well() -> None:
    submitted: list[Order] = []
    reconciler = make(submitted=submitted)
    run = accept(reconciler, task_id="load")
    reconciler.note(launched(run))
    reconciler.revoke(run.key)
    assert isinstance(submitted[-1], Stop)
    reconciler.note(ended(run.run_id))
    reconciler.note(ended(run.run_id))
    assert costs(reconciler) == [("load", TEXT)]


def test_what_ecs_does_not_tell_has_no_row() -> None:
    reconciler = make()
    run, other = accept(reconciler), accept(reconciler, task_id="other")
    reconciler.note(launched(run))
    reconciler.note(ended(run.run_id, None))
    reconciler.note(Cancelled(other.run_id))
    assert costs(reconciler) == []


def test_prices_are_those_of_the_option() -> None:
    reconciler = make(task_prices=(("FARGATE", 80.0, 40.0),))
    run = accept(reconciler, task_id="load")
    reconciler.note(launched(run))
    reconciler.note(ended(run.run_id))
    ((_, text),) = costs(reconciler)
    assert text is not None
    assert ", $2.000000: " in text


def test_costs_come_after_every_other_event_and_within_the_limit_of_a_heartbeat() -> None:
    reconciler = make()
    runs = [accept(reconciler, task_id=f"t{number}") for number in range(ROWS_PER_HEARTBEAT)]
    for run in runs:
        reconciler.note(launched(run))
        reconciler.note(ended(run.run_id))
    reconciler.task_events.flush()
    logs = reconciler._executor._task_event_logs
    assert {each.event for each in logs} == {"ecs task launched"}
    assert len(logs) == ROWS_PER_HEARTBEAT
    assert len(costs(reconciler)) == ROWS_PER_HEARTBEAT


def test_costs_that_the_audit_log_cannot_take_do_not_fill_the_memory(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("ecs_async_executor.executor.task_events.COSTS_KEPT", 2)
    reconciler = make()
    for number in range(3):
        run = accept(reconciler, task_id=f"t{number}")
        reconciler.note(launched(run))
        reconciler.note(ended(run.run_id))
    assert [task for task, _ in costs(reconciler)] == ["t0", "t1"]
    assert "More ECS tasks end than the Audit Log takes costs." in caplog.text


def test_a_cost_that_cannot_be_noted_does_not_keep_a_run_from_its_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no")

    monkeypatch.setattr(Prices, "cost", fail)
    reconciler = make()
    run = accept(reconciler)
    reconciler.note(launched(run))
    reconciler.note(ended(run.run_id))
    assert run.ended is not None
    assert costs(reconciler) == []
    assert "Can't note what" in caplog.text


def test_without_prices_nothing_is_written() -> None:
    reconciler = make()
    CostEvents(reconciler.task_events, None).note(
        accept(reconciler), replace(ended("x"), diagnosis=Diagnosis(""))
    )
    assert costs(reconciler) == []
