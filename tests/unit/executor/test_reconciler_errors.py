"""A bug in one run, or in a part of the executor, costs no task and harms no other run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from ecs_async_executor.executor.ended_runs import CONFIRM_AFTER
from ecs_async_executor.executor.reconciler import Reconciler
from ecs_async_executor.executor.run_factory import make_run
from ecs_async_executor.executor.run_state import RunState
from ecs_async_executor.executor.runs import Run
from ecs_async_executor.messages import (
    Launch,
    LaunchFailed,
    Order,
    Stopped,
    Watch,
)
from tests.support.reconciler import (
    WHY,
    Clock,
    accept,
    decide,
    launched,
    rows_show,
)
from tests.support.workloads import callback_workload, task_workload


class TestImpossibleReports:
    """A report that can't follow is a bug of ours: it is logged with the run's history, and costs nothing."""

    def test_the_log_tells_the_runs_history(self, reconciler: Reconciler, caplog: pytest.LogCaptureFixture):
        run = accept(reconciler)
        reconciler.note(LaunchFailed(run.run_id, 1, WHY, permanent=False))
        reconciler.note(launched(run))
        assert f"{run.label} can't go from ENDED to LAUNCHED (launched)" in caplog.text
        assert "ORDERED (nobody has sent it), +0.0 s ENDED (LaunchFailed)" in caplog.text

    def test_the_other_runs_are_handled(self, reconciler: Reconciler):
        one, two = (accept(reconciler, task_id=name) for name in ("a", "b"))
        reconciler.note(LaunchFailed(one.run_id, 1, WHY, permanent=False))
        for run in (one, two):
            reconciler.note(launched(run))
        assert two.state is RunState.LAUNCHED


def test_a_run_that_cannot_be_ordered_is_returned_and_the_others_are_ordered(
    reconciler: Reconciler, submitted: list[Order], monkeypatch: pytest.MonkeyPatch
):
    runs = [make_run(reconciler._executor, task_workload(task_id=name)) for name in ("bad", "good")]
    order = reconciler._dispatcher.order

    def failing(run: Run) -> Order:
        if "bad" in run.label:
            raise ValueError("priority")
        return order(run)

    monkeypatch.setattr(reconciler._dispatcher, "order", failing)
    ((refused, error),) = reconciler.accept(runs)
    assert (refused.label, str(error)) == (runs[0].label, "priority")
    assert [each.run_id for each in submitted if isinstance(each, Launch)] == [runs[1].run_id]
    assert list(reconciler.runs) == [runs[1]]


def test_the_first_end_of_a_run_counts(
    reconciler: Reconciler, submitted: list[Order], clock: Clock, monkeypatch: pytest.MonkeyPatch
):
    rows_show(monkeypatch, "queued")
    run = accept(reconciler)
    for permanent in (True, False):
        reconciler.note(LaunchFailed(run.run_id, 1, WHY, permanent=permanent))
    for _ in range(20):
        clock.now += CONFIRM_AFTER
        decide(reconciler)
    assert {state for state, _ in reconciler._executor.event_buffer.values()} == {"failed"}
    assert submitted == [], "a second container would follow from the second report"


def test_a_task_that_is_reported_twice_is_followed_to_its_end(
    reconciler: Reconciler, submitted: list[Order], clock: Clock, monkeypatch: pytest.MonkeyPatch
):
    run = accept(reconciler)
    for _ in range(2):
        reconciler.note(launched(run))
    assert [type(order) for order in reconciler.live_orders()] == [Watch]
    reconciler.note(Stopped(run.run_id, 1, "arn", 0, ran=True, permanent=False, diagnosis=WHY))
    rows_show(monkeypatch, "success")
    clock.now += CONFIRM_AFTER
    decide(reconciler)
    assert (len(reconciler.runs), submitted) == (0, [])


@pytest.mark.parametrize("workload", [task_workload(), callback_workload()], ids=["task", "callback"])
def test_orders_that_cannot_be_given_are_given_once_the_rows_have_been_read(
    reconciler: Reconciler, submitted: list[Order], monkeypatch: pytest.MonkeyPatch, workload: Any
):
    def break_down(_: Iterable[Order]) -> None:
        raise RuntimeError("no thread")

    rows_show(monkeypatch, "queued")
    run = make_run(reconciler._executor, workload)
    with monkeypatch.context() as broken:
        broken.setattr(reconciler._dispatcher, "_submit", break_down)
        assert reconciler.accept([run]) == []
    decide(reconciler)
    assert [order.run_id for order in submitted if isinstance(order, Launch)] == [run.run_id]
    assert run.state is RunState.ORDERED
