"""The reconciler's runs: accepted, adopted, and ordered again from a new engine."""

from __future__ import annotations

import uuid
from dataclasses import replace

import pytest
from airflow.models.taskinstancekey import TaskInstanceKey

from ecs_async_executor.executor.decisions import Row
from ecs_async_executor.executor.reconciler import Reconciler
from ecs_async_executor.executor.rows.reader import READ_AGAIN_AFTER
from ecs_async_executor.executor.run_state import RunState
from ecs_async_executor.executor.runs import Run
from ecs_async_executor.launch_id import LaunchId
from ecs_async_executor.messages import (
    Cancelled,
    Forget,
    Launch,
    LaunchFailed,
    Order,
    Recovery,
    Room,
    Running,
    Stop,
    Stopped,
    Watch,
)
from tests.support.database import nothing_written
from tests.support.reconciler import (
    ARN,
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

ROOM = Room("c", (), '{"subnets": ["s"], "taskDefinition": "t"}')
"""What the default profile's tasks need."""


def test_a_new_engine_launches_runs_that_were_not_launched_and_watches_the_rest(
    reconciler: Reconciler,
) -> None:
    waiting, running, ended = (accept(reconciler, task_id=name) for name in ("a", "b", "c"))
    waiting.number, running.number = 4, 2
    reconciler.note(launched(running, 2))
    reconciler.note(LaunchFailed(ended.run_id, 1, WHY, permanent=False))
    one, two = reconciler.live_orders()
    assert isinstance(one, Launch)
    assert (one.run_id, one.number) == (waiting.run_id, 4)
    assert two == Watch(
        running.run_id,
        running.label,
        f"arn-{running.run_id}-2",
        "c",
        "airflow",
        2,
        launch_timeout=1800,
        queue="default",
        room=ROOM,
    )


def test_a_new_engine_gets_a_stop_again_until_the_task_has_ended(
    reconciler: Reconciler, submitted: list[Order]
) -> None:
    run = accept(reconciler)
    reconciler.note(launched(run))
    reconciler.drop(run, "why", stop=True)
    stop = Stop(run.run_id, "why")
    assert submitted == [stop]
    assert not reconciler._executor.running
    watch = Watch(
        run.run_id,
        run.label,
        f"arn-{run.run_id}-1",
        "c",
        "airflow",
        1,
        launch_timeout=1800,
        queue="default",
        room=ROOM,
    )
    assert list(reconciler.live_orders()) == [watch, stop]
    reconciler.note(Stopped(run.run_id, 1, watch.arn, 143, ran=True, permanent=False, diagnosis=WHY))
    assert list(reconciler.live_orders()) == []


def test_a_new_engine_stops_a_run_whose_runtask_was_in_flight_when_it_was_dropped(
    reconciler: Reconciler,
) -> None:
    run = accept(reconciler)
    reconciler.drop(run, "why", stop=True)
    launch, stop = reconciler.live_orders()
    assert isinstance(launch, Launch)
    assert launch.recovery is Recovery.REPLAY
    assert stop == Stop(run.run_id, "why")
    reconciler.note(launched(run))
    assert [type(order) for order in reconciler.live_orders()] == [Watch, Stop]
    reconciler.note(Cancelled(run.run_id))
    assert list(reconciler.live_orders()) == []


def test_a_new_engine_does_not_stop_a_run_that_was_dropped_and_then_adopted_again(
    reconciler: Reconciler,
) -> None:
    run = accept(reconciler)
    reconciler.note(launched(run))
    reconciler.drop(run, "why", stop=True)
    again = replace(run, state=RunState.PENDING)
    reconciler.adopt([again])
    assert [type(order) for order in reconciler.live_orders()] == [Watch]
    assert reconciler.knows(run.run_id)
    reconciler.drop(again, "why")
    assert not reconciler.knows(run.run_id)


def test_reports_about_unknown_runs_are_ignored(reconciler: Reconciler) -> None:
    reconciler.note(Cancelled("unknown"))
    reconciler.note(Running("unknown", "arn"))
    decide(reconciler)
    assert "<Runs: none; 0 current>" in repr(reconciler)


def test_keys_are_airflows_own(reconciler: Reconciler) -> None:
    assert isinstance(accept(reconciler).key, TaskInstanceKey)


# --- orphans ------------------------------------------------------------------------------------------------


def test_an_orphan_with_an_arn_is_watched_and_takes_a_slot(
    reconciler: Reconciler, submitted: list[Order]
) -> None:
    run = orphan(reconciler, ARN)
    reconciler.adopt([run])
    assert submitted == [
        Watch(
            run.run_id,
            run.label,
            ARN,
            "c",
            "airflow",
            1,
            listed=False,
            launch_timeout=1800,
            queue="default",
            room=ROOM,
        )
    ]
    assert reconciler._executor.running == {run.key}


def test_adopting_a_run_that_the_executor_has_changes_nothing(
    reconciler: Reconciler, submitted: list[Order]
) -> None:
    run = orphan(reconciler, ARN)
    own = accept(reconciler, task_id="own", external_executor_id=RUN_ID)
    reconciler.note(launched(own))
    reconciler.adopt([run])
    submitted.clear()
    reconciler.adopt([orphan(reconciler, ARN), orphan(reconciler, RUN_ID, task_id="own")])
    assert submitted == []
    assert list(reconciler.runs) == [own, run]


def test_a_run_that_another_scheduler_relaunched_is_adopted_as_its_row_shows_it(
    reconciler: Reconciler, submitted: list[Order]
) -> None:
    before = accept(reconciler, external_executor_id=RUN_ID)
    again = orphan(reconciler, str(LaunchId(RUN_ID, 3)), id=before.ti_id)
    reconciler.adopt([again])
    assert submitted == [Forget(RUN_ID)]
    assert list(reconciler.runs) == [again]
    assert again.state is RunState.PENDING
    assert reconciler._executor.running == {again.key}


def test_reports_about_an_earlier_launch_change_nothing(
    reconciler: Reconciler, submitted: list[Order]
) -> None:
    run = accept(reconciler, external_executor_id=RUN_ID)
    again = orphan(reconciler, str(LaunchId(RUN_ID, 2)), id=run.ti_id)
    reconciler.adopt([again])
    reconciler.note(launched(run, 1))
    reconciler.note(Stopped(RUN_ID, 1, ARN, None, ran=False, permanent=False, diagnosis=WHY))
    reconciler.note(LaunchFailed(RUN_ID, 1, WHY, permanent=True))
    assert (again.launched, again.ended) == (None, None)


def test_an_orphan_is_launched_only_after_its_workload_is_read(
    reconciler: Reconciler, submitted: list[Order], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = orphan(reconciler, str(LaunchId(RUN_ID, 3)))
    reconciler.adopt([run])
    assert submitted == []
    assert list(reconciler.live_orders()) == [], "a new engine gets it once its workload is read"
    monkeypatch.setattr(DATABASE + "read_workloads", lambda *_: {RUN_ID: task_workload()})
    queued = Row("queued", 1, str(LaunchId(RUN_ID, 3)), None)
    monkeypatch.setattr(DATABASE + "read_rows", lambda _: {RUN_ID: queued})
    decide(reconciler)
    (launch,) = submitted
    assert isinstance(launch, Launch)
    assert (launch.run_id, launch.number, launch.recovery) == (RUN_ID, 3, Recovery.SEARCH)
    (again,) = reconciler.live_orders()
    assert isinstance(again, Launch)
    assert again.recovery is Recovery.SEARCH


def test_an_orphan_whose_row_is_gone_is_forgotten(
    reconciler: Reconciler, monkeypatch: pytest.MonkeyPatch
) -> None:
    reconciler.adopt([orphan(reconciler, RUN_ID)])
    monkeypatch.setattr(DATABASE + "read_workloads", lambda *_: {})
    monkeypatch.setattr(DATABASE + "read_rows", lambda _: {})
    decide(reconciler)
    assert len(reconciler.runs) == 0
    assert not reconciler._executor.running


def test_an_orphan_dropped_before_its_workload_is_read_is_searched_for_and_stopped(
    reconciler: Reconciler, submitted: list[Order]
) -> None:
    run = orphan(reconciler, RUN_ID)
    reconciler.adopt([run])
    reconciler.drop(run, "revoked", stop=True)
    launch, stop = submitted
    assert isinstance(launch, Launch)
    assert launch.recovery is Recovery.SEARCH_ONLY
    assert stop == Stop(RUN_ID, "revoked")


def test_an_orphan_that_never_ran_is_launched_under_a_new_id_once_its_row_shows_it(
    reconciler: Reconciler,
    submitted: list[Order],
    clock: Clock,
    written: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = orphan(reconciler, ARN)
    external_ids = [ARN]
    monkeypatch.setattr(
        DATABASE + "read_rows",
        lambda runs: {r.run_id: Row("queued", 1, external_ids[0], None) for r in runs},
    )
    monkeypatch.setattr(
        DATABASE + "read_workloads", lambda runs, _: {r.run_id: task_workload() for r in runs}
    )
    reconciler.adopt([run])
    submitted.clear()
    reconciler.note(Stopped(run.run_id, 1, ARN, None, ran=False, permanent=False, diagnosis=WHY))
    decide(reconciler)
    for _ in range(3):  # someone has locked the row
        assert set(written) == {str(LaunchId(run.run_id, 2))}
        written.clear()
        clock.now += 60.0
        decide(reconciler)
        assert submitted == []
    assert str(uuid.UUID(run.run_id)) == run.run_id
    external_ids[0] = str(LaunchId(run.run_id, 2))
    clock.now += 60.0
    decide(reconciler)
    (launch,) = submitted
    assert isinstance(launch, Launch)
    assert (launch.run_id, launch.number, launch.recovery) == (run.run_id, 2, Recovery.NONE)
    assert run.ids >= {ARN, external_ids[0]}, "its row may show either"


@pytest.mark.parametrize("state", ["failed", "success", None])
def test_a_run_is_dropped_if_its_row_moves_on_before_its_next_launch(
    reconciler: Reconciler,
    submitted: list[Order],
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    state: str | None,
) -> None:
    run = accept(reconciler)
    rows_show(monkeypatch, "queued")
    reconciler.note(LaunchFailed(run.run_id, 1, WHY, permanent=False))
    decide(reconciler)
    rows_show(monkeypatch, state)
    clock.now += 60.0
    decide(reconciler)
    assert submitted == []
    assert not reconciler._executor.running
    assert len(reconciler.runs) == 0


def test_a_run_that_another_scheduler_has_adopted_is_left_alone(
    reconciler: Reconciler, clock: Clock, submitted: list[Order], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = accept(reconciler)
    theirs = Row("queued", 1, run.run_id, 99)
    monkeypatch.setattr(DATABASE + "read_rows", lambda runs: {r.run_id: theirs for r in runs})
    reconciler.note(launched(run))
    with nothing_written() as tried:
        for clock.now in (0.0, READ_AGAIN_AFTER):
            decide(reconciler)
    assert [each.instead_of for each in tried] == [run.run_id]
    assert submitted == [Forget(run.run_id)]
    assert not reconciler._executor.running


class TestAdoptedAgain:
    """A run is adopted again while the engine still works on it, from before another scheduler had it."""

    @pytest.fixture
    def run(self, reconciler: Reconciler, submitted: list[Order]) -> Run:
        run = orphan(reconciler, RUN_ID)
        reconciler.adopt([run])
        assert submitted == []
        return run

    def test_its_task_is_watched_though_the_engine_may_be_about_to_forget_it(
        self, reconciler: Reconciler, submitted: list[Order], run: Run, monkeypatch: pytest.MonkeyPatch
    ):
        reconciler.note(launched(run))
        (watch,) = submitted
        assert isinstance(watch, Watch)
        assert (watch.run_id, watch.arn) == (RUN_ID, f"arn-{RUN_ID}-1")
        rows_show(monkeypatch, "running")
        decide(reconciler)
        assert submitted == [watch]

    @pytest.mark.usefixtures("run")
    def test_its_end_is_decided_about_by_its_row(
        self, reconciler: Reconciler, submitted: list[Order], monkeypatch: pytest.MonkeyPatch
    ):
        reconciler.note(Stopped(RUN_ID, 1, "arn", 0, ran=True, permanent=False, diagnosis=WHY))
        rows_show(monkeypatch, "success")
        decide(reconciler)
        assert submitted == []
        assert not reconciler._executor.running
