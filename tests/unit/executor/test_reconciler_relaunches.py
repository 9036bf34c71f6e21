"""Runs whose launch failed: what that costs them, and with which profile they are launched again."""

from __future__ import annotations

import pytest

from ecs_async_executor.config.profiles import make_profiles
from ecs_async_executor.executor.decisions import Row
from ecs_async_executor.executor.ended_runs import CONFIRM_AFTER
from ecs_async_executor.executor.reconciler import Reconciler
from ecs_async_executor.executor.run_factory import make_run
from ecs_async_executor.executor.run_state import RunState
from ecs_async_executor.messages import Launch, LaunchFailed, Order, Recovery, Stopped
from tests.support.reconciler import (
    DATABASE,
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
from tests.support.workloads import callback_workload, task_workload

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
        DATABASE + "read_workloads", lambda reads, _: {read.run_id: task_workload() for read in reads}
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


def test_a_run_that_runs_after_its_failure_was_reported_is_searched_for(
    submitted: list[Order], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    reconciler = make_reconciler(Executor(), submitted, clock)
    run = accept(reconciler)
    reconciler.note(LaunchFailed(run.run_id, 1, WHY, permanent=True))
    rows_show(monkeypatch, "queued")
    decide(reconciler)
    states = [run.state]
    rows_show(monkeypatch, "running")
    monkeypatch.setattr(DATABASE + "read_workloads", lambda *_: {run.run_id: task_workload()})
    clock.now += CONFIRM_AFTER
    decide(reconciler)
    assert [*states, run.state] == [RunState.REPORTED, RunState.ORDERED]
    assert [order.recovery for order in submitted if isinstance(order, Launch)] == [Recovery.SEARCH_ONLY]


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
    monkeypatch.setattr(DATABASE + "read_rows", lambda _: {again.run_id: Row("queued", 2, None, None)})
    monkeypatch.setattr(DATABASE + "read_setbacks", lambda _: {again.run_id: ()})
    again.id_committed = False
    assert with_queues.accept([again]) == []
    decide(with_queues)
    assert definition_of(submitted[-1]) == "on-demand"
    decide(with_queues)
    (event,) = (log for log in with_queues._executor._task_event_logs if log.event == "ecs fallback")
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
        DATABASE + "read_workloads", lambda reads, _: {read.run_id: task_workload() for read in reads}
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
    ends = [log for log in events if log.event != "ecs task launched"]
    assert [log.event for log in ends] == ["ecs task start failed"] * (launches - 1) + ["ecs task ended"]
    assert all(mentioned in str(log.extra) for log in ends)


def test_a_callback_has_no_row_to_explain_its_end(reconciler: Reconciler) -> None:
    run = make_run(reconciler._executor, callback_workload())
    reconciler.accept([run])
    reconciler.note(launched(run))
    end = Stopped(run.run_id, 1, "arn", 0, ran=True, permanent=False, diagnosis=WHY, unexplained=True)
    reconciler.note(end)
    decide(reconciler)
    assert {state for state, _ in reconciler._executor.event_buffer.values()} == {"success"}
