"""What the reconciler does when rows move on."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from ecs_async_executor.config.heartbeats import UNWANTED_GRACE
from ecs_async_executor.executor.decisions import Row
from ecs_async_executor.executor.reconciler import Reconciler
from ecs_async_executor.executor.rows.schedule import CHECK_AFTER
from ecs_async_executor.executor.rows.statements import Publication, Read
from ecs_async_executor.launch_id import LaunchId
from ecs_async_executor.messages import (
    Cancelled,
    Launch,
    LaunchFailed,
    Order,
    Recovery,
    Stop,
    Stopped,
    Watch,
)
from tests.support.reconciler import (
    DATABASE,
    RUN_ID,
    WHY,
    Clock,
    accept,
    decide,
    launched,
    orphan,
    rows_show,
)
from tests.support.workloads import task_workload


def test_a_run_waiting_in_the_engine_is_cancelled_some_time_after_its_row_moves_on(
    reconciler: Reconciler, submitted: list[Order], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = accept(reconciler)
    rows_show(monkeypatch, "failed")
    clock.now = CHECK_AFTER
    decide(reconciler)
    assert submitted == [], "RunTask's answer may be lost, and its worker about to end"
    clock.now += UNWANTED_GRACE + CHECK_AFTER
    decide(reconciler)
    (stop,) = submitted
    assert isinstance(stop, Stop)
    assert [type(order) for order in reconciler.live_orders()] == [Launch, Stop]
    reconciler.note(Cancelled(run.run_id))
    decide(reconciler)
    assert len(reconciler.runs) == 0
    assert not reconciler._executor.running
    assert not reconciler._executor.event_buffer, "Airflow knows"


def test_a_run_waiting_in_the_engine_is_stopped_at_once_if_its_row_has_a_newer_run(
    reconciler: Reconciler, submitted: list[Order], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = accept(reconciler)
    newer = Row("queued", 2, "a newer run id", None)
    monkeypatch.setattr(DATABASE + "read_rows", lambda runs: {r.run_id: newer for r in runs})
    clock.now = CHECK_AFTER
    decide(reconciler)
    assert [type(order) for order in submitted] == [Stop]
    assert len(reconciler.runs) == 0
    assert run.key not in reconciler._executor.running


def test_a_live_task_gets_time_to_end_by_itself_after_its_row_moves_on(
    reconciler: Reconciler, submitted: list[Order], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = accept(reconciler)
    reconciler.note(launched(run))
    rows_show(monkeypatch, "running")
    decide(reconciler)
    rows_show(monkeypatch, "success")
    for clock.now in (CHECK_AFTER, 2 * CHECK_AFTER, UNWANTED_GRACE):
        decide(reconciler)
    assert submitted == []
    clock.now = CHECK_AFTER + UNWANTED_GRACE + CHECK_AFTER
    decide(reconciler)
    assert [type(order) for order in submitted] == [Stop]
    clock.now += CHECK_AFTER
    decide(reconciler)
    assert len(submitted) == 1
    assert run in list(reconciler.runs), "it waits for its end"


def test_the_time_to_end_starts_over_if_the_row_wants_its_task_again(
    reconciler: Reconciler, submitted: list[Order], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = accept(reconciler)
    reconciler.note(launched(run))
    for state in ("success", "running", "success"):
        rows_show(monkeypatch, state)
        clock.now += UNWANTED_GRACE - 1
        decide(reconciler)
    assert submitted == []


def test_an_arn_is_written_again_while_its_row_does_not_show_it(
    reconciler: Reconciler, clock: Clock, written: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = accept(reconciler)
    rows_show(monkeypatch, "running")
    reconciler.note(launched(run))
    for clock.now in (0.0, CHECK_AFTER, 2 * CHECK_AFTER):
        decide(reconciler)
        assert set(written) == {f"arn-{run.run_id}-1"}
        written.clear()
    assert not reconciler._executor.event_buffer, "core takes milliseconds for each event"


def test_a_failed_write_is_repeated_a_second_later(
    reconciler: Reconciler, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[Publication] = []

    def locked(publications: Iterable[Publication]) -> frozenset[str]:
        tried.extend(publications)
        return frozenset()

    monkeypatch.setattr(DATABASE + "write_external_ids", locked)
    rows_show(monkeypatch, "queued")
    run = accept(reconciler)
    reconciler.note(launched(run))
    for clock.now in (0.0, 0.5, 1.0, 1.5, 2.0):
        decide(reconciler)
    arn = f"arn-{run.run_id}-1"
    assert tried == [Publication(run.run_id, run.ti_id, 1, None, run.run_id, arn)] * 3


def test_a_task_that_airflow_ended_is_stopped_once(reconciler: Reconciler, submitted: list[Order]) -> None:
    run = accept(reconciler)
    reconciler.note(launched(run))
    reconciler.ended_by_airflow(run.key)
    reconciler.ended_by_airflow(run.key)
    reconciler.ended_by_airflow("unknown")
    (stop,) = submitted
    assert isinstance(stop, Stop)
    assert [type(order) for order in reconciler.live_orders()] == [Watch, Stop]


def test_the_event_of_a_task_that_airflow_ended_is_sent_again_if_core_dropped_it(
    reconciler: Reconciler, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = accept(reconciler)
    reconciler.note(launched(run))
    rows_show(monkeypatch, "running")
    reconciler.ended_by_airflow(run.key)
    reconciler.note(
        Stopped(run.run_id, 1, f"arn-{run.run_id}-1", 137, ran=True, permanent=False, diagnosis=WHY)
    )
    for clock.now in (0.0, 10.0):
        decide(reconciler)
        assert reconciler._executor.get_event_buffer()[run.key][0] == "failed"
    rows_show(monkeypatch, "up_for_retry")
    clock.now = 20.0
    decide(reconciler)
    assert len(reconciler.runs) == 0


def test_a_run_whose_row_is_running_after_all_is_searched_for_and_not_launched_again(
    reconciler: Reconciler, submitted: list[Order], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = accept(reconciler)
    rows_show(monkeypatch, "queued")
    reconciler.note(LaunchFailed(run.run_id, 1, WHY, permanent=False))
    decide(reconciler)
    rows_show(monkeypatch, "running")
    clock.now += 60.0
    decide(reconciler)
    (read,) = submitted
    assert isinstance(read, Launch)
    assert read.recovery is Recovery.SEARCH_ONLY


def test_an_orphan_marked_failed_before_its_workload_is_read_is_searched_for_and_not_launched(
    reconciler: Reconciler, submitted: list[Order], monkeypatch: pytest.MonkeyPatch
) -> None:
    reconciler.adopt([orphan(reconciler, RUN_ID)])
    rows_show(monkeypatch, "failed")
    monkeypatch.setattr(DATABASE + "read_workloads", lambda *_: {})
    decide(reconciler)
    (read,) = submitted
    assert isinstance(read, Launch)
    assert read.recovery is Recovery.SEARCH_ONLY


def test_a_run_whose_row_is_running_but_whose_container_never_ran_is_searched_for(
    reconciler: Reconciler, submitted: list[Order], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = accept(reconciler)
    rows_show(monkeypatch, "running")
    monkeypatch.setattr(DATABASE + "read_workloads", lambda *_: {run.run_id: task_workload()})
    reconciler.note(launched(run))
    reconciler.note(Stopped(run.run_id, 1, "arn", None, ran=False, permanent=False, diagnosis=WHY))
    decide(reconciler)
    (read,) = submitted
    assert isinstance(read, Launch)
    assert read.recovery is Recovery.SEARCH_ONLY
    assert run in list(reconciler.runs)
    assert "failed" not in {state for state, _ in reconciler._executor.event_buffer.values()}


def test_rows_are_read_in_turn_however_many_reports_arrive(
    reconciler: Reconciler, submitted: list[Order], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    accept(reconciler, task_id="marked")

    def slow(reads: Iterable[Read]) -> dict[str, Row]:
        clock.now += 0.02
        states = {read.run_id: "failed" if ".marked " in read.label else "queued" for read in reads}
        return {run_id: Row(state, 1, run_id, None) for run_id, state in states.items()}

    monkeypatch.setattr(DATABASE + "read_rows", slow)
    for number in range(100):
        clock.now += 2
        reconciler.note(launched(accept(reconciler, task_id=f"new{number}")))
        decide(reconciler)
    assert [type(order) for order in submitted] == [Stop]


def test_the_row_of_a_superseded_run_is_read_at_once(
    reconciler: Reconciler, submitted: list[Order], monkeypatch: pytest.MonkeyPatch
) -> None:
    old = accept(reconciler)
    reconciler.note(launched(old))
    new = accept(reconciler)
    assert old.key == new.key
    monkeypatch.setattr(
        DATABASE + "read_rows",
        lambda reads: {read.run_id: Row("queued", 1, new.run_id, None) for read in reads},
    )
    decide(reconciler)
    assert old.unwanted_since == 0.0, "it has time to end by itself"
    assert submitted == []
    assert reconciler._executor.running == {new.key}


def test_the_arn_of_a_later_launch_replaces_its_launch_id(
    reconciler: Reconciler, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = accept(reconciler)
    run.number = 2
    publications: list[Publication] = []

    def write(asked: Iterable[Publication]) -> frozenset[str]:
        publications.extend(asked)
        return frozenset()

    monkeypatch.setattr(DATABASE + "write_external_ids", write)
    reconciler.note(launched(run, 2))
    decide(reconciler)
    assert [(each.instead_of, each.external_id) for each in publications] == [
        (str(LaunchId(run.run_id, 2)), f"arn-{run.run_id}-2")
    ]


@pytest.mark.parametrize(("heartbeat_age", "is_left"), [(2.0, False), (-1.0, True)], ids=["own", "another's"])
def test_the_age_of_a_heartbeat_counts_from_the_query_for_its_row(
    reconciler: Reconciler,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    heartbeat_age: float,
    is_left: bool,
) -> None:
    """A busy scheduler may decide seconds later; a dead worker's heartbeat must not look younger then."""
    run = accept(reconciler)
    rows = {run.run_id: Row("running", 1, run.run_id, None, heartbeat_age)}
    monkeypatch.setattr(
        DATABASE + "read_rows", lambda reads: {read.run_id: rows[run.run_id] for read in reads}
    )
    reconciler.note(Stopped(run.run_id, 1, "arn", 1, ran=True, permanent=False, diagnosis=WHY))
    reconciler.decide()
    clock.now += 10
    reconciler.decide()
    assert (reconciler.runs.get(run.run_id) is None) is is_left
