"""Rows that move on, and what the supervisor does about it."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from ecs_async_executor.executor.decisions import Row
from ecs_async_executor.executor.reconciler import UNWANTED_GRACE, Reconciler
from ecs_async_executor.executor.rows.schedule import CHECK_AFTER
from ecs_async_executor.executor.rows.statements import Publication, Read
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
    rows_say,
)
from tests.support.workloads import task_workload


def test_a_run_that_waits_at_the_engine_is_cancelled_some_time_after_its_row_has_moved_on(
    watching: Reconciler, submitted: list[Order], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = accept(watching)
    rows_say(monkeypatch, "failed")
    clock.now = CHECK_AFTER
    decide(watching)
    assert submitted == [], "the answer to its launch may be lost, and its worker about to end"
    clock.now += UNWANTED_GRACE + CHECK_AFTER
    decide(watching)
    (stop,) = submitted
    assert isinstance(stop, Stop)
    assert [type(order) for order in watching.live_orders()] == [Launch, Stop]
    watching.note(Cancelled(run.run_id))
    decide(watching)
    assert len(watching.runs) == 0
    assert not watching._executor.running
    assert not watching._executor.event_buffer, "Airflow knows"


def test_a_run_that_waits_at_the_engine_is_stopped_at_once_if_its_row_is_that_of_a_newer_one(
    watching: Reconciler, submitted: list[Order], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = accept(watching)
    newer = Row("queued", 2, "a newer run id", None)
    monkeypatch.setattr(DATABASE + "read_rows", lambda runs: {r.run_id: newer for r in runs})
    clock.now = CHECK_AFTER
    decide(watching)
    assert [type(order) for order in submitted] == [Stop]
    assert len(watching.runs) == 0
    assert run.key not in watching._executor.running


def test_a_run_whose_task_lives_has_time_to_end_by_itself(
    watching: Reconciler, submitted: list[Order], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = accept(watching)
    watching.note(launched(run))
    rows_say(monkeypatch, "running")
    decide(watching)
    rows_say(monkeypatch, "success")
    for clock.now in (CHECK_AFTER, 2 * CHECK_AFTER, UNWANTED_GRACE):
        decide(watching)
    assert submitted == []
    clock.now = CHECK_AFTER + UNWANTED_GRACE + CHECK_AFTER
    decide(watching)
    assert [type(order) for order in submitted] == [Stop]
    clock.now += CHECK_AFTER
    decide(watching)
    assert len(submitted) == 1
    assert run in list(watching.runs), "its end is awaited"


def test_a_row_that_is_wanted_again_gives_its_task_all_the_time_again(
    watching: Reconciler, submitted: list[Order], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = accept(watching)
    watching.note(launched(run))
    for state in ("success", "running", "success"):
        rows_say(monkeypatch, state)
        clock.now += UNWANTED_GRACE - 1
        decide(watching)
    assert submitted == []


def test_an_arn_that_the_row_does_not_show_is_written_again(
    watching: Reconciler, clock: Clock, written: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = accept(watching)
    rows_say(monkeypatch, "running")
    watching.note(launched(run))
    for clock.now in (0.0, CHECK_AFTER, 2 * CHECK_AFTER):
        decide(watching)
        assert set(written) == {f"arn-{run.run_id}-1"}
        written.clear()
    assert not watching._executor.event_buffer, "core takes milliseconds for each event"


def test_what_could_not_be_written_is_written_a_second_later(
    watching: Reconciler, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[Publication] = []

    def locked(publications: Iterable[Publication]) -> frozenset[str]:
        tried.extend(publications)
        return frozenset()

    monkeypatch.setattr(DATABASE + "write_external_ids", locked)
    rows_say(monkeypatch, "queued")
    run = accept(watching)
    watching.note(launched(run))
    for clock.now in (0.0, 0.5, 1.0, 1.5, 2.0):
        decide(watching)
    arn = f"arn-{run.run_id}-1"
    assert tried == [Publication(run.run_id, run.ti_id, 1, None, run.run_id, arn)] * 3


def test_a_task_that_airflow_itself_has_ended_is_stopped_and_its_slot_is_free(
    supervisor: Reconciler, submitted: list[Order]
) -> None:
    run = accept(supervisor)
    supervisor.note(launched(run))
    supervisor.ended_by_airflow(run.key)
    supervisor.ended_by_airflow(run.key)
    supervisor.ended_by_airflow("unknown")
    (stop,) = submitted
    assert isinstance(stop, Stop)
    assert [type(order) for order in supervisor.live_orders()] == [Watch, Stop]


def test_a_task_that_airflow_itself_has_ended_is_told_again_if_core_has_dropped_the_event(
    watching: Reconciler, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = accept(watching)
    watching.note(launched(run))
    rows_say(monkeypatch, "running")
    watching.ended_by_airflow(run.key)
    watching.note(
        Stopped(run.run_id, 1, f"arn-{run.run_id}-1", 137, ran=True, permanent=False, diagnosis=WHY)
    )
    for clock.now in (0.0, 10.0):
        decide(watching)
        assert watching._executor.get_event_buffer()[run.key][0] == "failed"
    rows_say(monkeypatch, "up_for_retry")
    clock.now = 20.0
    decide(watching)
    assert len(watching.runs) == 0


def test_a_row_that_runs_after_all_is_looked_for_and_not_launched_again(
    watching: Reconciler, submitted: list[Order], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = accept(watching)
    rows_say(monkeypatch, "queued")
    watching.note(LaunchFailed(run.run_id, 1, WHY, permanent=False))
    decide(watching)
    rows_say(monkeypatch, "running")
    clock.now += 60.0
    decide(watching)
    (read,) = submitted
    assert isinstance(read, Launch)
    assert read.recovery is Recovery.FIND


def test_an_orphan_that_is_marked_before_its_workload_is_read_is_looked_for_and_not_launched(
    supervisor: Reconciler, submitted: list[Order], monkeypatch: pytest.MonkeyPatch
) -> None:
    supervisor.adopt([orphan(supervisor, RUN_ID)])
    rows_say(monkeypatch, "failed")
    monkeypatch.setattr(DATABASE + "read_workloads", lambda _: {})
    decide(supervisor)
    (read,) = submitted
    assert isinstance(read, Launch)
    assert read.recovery is Recovery.FIND


def test_a_row_that_runs_though_its_container_never_did_is_not_failed_but_looked_for(
    watching: Reconciler, submitted: list[Order], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = accept(watching)
    rows_say(monkeypatch, "running")
    monkeypatch.setattr(DATABASE + "read_workloads", lambda _: {run.run_id: task_workload()})
    watching.note(launched(run))
    watching.note(Stopped(run.run_id, 1, "arn", None, ran=False, permanent=False, diagnosis=WHY))
    decide(watching)
    (read,) = submitted
    assert isinstance(read, Launch)
    assert read.recovery is Recovery.FIND
    assert run in list(watching.runs)
    assert "failed" not in {state for state, _ in watching._executor.event_buffer.values()}


def test_the_other_rows_are_looked_at_however_much_is_reported(
    watching: Reconciler, submitted: list[Order], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    accept(watching, task_id="marked")

    def slow(reads: Iterable[Read]) -> dict[str, Row]:
        clock.now += 0.02
        states = {read.run_id: "failed" if ".marked " in read.label else "queued" for read in reads}
        return {run_id: Row(state, 1, run_id, None) for run_id, state in states.items()}

    monkeypatch.setattr(DATABASE + "read_rows", slow)
    for number in range(100):
        clock.now += 2
        watching.note(launched(accept(watching, task_id=f"new{number}")))
        decide(watching)
    assert [type(order) for order in submitted] == [Stop]


def test_a_run_that_a_newer_one_supersedes_is_looked_at_at_once(
    watching: Reconciler, submitted: list[Order], monkeypatch: pytest.MonkeyPatch
) -> None:
    old = accept(watching)
    watching.note(launched(old))
    new = accept(watching)
    assert old.key == new.key
    monkeypatch.setattr(
        DATABASE + "read_rows",
        lambda reads: {read.run_id: Row("queued", 1, new.run_id, None) for read in reads},
    )
    decide(watching)
    assert old.unwanted_since == 0.0, "it has time to end by itself"
    assert submitted == []
    assert watching._executor.running == {new.key}


def test_the_arn_of_a_later_launch_replaces_its_number(
    watching: Reconciler, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = accept(watching)
    run.number = 2
    publications: list[Publication] = []

    def write(asked: Iterable[Publication]) -> frozenset[str]:
        publications.extend(asked)
        return frozenset()

    monkeypatch.setattr(DATABASE + "write_external_ids", write)
    watching.note(launched(run, 2))
    decide(watching)
    assert [(publish.instead_of, publish.external_id) for publish in publications] == [
        (f"{run.run_id}-2", f"arn-{run.run_id}-2")
    ]


@pytest.mark.parametrize(("heartbeat_age", "is_left"), [(2.0, False), (-1.0, True)], ids=["own", "another's"])
def test_a_heartbeat_is_compared_with_the_end_as_of_when_its_row_was_asked_for(
    watching: Reconciler,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    heartbeat_age: float,
    is_left: bool,
) -> None:
    """A scheduler that is busy decides seconds later. The dead worker's last heartbeat is no older than that."""
    run = accept(watching)
    rows = {run.run_id: Row("running", 1, run.run_id, None, heartbeat_age)}
    monkeypatch.setattr(
        DATABASE + "read_rows", lambda reads: {read.run_id: rows[run.run_id] for read in reads}
    )
    watching.note(Stopped(run.run_id, 1, "arn", 1, ran=True, permanent=False, diagnosis=WHY))
    watching.decide()
    clock.now += 10
    watching.decide()
    assert (watching.runs.get(run.run_id) is None) is is_left
