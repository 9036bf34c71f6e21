"""The supervisor alone: whatever the engine reports and whatever the rows say, no slot leaks and nothing is raised."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any

import pytest
from airflow.executors.base_executor import BaseExecutor
from airflow.models.taskinstancekey import TaskInstanceKey
from airflow.utils.state import TaskInstanceState
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from ecs_async_executor.decisions import Row
from ecs_async_executor.engine.messages import (
    Cancelled,
    Diagnosis,
    Forget,
    Launch,
    Launched,
    LaunchFailed,
    Order,
    Recovery,
    Report,
    Running,
    Stop,
    Stopped,
    Waiting,
    Watch,
)
from ecs_async_executor.launches import Launches
from ecs_async_executor.orders import Orders
from ecs_async_executor.request import RequestTemplate
from ecs_async_executor.retries import Retries
from ecs_async_executor.rounds import CHECK_AFTER
from ecs_async_executor.rows import Look, Show
from ecs_async_executor.runs import Run
from ecs_async_executor.settings import Settings
from ecs_async_executor.supervisor import UNWANTED_GRACE, Supervisor
from ecs_async_executor.workloads import make_orphaned_run, make_run
from tests.support.database import InlineDatabase
from tests.support.workloads import callback_workload, task_workload, token_generator

WHY = Diagnosis("Something happened.")


DATABASE = "ecs_async_executor.database."


class Executor(BaseExecutor):
    """The base class is enough."""


class Clock:
    """Moved by tests only."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def make_supervisor(executor: BaseExecutor, submitted: list[Order], clock: Any = lambda: 0.0) -> Supervisor:
    settings = Settings(
        cluster="c",
        container_name="airflow",
        task_definition="t",
        subnets=("s",),
        max_run_task_attempts=2,
        capacity_timeout=100,
    )
    orders = Orders(
        RequestTemplate(settings),
        token_generator(),
        queued_timeout=600,
        launch_timeout=settings.launch_timeout,
    )
    retries = Retries(settings.max_run_task_attempts, settings.capacity_timeout)
    return Supervisor(executor, Launches(orders, submitted.extend), retries, InlineDatabase(), clock=clock)


def decide(supervisor: Supervisor) -> None:
    """Ask, decide by the answer, and have written what is to be written."""
    for _ in range(3):
        supervisor.decide()


def launched(run: Run, number: int = 1) -> Launched:
    return Launched(run.run_id, number, f"arn-{run.run_id}-{number}", "c", "airflow")


# --- orders ---------------------------------------------------------------------------------------------------


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


def take_in(supervisor: Supervisor, **ti: Any) -> Run:
    run = make_run(supervisor._executor, task_workload(**ti))
    supervisor._executor.running.add(run.key)
    supervisor.take_in(run)
    return run


def test_a_new_engine_is_told_to_launch_what_was_not_launched_and_to_watch_the_rest(
    supervisor: Supervisor,
) -> None:
    waiting, running, ended = (take_in(supervisor, task_id=name) for name in ("a", "b", "c"))
    waiting.number, running.number = 4, 2
    supervisor.note(launched(running, 2))
    supervisor.note(LaunchFailed(ended.run_id, 1, WHY, permanent=False))
    one, two = supervisor.live_orders()
    assert isinstance(one, Launch)
    assert (one.run_id, one.number) == (waiting.run_id, 4)
    assert two == Watch(running.run_id, running.label, f"arn-{running.run_id}-2", "c", "airflow", 2)


def test_a_stop_is_given_again_to_a_new_engine_until_the_task_has_ended(
    supervisor: Supervisor, submitted: list[Order]
) -> None:
    run = take_in(supervisor)
    supervisor.note(launched(run))
    supervisor.drop(run, stop="why")
    stop = Stop(run.run_id, "why")
    assert submitted == [stop]
    assert not supervisor._executor.running
    watch = Watch(run.run_id, run.label, f"arn-{run.run_id}-1", "c", "airflow", 1)
    assert list(supervisor.live_orders()) == [watch, stop]
    supervisor.note(Stopped(run.run_id, 1, watch.arn, 143, ran=True, permanent=False, diagnosis=WHY))
    assert list(supervisor.live_orders()) == []


def test_a_run_that_is_stopped_while_runtask_is_in_flight_is_stopped_by_a_new_engine_too(
    supervisor: Supervisor,
) -> None:
    run = take_in(supervisor)
    supervisor.drop(run, stop="why")
    look, stop = supervisor.live_orders()
    assert isinstance(look, Launch)
    assert look.recovery is Recovery.REPLAY
    assert stop == Stop(run.run_id, "why")
    supervisor.note(launched(run))
    assert [type(order) for order in supervisor.live_orders()] == [Watch, Stop]
    supervisor.note(Cancelled(run.run_id))
    assert list(supervisor.live_orders()) == []


def test_reports_of_strangers_are_nothing_to_it(supervisor: Supervisor) -> None:
    supervisor.note(Cancelled("unknown"))
    supervisor.note(Running("unknown", "arn"))
    decide(supervisor)
    assert "0 in hand" in repr(supervisor)


# --- orphans --------------------------------------------------------------------------------------------------


def orphan(supervisor: Supervisor, external_id: str, state: str = "queued", **ti: Any) -> Run:
    row = task_workload(external_executor_id=external_id, **ti).ti.model_copy(update={"state": state})
    row.__dict__["state"] = state
    run = make_orphaned_run(supervisor._executor, row, "c", "airflow")
    assert run is not None
    return run


ARN = "arn:aws:ecs:us-east-1:123456789012:task/c/0123456789abcdef0123456789abcdef"
RUN_ID = "12345678-1234-4234-8234-123456789012"


def test_an_orphan_with_an_arn_is_watched_and_takes_its_slot(
    supervisor: Supervisor, submitted: list[Order]
) -> None:
    run = orphan(supervisor, ARN)
    supervisor.adopt([run])
    assert submitted == [Watch(run.run_id, run.label, ARN, "c", "airflow", 1, listed=False)]
    assert supervisor._executor.running == {run.key}


def test_adopting_what_is_in_hand_changes_nothing(supervisor: Supervisor, submitted: list[Order]) -> None:
    run = orphan(supervisor, ARN)
    own = take_in(supervisor, task_id="own", external_executor_id=RUN_ID)
    supervisor.note(launched(own))
    supervisor.adopt([run])
    submitted.clear()
    supervisor.adopt([orphan(supervisor, ARN), orphan(supervisor, RUN_ID, task_id="own")])
    assert submitted == []
    assert list(supervisor.runs) == [own, run]


def test_what_another_scheduler_has_launched_again_meanwhile_is_adopted_as_its_row_shows_it(
    supervisor: Supervisor, submitted: list[Order]
) -> None:
    before = take_in(supervisor, external_executor_id=RUN_ID)
    again = orphan(supervisor, f"{RUN_ID}-3", id=before.ti_id)
    supervisor.adopt([again])
    assert submitted == [Forget(RUN_ID)]
    assert list(supervisor.runs) == [again]
    assert supervisor._launches.is_pending(again)
    assert supervisor._executor.running == {again.key}


def test_what_is_said_of_a_launch_that_is_over_changes_nothing(
    supervisor: Supervisor, submitted: list[Order]
) -> None:
    run = take_in(supervisor, external_executor_id=RUN_ID)
    again = orphan(supervisor, f"{RUN_ID}-2", id=run.ti_id)
    supervisor.adopt([again])
    supervisor.note(launched(run, 1))
    supervisor.note(Stopped(RUN_ID, 1, ARN, None, ran=False, permanent=False, diagnosis=WHY))
    supervisor.note(LaunchFailed(RUN_ID, 1, WHY, permanent=True))
    assert (again.launched, again.ended) == (None, None)


def test_an_orphan_is_launched_only_once_its_workload_is_read(
    supervisor: Supervisor, submitted: list[Order], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = orphan(supervisor, f"{RUN_ID}-3")
    supervisor.adopt([run])
    assert submitted == []
    assert list(supervisor.live_orders()) == [], "a new engine is told of it when it is read"
    monkeypatch.setattr(DATABASE + "read_workloads", lambda _: {RUN_ID: task_workload()})
    queued = Row("queued", 1, f"{RUN_ID}-3", None)
    monkeypatch.setattr(DATABASE + "read_rows", lambda _: {RUN_ID: queued})
    decide(supervisor)
    (launch,) = submitted
    assert isinstance(launch, Launch)
    assert (launch.run_id, launch.number, launch.recovery) == (RUN_ID, 3, Recovery.LOOK)
    (again,) = supervisor.live_orders()
    assert isinstance(again, Launch)
    assert again.recovery is Recovery.LOOK


def test_an_orphan_whose_row_is_gone_is_forgotten(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    supervisor.adopt([orphan(supervisor, RUN_ID)])
    monkeypatch.setattr(DATABASE + "read_workloads", lambda _: {})
    monkeypatch.setattr(DATABASE + "read_rows", lambda _: {})
    decide(supervisor)
    assert len(supervisor.runs) == 0
    assert not supervisor._executor.running


def test_an_orphan_that_is_dropped_before_its_workload_is_read_is_looked_for_and_stopped(
    supervisor: Supervisor, submitted: list[Order]
) -> None:
    run = orphan(supervisor, RUN_ID)
    supervisor.adopt([run])
    supervisor.drop(run, stop="revoked")
    look, stop = submitted
    assert isinstance(look, Launch)
    assert look.recovery is Recovery.FIND
    assert stop == Stop(RUN_ID, "revoked")


def test_an_orphan_that_never_ran_is_launched_under_an_id_of_its_own_once_its_row_shows_that(
    watching: Supervisor,
    submitted: list[Order],
    clock: Clock,
    written: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = orphan(watching, ARN)
    shown = [ARN]
    monkeypatch.setattr(
        DATABASE + "read_rows", lambda runs: {r.run_id: Row("queued", 1, shown[0], None) for r in runs}
    )
    monkeypatch.setattr(DATABASE + "read_workloads", lambda runs: {r.run_id: task_workload() for r in runs})
    watching.adopt([run])
    submitted.clear()
    watching.note(Stopped(run.run_id, 1, ARN, None, ran=False, permanent=False, diagnosis=WHY))
    decide(watching)
    for _ in range(3):  # somebody has locked the row
        assert set(written) == {f"{run.run_id}-2"}
        written.clear()
        clock.now += 60.0
        decide(watching)
        assert submitted == []
    assert str(uuid.UUID(run.run_id)) == run.run_id
    shown[0] = f"{run.run_id}-2"
    clock.now += 60.0
    decide(watching)
    (launch,) = submitted
    assert isinstance(launch, Launch)
    assert (launch.run_id, launch.number, launch.recovery) == (run.run_id, 2, Recovery.NONE)
    assert run.ids >= {ARN, shown[0]}, "its row may show either"


@pytest.mark.parametrize("state", ["failed", "success", None])
def test_a_run_whose_row_moves_on_while_it_waits_for_its_next_launch_is_dropped(
    watching: Supervisor,
    submitted: list[Order],
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    state: str | None,
) -> None:
    run = take_in(watching)
    rows_say(monkeypatch, "queued")
    watching.note(LaunchFailed(run.run_id, 1, WHY, permanent=False))
    decide(watching)
    rows_say(monkeypatch, state)
    clock.now += 60.0
    decide(watching)
    assert submitted == []
    assert not watching._executor.running
    assert len(watching.runs) == 0


def test_a_run_that_another_scheduler_has_adopted_is_left_to_it(
    supervisor: Supervisor, submitted: list[Order], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = take_in(supervisor)
    theirs = Row("queued", 1, run.run_id, 99)
    monkeypatch.setattr(DATABASE + "read_rows", lambda runs: {r.run_id: theirs for r in runs})
    supervisor.note(launched(run))
    decide(supervisor)
    assert submitted == [Forget(run.run_id)]
    assert not supervisor._executor.running


# --- rows that move on ----------------------------------------------------------------------------------------


def rows_say(monkeypatch: pytest.MonkeyPatch, state: str | None) -> None:
    monkeypatch.setattr(
        DATABASE + "read_rows", lambda runs: {r.run_id: Row(state, 1, r.run_id, None) for r in runs}
    )


def test_a_run_that_waits_at_the_engine_is_cancelled_some_time_after_its_row_has_moved_on(
    watching: Supervisor, submitted: list[Order], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = take_in(watching)
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
    watching: Supervisor, submitted: list[Order], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = take_in(watching)
    newer = Row("queued", 2, "a newer run id", None)
    monkeypatch.setattr(DATABASE + "read_rows", lambda runs: {r.run_id: newer for r in runs})
    clock.now = CHECK_AFTER
    decide(watching)
    assert [type(order) for order in submitted] == [Stop]
    assert len(watching.runs) == 0
    assert run.key not in watching._executor.running


def test_a_run_whose_task_lives_has_time_to_end_by_itself(
    watching: Supervisor, submitted: list[Order], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = take_in(watching)
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
    watching: Supervisor, submitted: list[Order], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = take_in(watching)
    watching.note(launched(run))
    for state in ("success", "running", "success"):
        rows_say(monkeypatch, state)
        clock.now += UNWANTED_GRACE - 1
        decide(watching)
    assert submitted == []


def test_an_arn_that_the_row_does_not_show_is_written_again(
    watching: Supervisor, clock: Clock, written: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = take_in(watching)
    rows_say(monkeypatch, "running")
    watching.note(launched(run))
    for clock.now in (0.0, CHECK_AFTER):
        decide(watching)
        assert set(written) == {f"arn-{run.run_id}-1"}
        written.clear()
    assert not watching._executor.event_buffer, "core takes milliseconds for each event"


def test_what_could_not_be_written_is_written_a_second_later(
    watching: Supervisor, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[Show] = []

    def locked(shows: Iterable[Show]) -> frozenset[str]:
        tried.extend(shows)
        return frozenset()

    monkeypatch.setattr(DATABASE + "write_external_ids", locked)
    rows_say(monkeypatch, "queued")
    run = take_in(watching)
    watching.note(launched(run))
    for clock.now in (0.0, 0.5, 1.0, 1.5, 2.0):
        decide(watching)
    arn = f"arn-{run.run_id}-1"
    assert tried == [Show(run.run_id, run.ti_id, 1, None, run.run_id, arn)] * 3


def test_a_task_that_airflow_itself_has_ended_is_stopped_and_its_slot_is_free(
    supervisor: Supervisor, submitted: list[Order]
) -> None:
    run = take_in(supervisor)
    supervisor.note(launched(run))
    supervisor.told_from_outside(run.key)
    supervisor.told_from_outside(run.key)
    supervisor.told_from_outside("unknown")
    (stop,) = submitted
    assert isinstance(stop, Stop)
    assert [type(order) for order in supervisor.live_orders()] == [Watch, Stop]


def test_a_task_that_airflow_itself_has_ended_is_told_again_if_core_has_dropped_the_event(
    watching: Supervisor, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = take_in(watching)
    watching.note(launched(run))
    rows_say(monkeypatch, "running")
    watching.told_from_outside(run.key)
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
    watching: Supervisor, submitted: list[Order], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = take_in(watching)
    rows_say(monkeypatch, "queued")
    watching.note(LaunchFailed(run.run_id, 1, WHY, permanent=False))
    decide(watching)
    rows_say(monkeypatch, "running")
    clock.now += 60.0
    decide(watching)
    (look,) = submitted
    assert isinstance(look, Launch)
    assert look.recovery is Recovery.FIND


def test_an_orphan_that_is_marked_before_its_workload_is_read_is_looked_for_and_not_launched(
    supervisor: Supervisor, submitted: list[Order], monkeypatch: pytest.MonkeyPatch
) -> None:
    supervisor.adopt([orphan(supervisor, RUN_ID)])
    rows_say(monkeypatch, "failed")
    monkeypatch.setattr(DATABASE + "read_workloads", lambda _: {})
    decide(supervisor)
    (look,) = submitted
    assert isinstance(look, Launch)
    assert look.recovery is Recovery.FIND


def test_a_row_that_runs_though_its_container_never_did_is_not_failed_but_looked_for(
    watching: Supervisor, submitted: list[Order], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = take_in(watching)
    rows_say(monkeypatch, "running")
    monkeypatch.setattr(DATABASE + "read_workloads", lambda _: {run.run_id: task_workload()})
    watching.note(launched(run))
    watching.note(Stopped(run.run_id, 1, "arn", None, ran=False, permanent=False, diagnosis=WHY))
    decide(watching)
    (look,) = submitted
    assert isinstance(look, Launch)
    assert look.recovery is Recovery.FIND
    assert run in list(watching.runs)
    assert "failed" not in {state for state, _ in watching._executor.event_buffer.values()}


def test_the_other_rows_are_looked_at_however_much_is_reported(
    watching: Supervisor, submitted: list[Order], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_in(watching, task_id="marked")

    def slow(looks: Iterable[Look]) -> dict[str, Row]:
        clock.now += 0.02
        states = {look.run_id: "failed" if ".marked " in look.label else "queued" for look in looks}
        return {run_id: Row(state, 1, run_id, None) for run_id, state in states.items()}

    monkeypatch.setattr(DATABASE + "read_rows", slow)
    for number in range(100):
        clock.now += 2
        watching.note(launched(take_in(watching, task_id=f"new{number}")))
        decide(watching)
    assert [type(order) for order in submitted] == [Stop]


# --- anything at all ------------------------------------------------------------------------------------------

STATES = [
    "queued",
    "running",
    "restarting",
    "success",
    "failed",
    "scheduled",
    "deferred",
    "up_for_retry",
    None,
]


class AnyHistory(RuleBasedStateMachine):
    """Runs come, the engine reports what it likes, rows say what they like, the database fails now and then."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.executor = Executor()
        self.executor.job_id = 1
        self.submitted: list[Order] = []
        self.supervisor = make_supervisor(self.executor, self.submitted, lambda: self.now)
        self.all: list[Run] = []
        self.rows: dict[str, Row] = {}
        self.database_fails = False
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr("ecs_async_executor.database.read_rows", self._read_rows)
        self.patch.setattr("ecs_async_executor.database.read_workloads", self._read_workloads)

    def teardown(self) -> None:
        self.patch.undo()

    def _read_rows(self, runs: Iterable[Look]) -> dict[str, Row]:
        if self.database_fails:
            raise RuntimeError("no database")
        return {run.run_id: self.rows[run.run_id] for run in runs if run.run_id in self.rows}

    def _read_workloads(self, runs: Iterable[Look]) -> dict[str, Any]:
        if self.database_fails:
            raise RuntimeError("no database")
        return {run.run_id: task_workload() for run in runs if run.run_id in self.rows}

    @rule(task=st.sampled_from("ab"), launched=st.booleans(), state=st.sampled_from(["queued", "running"]))
    def adopt(self, task: str, launched: bool, state: str) -> None:
        external_id = f"{ARN[:-2]}{len(self.all):02}" if launched else str(uuid.uuid4())
        run = orphan(self.supervisor, external_id, state, task_id=task)
        self.all.append(run)
        self.rows[run.run_id] = Row(state, 1, external_id, 1)
        self.supervisor.adopt([run, run])

    @rule(task=st.sampled_from("ab"))
    def end_from_outside(self, task: str) -> None:
        runs = self.supervisor.runs
        run = next(
            (run for run in runs if runs.is_current(run) and getattr(run.key, "task_id", "") == task), None
        )
        if run is not None and run.ended is None:
            self.executor.change_state(run.key, TaskInstanceState.FAILED)
            self.supervisor.told_from_outside(run.key)

    @rule(task=st.sampled_from("ab"), fenced=st.booleans())
    def queue_task(self, task: str, fenced: bool) -> None:
        workload = task_workload(task_id=task)
        self._take_in(make_run(self.executor, workload, stale_id=not fenced))

    @rule()
    def queue_callback(self) -> None:
        self._take_in(make_run(self.executor, callback_workload()))

    def _take_in(self, run: Run) -> None:
        self.executor.running.add(run.key)
        self.supervisor.take_in(run)
        self.all.append(run)
        self.rows[run.run_id] = Row("queued", 1, run.run_id, 1)

    @rule(
        data=st.data(),
        stale=st.sampled_from([0, 0, 0, 1]),
        flag=st.booleans(),
        exit_code=st.sampled_from([0, 1, None]),
    )
    def report(self, data: st.DataObject, stale: int, flag: bool, exit_code: int | None) -> None:
        if not self.all:
            return
        run = data.draw(st.sampled_from(self.all))
        run_id, number = run.run_id, run.number - stale
        reports: list[Report] = [
            Waiting(run_id, WHY),
            Launched(run_id, number, f"arn-{run_id}", "c", "airflow"),
            Running(run_id, f"arn-{run_id}"),
            LaunchFailed(run_id, number, WHY, permanent=flag),
            Stopped(run_id, number, f"arn-{run_id}", exit_code, ran=flag, permanent=not flag, diagnosis=WHY),
            Cancelled(run_id),
        ]
        self.supervisor.note(data.draw(st.sampled_from(reports)))

    @rule(data=st.data(), state=st.sampled_from(STATES), mine=st.booleans(), same_try=st.booleans())
    def change_row(self, data: st.DataObject, state: str | None, mine: bool, same_try: bool) -> None:
        if self.all:
            run = data.draw(st.sampled_from(self.all))
            self.rows[run.run_id] = Row(state, 1 if same_try else 2, f"arn-{run.run_id}", 1 if mine else 2)

    @rule(data=st.data())
    def delete_row(self, data: st.DataObject) -> None:
        if self.all:
            self.rows.pop(data.draw(st.sampled_from(self.all)).run_id, None)

    @rule(fails=st.booleans())
    def decide(self, fails: bool) -> None:
        self.database_fails = fails
        before = len(self.supervisor.runs)
        decide(self.supervisor)
        assert not fails or len(self.supervisor.runs) == before
        self.database_fails = False
        self.executor.get_event_buffer()

    @rule(seconds=st.sampled_from([1.0, 6.0, 20.0, 200.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(data=st.data())
    def revoke(self, data: st.DataObject) -> None:
        if self.all:
            run = data.draw(st.sampled_from(self.all))
            if self.supervisor.runs.get(run.run_id) is run:
                self.supervisor.drop(run, stop="revoked")

    @invariant()
    def a_slot_is_taken_by_exactly_the_current_runs_that_airflow_does_not_know_to_have_ended(self) -> None:
        runs = self.supervisor.runs
        holders = {run.key for run in runs if runs.is_current(run) and not run.told}
        assert self.executor.running == holders

    @invariant()
    def every_run_in_hand_is_with_the_engine_or_about_to_be_decided(self) -> None:
        with_engine = {
            order.run_id for order in self.supervisor.live_orders() if isinstance(order, (Launch, Watch))
        }
        for run in self.supervisor.runs:
            pending = self.supervisor._launches.is_pending(run)
            assert [run.run_id in with_engine, run.ended is not None, pending].count(True) == 1
            inquiries = self.supervisor._inquiries
            asked = {asked.run_id for asked, _ in inquiries._asked}
            assert run.run_id in with_engine or run.run_id in asked or run.run_id in inquiries._agenda


TestAnyHistory = AnyHistory.TestCase
TestAnyHistory.settings = settings(settings.get_profile("ci"), max_examples=60, stateful_step_count=30)


def test_keys_are_airflows(supervisor: Supervisor) -> None:
    assert isinstance(take_in(supervisor).key, TaskInstanceKey)


# --- who pays for a start that failed -------------------------------------------------------------------------


def starts_of_a_task_that_never_runs(monkeypatch: pytest.MonkeyPatch, *, capacity: bool) -> tuple[int, float]:
    """How often, and for how long, a task is started that always stops before it runs."""
    clock, submitted = Clock(), list[Order]()
    supervisor = make_supervisor(Executor(), submitted, clock)
    run = take_in(supervisor)
    run.fenced = False
    monkeypatch.setattr(
        DATABASE + "read_rows",
        lambda looks: {look.run_id: Row("queued", 1, run.published, None) for look in looks},
    )
    monkeypatch.setattr(
        DATABASE + "read_workloads", lambda looks: {look.run_id: task_workload() for look in looks}
    )
    starts = 1
    while "failed" not in {state for state, _ in supervisor._executor.event_buffer.values()}:
        clock.now += 30
        run.launched = launched(run, run.number)
        supervisor.note(
            Stopped(
                run.run_id,
                run.number,
                "arn",
                None,
                ran=False,
                permanent=False,
                diagnosis=WHY,
                costs_attempt=not capacity,
            )
        )
        decide(supervisor)
        clock.now += 60
        decide(supervisor)
        starts += bool(submitted)
        submitted.clear()
    return starts, clock.now


def test_a_start_that_fails_costs_an_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    assert starts_of_a_task_that_never_runs(monkeypatch, capacity=False) == (2, 180)


def test_lack_of_capacity_after_the_launch_costs_time_and_no_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    assert starts_of_a_task_that_never_runs(monkeypatch, capacity=True) == (3, 270)


def test_a_permanent_failure_is_not_launched_again(monkeypatch: pytest.MonkeyPatch) -> None:
    queued = Row(state="queued", try_number=1, external_executor_id=None, queued_by_job_id=None)
    monkeypatch.setattr(
        "ecs_async_executor.database.read_rows",
        lambda runs: dict.fromkeys((r.run_id for r in runs), queued),
    )
    submitted: list[Order] = []
    supervisor = make_supervisor(Executor(), submitted)
    run = take_in(supervisor)
    run.fenced = False
    supervisor.note(LaunchFailed(run.run_id, 1, WHY, permanent=True))
    decide(supervisor)
    assert submitted == []
    assert supervisor._executor.event_buffer == {run.key: ("failed", str(WHY))}
