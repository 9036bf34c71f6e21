from __future__ import annotations

import time
from typing import Any

import pytest

from ecs_async_executor.config.heartbeats import Heartbeats
from ecs_async_executor.executor.reconciler import Reconciler
from ecs_async_executor.executor.rows.thread import RowQuery, RowThread
from ecs_async_executor.messages import Diagnosis, LaunchFailed, Waiting
from tests.support.reconciler import (
    DATABASE,
    WHY,
    Clock,
    Executor,
    accept,
    decide,
    launched,
    make_reconciler,
    rows_show,
)

FULL = Diagnosis("ECS has no capacity for the task now.", "RESOURCE:CPU")


def events(reconciler: Reconciler) -> list[tuple[str | None, str]]:
    return [(each.task_id, each.event) for each in reconciler._executor._task_event_logs]


def test_a_hundred_waiting_tasks_log_two_lines_and_one_audit_log_event_each(
    reconciler: Reconciler, clock: Clock, caplog: pytest.LogCaptureFixture
):
    caplog.set_level("INFO")
    runs = [accept(reconciler, task_id=f"t{number}") for number in range(100)]
    for run in runs:
        reconciler.note(Waiting(run.run_id, FULL))
    clock.now += 60
    reconciler.decide()
    assert [message.partition(": ")[2] for message in caplog.messages] == [
        str(FULL),
        f"{FULL} [the last of 99 in 60 s]",
    ]
    assert events(reconciler) == [(f"t{number}", "ecs launch waits") for number in range(100)]


def test_start_failures_with_one_cause_are_summed_up(
    reconciler: Reconciler, clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    rows_show(monkeypatch, "queued")
    runs = [accept(reconciler, task_id=f"t{number}") for number in range(50)]
    for run in runs:
        reconciler.note(LaunchFailed(run.run_id, 1, WHY, permanent=False))
    decide(reconciler)
    clock.now += 60
    reconciler.decide()
    failed = [message for message in caplog.messages if "Start 1 of 2 failed" in message]
    assert len(failed) == 2
    assert failed[1].endswith("[the last of 49 in 60 s]")
    assert [event for _, event in events(reconciler)] == ["ecs launch failed"] * 50


def test_log_lines_for_rows_that_moved_on_are_summed_up(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    caplog.set_level("INFO")
    rows_show(monkeypatch, "success")
    reconciler = make_reconciler(Executor(), [], clock, heartbeats=Heartbeats(unwanted_grace=0))
    for number in range(20):
        reconciler.note(launched(accept(reconciler, task_id=f"t{number}")))
    for _ in range(30):
        clock.now += 5
        decide(reconciler)
    moved_on = [message for message in caplog.messages if "its row has moved on" in message]
    assert len(moved_on) == 2
    assert moved_on[1].endswith("[the last of 19 in 60 s]")


def test_an_exception_at_each_heartbeat_is_logged_with_its_traceback_once_and_then_summed_up(
    reconciler: Reconciler, clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def break_down(_: float) -> Any:
        raise RuntimeError("a bug")

    monkeypatch.setattr(reconciler._rows, "answers", break_down)
    for _ in range(61):
        reconciler.decide()
        clock.now += 1
    first, second = caplog.messages
    assert "Traceback" in first
    assert "RuntimeError: a bug" in first
    assert second == "Can't decide; it is tried again at the next heartbeat. [the last of 60 in 60 s]"


def test_an_exception_whose_message_names_tasks_is_summed_up_as_well(
    reconciler: Reconciler, clock: Clock, caplog: pytest.LogCaptureFixture
):
    nobody: dict[str, str] = {}
    for number in range(100):
        try:
            nobody[f"task {number}"]
        except KeyError:
            reconciler.task_events.exception("handle", f"Can't handle task {number}")
    assert len(caplog.messages) == 1
    clock.now += 60
    reconciler.task_events.flush()
    assert caplog.messages[1] == "Can't handle task 99 [the last of 99 in 60 s]"


def test_a_database_that_is_down_is_logged_once_and_then_summed_up(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def away(_: Any) -> Any:
        raise ConnectionError("refused")

    monkeypatch.setattr(DATABASE + "read_rows", away)
    database = RowThread()
    for _ in range(10):
        database.ask(RowQuery())
        while database.is_busy:
            database.take()
            time.sleep(0.001)
    assert database.close(5)
    assert len([message for message in caplog.messages if "Can't read the rows" in message]) == 1
