"""The supervisor's runs: taken in, adopted, ordered again, and launched again as long as that can help."""

from __future__ import annotations

import uuid

import pytest
from airflow.models.taskinstancekey import TaskInstanceKey

from ecs_async_executor.config.profiles import make_profiles
from ecs_async_executor.executor.airflow_compat import make_run
from ecs_async_executor.executor.decisions import Row
from ecs_async_executor.executor.reconciler import Reconciler
from ecs_async_executor.executor.rows.poller import READ_AGAIN_AFTER
from ecs_async_executor.messages import (
    Cancelled,
    Forget,
    Launch,
    LaunchFailed,
    Order,
    Recovery,
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
    SETTINGS,
    WHY,
    Clock,
    Executor,
    accept,
    decide,
    launched,
    make_supervisor,
    orphan,
    rows_say,
)
from tests.support.workloads import callback_workload, task_workload


def test_a_new_engine_is_told_to_launch_what_was_not_launched_and_to_watch_the_rest(
    supervisor: Reconciler,
) -> None:
    waiting, running, ended = (accept(supervisor, task_id=name) for name in ("a", "b", "c"))
    waiting.number, running.number = 4, 2
    supervisor.note(launched(running, 2))
    supervisor.note(LaunchFailed(ended.run_id, 1, WHY, permanent=False))
    one, two = supervisor.live_orders()
    assert isinstance(one, Launch)
    assert (one.run_id, one.number) == (waiting.run_id, 4)
    assert two == Watch(
        running.run_id, running.label, f"arn-{running.run_id}-2", "c", "airflow", 2, launch_timeout=1800
    )


def test_a_stop_is_given_again_to_a_new_engine_until_the_task_has_ended(
    supervisor: Reconciler, submitted: list[Order]
) -> None:
    run = accept(supervisor)
    supervisor.note(launched(run))
    supervisor.drop(run, stop="why")
    stop = Stop(run.run_id, "why")
    assert submitted == [stop]
    assert not supervisor._executor.running
    watch = Watch(run.run_id, run.label, f"arn-{run.run_id}-1", "c", "airflow", 1, launch_timeout=1800)
    assert list(supervisor.live_orders()) == [watch, stop]
    supervisor.note(Stopped(run.run_id, 1, watch.arn, 143, ran=True, permanent=False, diagnosis=WHY))
    assert list(supervisor.live_orders()) == []


def test_a_run_that_is_stopped_while_runtask_is_in_flight_is_stopped_by_a_new_engine_too(
    supervisor: Reconciler,
) -> None:
    run = accept(supervisor)
    supervisor.drop(run, stop="why")
    read, stop = supervisor.live_orders()
    assert isinstance(read, Launch)
    assert read.recovery is Recovery.REPLAY
    assert stop == Stop(run.run_id, "why")
    supervisor.note(launched(run))
    assert [type(order) for order in supervisor.live_orders()] == [Watch, Stop]
    supervisor.note(Cancelled(run.run_id))
    assert list(supervisor.live_orders()) == []


def test_reports_of_strangers_are_nothing_to_it(supervisor: Reconciler) -> None:
    supervisor.note(Cancelled("unknown"))
    supervisor.note(Running("unknown", "arn"))
    decide(supervisor)
    assert "0 in hand" in repr(supervisor)


def test_keys_are_airflows(supervisor: Reconciler) -> None:
    assert isinstance(accept(supervisor).key, TaskInstanceKey)


# --- orphans --------------------------------------------------------------------------------------------------


def test_an_orphan_with_an_arn_is_watched_and_takes_its_slot(
    supervisor: Reconciler, submitted: list[Order]
) -> None:
    run = orphan(supervisor, ARN)
    supervisor.adopt([run])
    assert submitted == [
        Watch(run.run_id, run.label, ARN, "c", "airflow", 1, listed=False, launch_timeout=1800)
    ]
    assert supervisor._executor.running == {run.key}


def test_adopting_what_is_in_hand_changes_nothing(supervisor: Reconciler, submitted: list[Order]) -> None:
    run = orphan(supervisor, ARN)
    own = accept(supervisor, task_id="own", external_executor_id=RUN_ID)
    supervisor.note(launched(own))
    supervisor.adopt([run])
    submitted.clear()
    supervisor.adopt([orphan(supervisor, ARN), orphan(supervisor, RUN_ID, task_id="own")])
    assert submitted == []
    assert list(supervisor.runs) == [own, run]


def test_what_another_scheduler_has_launched_again_meanwhile_is_adopted_as_its_row_shows_it(
    supervisor: Reconciler, submitted: list[Order]
) -> None:
    before = accept(supervisor, external_executor_id=RUN_ID)
    again = orphan(supervisor, f"{RUN_ID}-3", id=before.ti_id)
    supervisor.adopt([again])
    assert submitted == [Forget(RUN_ID)]
    assert list(supervisor.runs) == [again]
    assert supervisor._dispatcher.is_pending(again)
    assert supervisor._executor.running == {again.key}


def test_what_is_said_of_a_launch_that_is_over_changes_nothing(
    supervisor: Reconciler, submitted: list[Order]
) -> None:
    run = accept(supervisor, external_executor_id=RUN_ID)
    again = orphan(supervisor, f"{RUN_ID}-2", id=run.ti_id)
    supervisor.adopt([again])
    supervisor.note(launched(run, 1))
    supervisor.note(Stopped(RUN_ID, 1, ARN, None, ran=False, permanent=False, diagnosis=WHY))
    supervisor.note(LaunchFailed(RUN_ID, 1, WHY, permanent=True))
    assert (again.launched, again.ended) == (None, None)


def test_an_orphan_is_launched_only_once_its_workload_is_read(
    supervisor: Reconciler, submitted: list[Order], monkeypatch: pytest.MonkeyPatch
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
    supervisor: Reconciler, monkeypatch: pytest.MonkeyPatch
) -> None:
    supervisor.adopt([orphan(supervisor, RUN_ID)])
    monkeypatch.setattr(DATABASE + "read_workloads", lambda _: {})
    monkeypatch.setattr(DATABASE + "read_rows", lambda _: {})
    decide(supervisor)
    assert len(supervisor.runs) == 0
    assert not supervisor._executor.running


def test_an_orphan_that_is_dropped_before_its_workload_is_read_is_looked_for_and_stopped(
    supervisor: Reconciler, submitted: list[Order]
) -> None:
    run = orphan(supervisor, RUN_ID)
    supervisor.adopt([run])
    supervisor.drop(run, stop="revoked")
    read, stop = submitted
    assert isinstance(read, Launch)
    assert read.recovery is Recovery.FIND
    assert stop == Stop(RUN_ID, "revoked")


def test_an_orphan_that_never_ran_is_launched_under_an_id_of_its_own_once_its_row_shows_that(
    watching: Reconciler,
    submitted: list[Order],
    clock: Clock,
    written: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = orphan(watching, ARN)
    published_ids = [ARN]
    monkeypatch.setattr(
        DATABASE + "read_rows",
        lambda runs: {r.run_id: Row("queued", 1, published_ids[0], None) for r in runs},
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
    published_ids[0] = f"{run.run_id}-2"
    clock.now += 60.0
    decide(watching)
    (launch,) = submitted
    assert isinstance(launch, Launch)
    assert (launch.run_id, launch.number, launch.recovery) == (run.run_id, 2, Recovery.NONE)
    assert run.ids >= {ARN, published_ids[0]}, "its row may show either"


@pytest.mark.parametrize("state", ["failed", "success", None])
def test_a_run_whose_row_moves_on_while_it_waits_for_its_next_launch_is_dropped(
    watching: Reconciler,
    submitted: list[Order],
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    state: str | None,
) -> None:
    run = accept(watching)
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
    watching: Reconciler, clock: Clock, submitted: list[Order], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = accept(watching)
    theirs = Row("queued", 1, run.run_id, 99)
    monkeypatch.setattr(DATABASE + "read_rows", lambda runs: {r.run_id: theirs for r in runs})
    watching.note(launched(run))
    with nothing_written() as tried:
        for clock.now in (0.0, READ_AGAIN_AFTER):
            decide(watching)
    assert [publish.instead_of for publish in tried] == [run.run_id]
    assert submitted == [Forget(run.run_id)]
    assert not watching._executor.running


# --- who pays for a start that failed -------------------------------------------------------------------------


def starts_of_a_task_that_never_runs(monkeypatch: pytest.MonkeyPatch, *, capacity: bool) -> tuple[int, float]:
    """How often, and for how long, a task is started that always stops before it runs."""
    clock, submitted = Clock(), list[Order]()
    supervisor = make_supervisor(Executor(), submitted, clock)
    run = accept(supervisor)
    run.id_committed = False
    monkeypatch.setattr(
        DATABASE + "read_rows",
        lambda reads: {read.run_id: Row("queued", 1, run.published, None) for read in reads},
    )
    monkeypatch.setattr(
        DATABASE + "read_workloads", lambda reads: {read.run_id: task_workload() for read in reads}
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


def test_the_waiting_for_capacity_begins_anew_when_there_was_some_meanwhile(
    clock: Clock, submitted: list[Order]
) -> None:
    supervisor = make_supervisor(Executor(), submitted, clock)
    run = accept(supervisor)
    since = []
    for costs_attempt in (False, False, True, False):
        clock.now += 100
        supervisor.note(LaunchFailed(run.run_id, 1, WHY, permanent=False, costs_attempt=costs_attempt))
        since.append(run.waits_since and clock.now - run.waits_since)
    assert since == [0, 100, None, 0]


def test_a_permanent_failure_is_not_launched_again(monkeypatch: pytest.MonkeyPatch) -> None:
    queued = Row(state="queued", try_number=1, external_executor_id=None, queued_by_job_id=None)
    monkeypatch.setattr(
        "ecs_async_executor.executor.rows.thread.read_rows",
        lambda runs: dict.fromkeys((r.run_id for r in runs), queued),
    )
    submitted: list[Order] = []
    supervisor = make_supervisor(Executor(), submitted)
    run = accept(supervisor)
    run.id_committed = False
    supervisor.note(LaunchFailed(run.run_id, 1, WHY, permanent=True))
    decide(supervisor)
    assert submitted == []
    assert supervisor._executor.event_buffer == {run.key: ("failed", str(WHY))}


# --- queue profiles -------------------------------------------------------------------------------------------

QUEUES = {
    "spot": {"fallback": "on-demand", "fallback_after": 1, "capacity_timeout": 60},
    "on-demand": {"taskDefinition": "on-demand"},
}


def definition_of(order: Order) -> str:
    assert isinstance(order, Launch)
    return str(order.build().body["taskDefinition"])


@pytest.fixture
def with_queues(submitted: list[Order], clock: Clock) -> Reconciler:
    profiles = make_profiles(SETTINGS.model_copy(update={"queues": QUEUES}))
    return make_supervisor(Executor(), submitted, clock, profiles=profiles)


def test_a_task_that_found_no_capacity_is_launched_by_the_fallback(
    with_queues: Reconciler, submitted: list[Order], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = accept(with_queues, queue="spot")
    monkeypatch.setattr(DATABASE + "read_rows", lambda _: {run.run_id: Row("queued", 1, run.published, None)})
    for _ in range(2):
        with_queues.note(LaunchFailed(run.run_id, run.number, WHY, permanent=False, costs_attempt=False))
        decide(with_queues)
        clock.now += 300.0  # the longest time until the next launch
        decide(with_queues)
    assert [definition_of(order) for order in submitted] == ["t", "on-demand"]
    assert [log.event for log in with_queues._executor._task_event_logs].count("ecs fallback") == 1


def test_the_next_try_of_a_task_that_was_interrupted_is_launched_by_the_fallback(
    with_queues: Reconciler, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = accept(with_queues, queue="spot")
    with_queues.note(launched(run))
    end = Stopped(run.run_id, 1, "arn", 143, ran=True, permanent=False, diagnosis=WHY, interrupted=True)
    rows_say(monkeypatch, "up_for_retry")
    with_queues.note(end)
    decide(with_queues)
    assert len(with_queues.runs) == 0
    again = make_run(with_queues._executor, task_workload(queue="spot", try_number=2))
    assert definition_of(with_queues.accept(again)) == "on-demand"
    (event,) = with_queues._executor._task_event_logs
    assert event.extra == "Interrupted 1 time: the queue spot falls back to on-demand."


@pytest.mark.parametrize(("exit_code", "launches", "said"), [(0, 1, "entry point"), (1, 2, "jwt_secret")])
def test_a_queued_row_says_that_airflow_never_started_in_a_container_that_ended(
    supervisor: Reconciler,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    exit_code: int,
    launches: int,
    said: str,
) -> None:
    run = accept(supervisor)
    monkeypatch.setattr(
        DATABASE + "read_rows",
        lambda reads: {read.run_id: Row("queued", 1, run.published, None) for read in reads},
    )
    monkeypatch.setattr(
        DATABASE + "read_workloads", lambda reads: {read.run_id: task_workload() for read in reads}
    )
    for number in range(1, launches + 1):
        supervisor.note(launched(run, number))
        end = Stopped(
            run.run_id, number, "arn", exit_code, ran=True, permanent=False, diagnosis=WHY, unexplained=True
        )
        supervisor.note(end)
        decide(supervisor)
        clock.now += 60
        decide(supervisor)
    assert {state for state, _ in supervisor._executor.event_buffer.values()} == {"failed"}
    events = supervisor._executor._task_event_logs
    assert [log.event for log in events] == ["ecs launch failed"] * (launches - 1) + ["ecs task ended"]
    assert all(said in str(log.extra) for log in events)


def test_a_callback_has_no_row_that_could_explain_its_end(supervisor: Reconciler) -> None:
    run = make_run(supervisor._executor, callback_workload())
    supervisor.accept(run)
    supervisor.note(launched(run))
    end = Stopped(run.run_id, 1, "arn", 0, ran=True, permanent=False, diagnosis=WHY, unexplained=True)
    supervisor.note(end)
    decide(supervisor)
    assert {state for state, _ in supervisor._executor.event_buffer.values()} == {"success"}
