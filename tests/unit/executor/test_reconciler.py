"""The reconciler's runs: accepted, adopted, ordered again, and launched again as long as that can help."""

from __future__ import annotations

import uuid

import pytest
from airflow.models.taskinstancekey import TaskInstanceKey

from ecs_async_executor.config.profiles import make_profiles
from ecs_async_executor.executor.decisions import Row
from ecs_async_executor.executor.reconciler import Reconciler
from ecs_async_executor.executor.rows.reader import READ_AGAIN_AFTER
from ecs_async_executor.executor.run_factory import make_run
from ecs_async_executor.executor.run_state import RunState
from ecs_async_executor.executor.runs import Run
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
    make_reconciler,
    orphan,
    rows_show,
)
from tests.support.workloads import callback_workload, task_workload


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
        running.run_id, running.label, f"arn-{running.run_id}-2", "c", "airflow", 2, launch_timeout=1800
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
    watch = Watch(run.run_id, run.label, f"arn-{run.run_id}-1", "c", "airflow", 1, launch_timeout=1800)
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
        Watch(run.run_id, run.label, ARN, "c", "airflow", 1, listed=False, launch_timeout=1800)
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
    again = orphan(reconciler, f"{RUN_ID}-3", id=before.ti_id)
    reconciler.adopt([again])
    assert submitted == [Forget(RUN_ID)]
    assert list(reconciler.runs) == [again]
    assert again.state is RunState.PENDING
    assert reconciler._executor.running == {again.key}


def test_reports_about_an_earlier_launch_change_nothing(
    reconciler: Reconciler, submitted: list[Order]
) -> None:
    run = accept(reconciler, external_executor_id=RUN_ID)
    again = orphan(reconciler, f"{RUN_ID}-2", id=run.ti_id)
    reconciler.adopt([again])
    reconciler.note(launched(run, 1))
    reconciler.note(Stopped(RUN_ID, 1, ARN, None, ran=False, permanent=False, diagnosis=WHY))
    reconciler.note(LaunchFailed(RUN_ID, 1, WHY, permanent=True))
    assert (again.launched, again.ended) == (None, None)


def test_an_orphan_is_launched_only_after_its_workload_is_read(
    reconciler: Reconciler, submitted: list[Order], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = orphan(reconciler, f"{RUN_ID}-3")
    reconciler.adopt([run])
    assert submitted == []
    assert list(reconciler.live_orders()) == [], "a new engine gets it once its workload is read"
    monkeypatch.setattr(DATABASE + "read_workloads", lambda _: {RUN_ID: task_workload()})
    queued = Row("queued", 1, f"{RUN_ID}-3", None)
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
    monkeypatch.setattr(DATABASE + "read_workloads", lambda _: {})
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
    monkeypatch.setattr(DATABASE + "read_workloads", lambda runs: {r.run_id: task_workload() for r in runs})
    reconciler.adopt([run])
    submitted.clear()
    reconciler.note(Stopped(run.run_id, 1, ARN, None, ran=False, permanent=False, diagnosis=WHY))
    decide(reconciler)
    for _ in range(3):  # someone has locked the row
        assert set(written) == {f"{run.run_id}-2"}
        written.clear()
        clock.now += 60.0
        decide(reconciler)
        assert submitted == []
    assert str(uuid.UUID(run.run_id)) == run.run_id
    external_ids[0] = f"{run.run_id}-2"
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


# --- the cost of a failed start -----------------------------------------------------------------------------


def start_until_it_fails(monkeypatch: pytest.MonkeyPatch, *, capacity: bool) -> tuple[int, float]:
    """Return how often and for how long a task is started that always stops before it runs."""
    clock, submitted = Clock(), list[Order]()
    reconciler = make_reconciler(Executor(), submitted, clock)
    run = accept(reconciler)
    run.id_committed = False
    monkeypatch.setattr(
        DATABASE + "read_rows",
        lambda reads: {read.run_id: Row("queued", 1, run.published, None) for read in reads},
    )
    monkeypatch.setattr(
        DATABASE + "read_workloads", lambda reads: {read.run_id: task_workload() for read in reads}
    )
    starts = 1
    while "failed" not in {state for state, _ in reconciler._executor.event_buffer.values()}:
        clock.now += 30
        run.launched = launched(run, run.number)
        reconciler.note(
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
        decide(reconciler)
        clock.now += 60
        decide(reconciler)
        starts += bool(submitted)
        submitted.clear()
    return starts, clock.now


def test_a_failed_start_costs_an_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    assert start_until_it_fails(monkeypatch, capacity=False) == (2, 180)


def test_lack_of_capacity_after_the_launch_costs_time_and_no_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    assert start_until_it_fails(monkeypatch, capacity=True) == (3, 270)


def test_the_wait_for_capacity_restarts_after_a_launch_that_found_some(
    clock: Clock, submitted: list[Order]
) -> None:
    reconciler = make_reconciler(Executor(), submitted, clock)
    run = accept(reconciler)
    waited = []
    for costs_attempt in (False, False, True, False):
        clock.now += 100
        failed = LaunchFailed(run.run_id, run.number, WHY, permanent=False, costs_attempt=costs_attempt)
        reconciler.note(failed)
        waited.append(run.waits_since and clock.now - run.waits_since)
        run.next_launch()
        for state in (RunState.PENDING, RunState.ORDERED):
            run.move(state, "launched again", clock.now)
    assert waited == [0, 100, None, 0]


def test_a_permanent_failure_is_not_launched_again(monkeypatch: pytest.MonkeyPatch) -> None:
    queued = Row(state="queued", try_number=1, external_executor_id=None, queued_by_job_id=None)
    monkeypatch.setattr(
        "ecs_async_executor.executor.rows.thread.read_rows",
        lambda runs: dict.fromkeys((r.run_id for r in runs), queued),
    )
    submitted: list[Order] = []
    reconciler = make_reconciler(Executor(), submitted)
    run = accept(reconciler)
    run.id_committed = False
    reconciler.note(LaunchFailed(run.run_id, 1, WHY, permanent=True))
    decide(reconciler)
    assert submitted == []
    assert reconciler._executor.event_buffer == {run.key: ("failed", str(WHY))}


# --- queue profiles -----------------------------------------------------------------------------------------

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
    return make_reconciler(Executor(), submitted, clock, profiles=profiles)


def test_a_task_that_found_no_capacity_is_launched_with_the_fallback_profile(
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


def test_the_next_try_of_an_interrupted_task_is_launched_with_the_fallback_profile(
    with_queues: Reconciler, submitted: list[Order], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = accept(with_queues, queue="spot")
    with_queues.note(launched(run))
    end = Stopped(run.run_id, 1, "arn", 143, ran=True, permanent=False, diagnosis=WHY, interrupted=True)
    rows_show(monkeypatch, "up_for_retry")
    with_queues.note(end)
    decide(with_queues)
    assert len(with_queues.runs) == 0
    again = make_run(with_queues._executor, task_workload(queue="spot", try_number=2))
    assert with_queues.accept([again]) == []
    assert definition_of(submitted[-1]) == "on-demand"
    (event,) = with_queues._executor._task_event_logs
    assert event.extra == "Interrupted 1 time: the queue spot falls back to on-demand."


@pytest.mark.parametrize(
    ("exit_code", "launches", "mentioned"), [(0, 1, "entry point"), (1, 2, "jwt_secret")]
)
def test_an_ended_container_with_a_queued_row_never_started_airflow(
    reconciler: Reconciler,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    exit_code: int,
    launches: int,
    mentioned: str,
) -> None:
    run = accept(reconciler)
    monkeypatch.setattr(
        DATABASE + "read_rows",
        lambda reads: {read.run_id: Row("queued", 1, run.published, None) for read in reads},
    )
    monkeypatch.setattr(
        DATABASE + "read_workloads", lambda reads: {read.run_id: task_workload() for read in reads}
    )
    for number in range(1, launches + 1):
        reconciler.note(launched(run, number))
        end = Stopped(
            run.run_id, number, "arn", exit_code, ran=True, permanent=False, diagnosis=WHY, unexplained=True
        )
        reconciler.note(end)
        decide(reconciler)
        clock.now += 60
        decide(reconciler)
    assert {state for state, _ in reconciler._executor.event_buffer.values()} == {"failed"}
    events = reconciler._executor._task_event_logs
    assert [log.event for log in events] == ["ecs launch failed"] * (launches - 1) + ["ecs task ended"]
    assert all(mentioned in str(log.extra) for log in events)


def test_a_callback_has_no_row_to_explain_its_end(reconciler: Reconciler) -> None:
    run = make_run(reconciler._executor, callback_workload())
    reconciler.accept([run])
    reconciler.note(launched(run))
    end = Stopped(run.run_id, 1, "arn", 0, ran=True, permanent=False, diagnosis=WHY, unexplained=True)
    reconciler.note(end)
    decide(reconciler)
    assert {state for state, _ in reconciler._executor.event_buffer.values()} == {"success"}


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

    @pytest.mark.parametrize("late", ["Launched", "LaunchFailed"])
    def test_the_run_keeps_its_end_and_is_decided_about(
        self, reconciler: Reconciler, clock: Clock, monkeypatch: pytest.MonkeyPatch, late: str
    ):
        run = accept(reconciler)
        end = LaunchFailed(run.run_id, 1, WHY, permanent=True)
        reconciler.note(end)
        reconciler.note(
            launched(run) if late == "Launched" else LaunchFailed(run.run_id, 1, WHY, permanent=False)
        )
        assert (run.state, run.ended, run.launched) == (RunState.ENDED, end, None)
        rows_show(monkeypatch, "failed")
        clock.now += 10
        decide(reconciler)
        assert len(reconciler.runs) == 0


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


def test_orders_that_can_not_be_given_are_given_once_their_rows_are_read(
    reconciler: Reconciler, submitted: list[Order], monkeypatch: pytest.MonkeyPatch
):
    def broken(_: object) -> None:
        raise RuntimeError("no memory")

    runs = [make_run(reconciler._executor, task_workload(task_id=name)) for name in ("a", "b")]
    with monkeypatch.context() as patch:
        patch.setattr(reconciler._dispatcher, "_submit", broken)
        assert reconciler.accept(runs) == []
    rows_show(monkeypatch, "queued")
    decide(reconciler)
    assert [each.run_id for each in submitted if isinstance(each, Launch)] == [run.run_id for run in runs]


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
