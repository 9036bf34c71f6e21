from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest

from ecs_async_executor.config.heartbeats import Heartbeats
from ecs_async_executor.event_names import EventName
from ecs_async_executor.executor.reconciler import Reconciler
from ecs_async_executor.executor.rows.thread import RowQuery, RowThread
from ecs_async_executor.executor.task_events import FAILURES_KEPT, ROWS_PER_HEARTBEAT
from ecs_async_executor.messages import Diagnosis, Launched, LaunchFailed, SlowStart, Stopped, Waiting
from tests.support.reconciler import (
    DATABASE,
    RUN_ID,
    WHY,
    Clock,
    Executor,
    accept,
    decide,
    launched,
    make_reconciler,
    orphan,
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


def test_a_cause_of_waiting_is_reported_once_however_many_launches_wait_for_it(reconciler: Reconciler):
    run = accept(reconciler)
    for why in (FULL, replace(FULL, detail="place 7 of 9"), Diagnosis("AWS throttles."), FULL):
        reconciler.note(Waiting(run.run_id, why))
    reconciler.decide()
    assert [str(each.extra) for each in reconciler._executor._task_event_logs] == [
        str(FULL),
        "AWS throttles.",
    ]


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


def test_the_audit_log_names_the_ecs_task_with_its_size_and_place(reconciler: Reconciler):
    run = accept(reconciler, queue="etl")
    size = "1024 CPU units, 2048 MiB, FARGATE_SPOT"
    reconciler.note(Launched(run.run_id, 1, "arn:task", "batch", "airflow", size))
    reconciler.decide()
    (event,) = reconciler._executor._task_event_logs
    assert (event.event, event.extra) == (
        "ecs task launched",
        f"arn:task ({size}, cluster batch, queue etl, launch 1)",
    )


def test_a_task_that_is_slow_to_start_says_so_in_its_audit_log(reconciler: Reconciler):
    run = accept(reconciler)
    reconciler.note(launched(run))
    reconciler.note(SlowStart(run.run_id, Diagnosis("The task has not started after 130 s.")))
    reconciler.decide()
    assert events(reconciler) == [("task", "ecs task launched"), ("task", "ecs task slow to start")]


def test_an_adopted_task_says_so_in_its_audit_log(reconciler: Reconciler):
    reconciler.adopt([orphan(reconciler, RUN_ID)])
    reconciler.decide()
    assert events(reconciler) == [("task", "ecs task adopted")]


def test_a_wait_for_capacity_says_how_long_it_may_last(
    reconciler: Reconciler, clock: Clock, monkeypatch: pytest.MonkeyPatch
):
    rows_show(monkeypatch, "queued")
    run = accept(reconciler)
    reconciler.note(LaunchFailed(run.run_id, 1, FULL, permanent=False, costs_attempt=False))
    decide(reconciler)
    (event,) = reconciler._executor._task_event_logs
    assert "It waits up to 100 s (`capacity_timeout`)." in str(event.extra)


def test_a_heartbeat_hands_over_a_bounded_number_of_rows_and_later_ones_the_rest(reconciler: Reconciler):
    runs = [accept(reconciler, task_id=f"t{number}") for number in range(ROWS_PER_HEARTBEAT + 1)]
    for run in runs:
        reconciler.note(Waiting(run.run_id, FULL))
    reconciler.decide()
    assert len(events(reconciler)) == ROWS_PER_HEARTBEAT
    reconciler.decide()
    assert [task for task, _ in events(reconciler)] == [f"t{number}" for number in range(len(runs))]


def test_why_tasks_wait_and_fail_goes_before_all_else(reconciler: Reconciler):
    runs = [accept(reconciler, task_id=f"t{number}") for number in range(ROWS_PER_HEARTBEAT)]
    for run in runs:
        reconciler.note(launched(run))
    waiting = accept(reconciler, task_id="waiting")
    reconciler.note(Waiting(waiting.run_id, FULL))
    reconciler.decide()
    assert events(reconciler)[0] == ("waiting", "ecs launch waits")
    assert len(events(reconciler)) == ROWS_PER_HEARTBEAT


@pytest.mark.parametrize(
    ("end", "name"),
    [
        (LaunchFailed("run", 1, WHY, permanent=True), "ecs task not launched"),
        (LaunchFailed("run", 1, WHY, permanent=True, may_exist=True), "ecs launch given up"),
        (Stopped("run", 1, "arn", None, ran=False, permanent=True, diagnosis=WHY), "ecs task not started"),
        (Stopped("run", 1, "arn", 137, ran=True, permanent=False, diagnosis=WHY), "ecs task ended"),
    ],
)
def test_the_event_of_an_end_tells_how_far_the_task_got(
    reconciler: Reconciler, monkeypatch: pytest.MonkeyPatch, end: LaunchFailed | Stopped, name: str
):
    rows_show(monkeypatch, "running" if isinstance(end, Stopped) and end.ran else "queued")
    run = accept(reconciler)
    reconciler.note(replace(end, run_id=run.run_id))
    decide(reconciler)
    assert events(reconciler) == [("task", name)]


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


def test_the_dump_has_the_last_failures_the_newest_first(
    reconciler: Reconciler, clock: Clock, caplog: pytest.LogCaptureFixture
):
    caplog.set_level("INFO")
    reconciler.debug_dump()
    assert "Last failures: none" in caplog.messages
    events = reconciler.task_events
    for number in range(FAILURES_KEPT + 2):
        run = accept(reconciler, task_id=f"t{number}")
        events.record(run, EventName.LAUNCHED, "no failure")
        events.record(run, EventName.ENDED, f"It ended with {number}.")
        clock.now += 10
    reconciler.debug_dump()
    lines = caplog.messages[-1].splitlines()
    assert len(lines) == 1 + FAILURES_KEPT
    assert lines[1].startswith("  10 s ago, ")
    assert lines[1].endswith(f"/t{FAILURES_KEPT + 1}, ecs task ended: It ended with {FAILURES_KEPT + 1}.")
    assert lines[-1].startswith("  50 s ago, ")
