"""Runs whose profile depends on their tasks' earlier launches: these are read first, and nobody waits for that."""

from __future__ import annotations

from typing import Any

import pytest

from ecs_async_executor.config.profiles import make_profiles
from ecs_async_executor.event_names import SETBACKS, EventName
from ecs_async_executor.executor.decisions import Row
from ecs_async_executor.executor.reconciler import Reconciler
from ecs_async_executor.executor.rows.reader import READ_AGAIN_AFTER
from ecs_async_executor.executor.rows.statements import Read
from ecs_async_executor.executor.run_factory import make_run
from ecs_async_executor.executor.run_state import RunState
from ecs_async_executor.executor.runs import Run
from ecs_async_executor.executor.setbacks import Setback, parse
from ecs_async_executor.messages import Launch, Order, Recovery, Stopped, Watch
from tests.support.reconciler import (
    ARN,
    DATABASE,
    RUN_ID,
    SETTINGS,
    WHY,
    Clock,
    Executor,
    decide,
    launched,
    make_reconciler,
    orphan,
)
from tests.support.workloads import callback_workload, task_workload

QUEUES = {
    "growing": {"cpu": 1024, "memory": [2048, 4096, 8192]},
    "small": {"fallback": "large", "fallback_on_out_of_memory": True},
    "large": {"fallback": "huge", "fallback_on_out_of_memory": True},
    "huge": {},
    "plain": {"launch_timeout": 5},
}


class AuditLog:
    """The Audit Log as the database shows it; its rows are what the executor handed over."""

    def __init__(self, reconciler: Reconciler) -> None:
        self.kept: list[Setback] = []
        self.reads: list[Read] = []
        self.is_down = False
        self._handed_over = reconciler._executor._task_event_logs

    def write(self) -> None:
        """Do what core does after a heartbeat."""
        parsed = (parse(log.event, log.try_number or 0, log.extra) for log in self._handed_over)
        self.kept += [each for each in parsed if each is not None]
        self._handed_over.clear()

    def read(self, reads: list[Read]) -> dict[str, tuple[Setback, ...]]:
        if self.is_down:
            raise OSError("the database went away")
        self.reads += reads
        return {read.run_id: tuple(self.kept) for read in reads}


@pytest.fixture
def reconciler(submitted: list[Order], clock: Clock) -> Reconciler:
    profiles = make_profiles(SETTINGS.model_copy(update={"queues": QUEUES}))
    return make_reconciler(Executor(), submitted, clock, profiles=profiles)


@pytest.fixture
def audit_log(reconciler: Reconciler, monkeypatch: pytest.MonkeyPatch) -> AuditLog:
    log = AuditLog(reconciler)
    monkeypatch.setattr(DATABASE + "read_setbacks", log.read)
    return log


@pytest.fixture(autouse=True)
def rows(reconciler: Reconciler, monkeypatch: pytest.MonkeyPatch) -> None:
    """Show each run's row as queued for it, and make its workload again if asked."""

    def row_of(read: Read) -> Row:
        run = reconciler.runs.get(read.run_id)
        assert run is not None
        return Row("queued", run.try_number, run.published or run.run_id, None)

    monkeypatch.setattr(DATABASE + "read_rows", lambda reads: {read.run_id: row_of(read) for read in reads})
    monkeypatch.setattr(
        DATABASE + "read_workloads", lambda reads, _: {read.run_id: task_workload() for read in reads}
    )


def take_in(reconciler: Reconciler, queue: str = "growing", **ti: Any) -> Run:
    run = make_run(reconciler._executor, task_workload(queue=queue, **ti))
    assert reconciler.accept([run]) == []
    return run


def killed(number: int, memory: int, profile: str = "growing") -> Setback:
    return Setback(EventName.OUT_OF_MEMORY, number, f"arn:{number}", profile, memory)


def memory_of(order: Order) -> str | None:
    assert isinstance(order, Launch)
    memory: str | None = order.build().body["overrides"].get("memory")
    return memory


def test_a_first_try_is_ordered_at_once(
    reconciler: Reconciler, audit_log: AuditLog, submitted: list[Order]
) -> None:
    run = take_in(reconciler)
    assert run.state is RunState.ORDERED
    assert [memory_of(order) for order in submitted] == ["2048"]
    decide(reconciler)
    assert audit_log.reads == []


def test_so_is_a_later_try_in_a_queue_that_depends_on_nothing(
    reconciler: Reconciler, audit_log: AuditLog, submitted: list[Order]
) -> None:
    take_in(reconciler, "plain", try_number=2)
    callback = make_run(reconciler._executor, callback_workload())
    assert reconciler.accept([callback]) == []
    assert len(submitted) == 2
    decide(reconciler)
    assert audit_log.reads == []


def test_a_later_try_is_ordered_once_the_earlier_ones_were_read(
    reconciler: Reconciler, audit_log: AuditLog, submitted: list[Order]
) -> None:
    audit_log.kept = [killed(1, 2048)]
    run = take_in(reconciler, try_number=2)
    assert (run.state, submitted) == (RunState.PENDING, [])
    decide(reconciler)
    assert run.state is RunState.ORDERED
    assert [memory_of(order) for order in submitted] == ["4096"]
    (read,) = audit_log.reads
    assert (read.key.dag_id, read.key.task_id, read.key.run_id, read.key.map_index) == (
        "dag",
        "task",
        "run",
        -1,
    )
    (event,) = (log for log in reconciler._executor._task_event_logs if log.event == "ecs task memory")
    assert event.extra == "Try 2 gets 4096 MiB: try 1 was killed for lack of memory at 2048 MiB."


def test_while_the_database_is_down_it_waits_and_the_others_do_not(
    reconciler: Reconciler, audit_log: AuditLog, submitted: list[Order], clock: Clock
) -> None:
    audit_log.kept, audit_log.is_down = [killed(1, 2048)], True
    run = take_in(reconciler, try_number=2)
    for _ in range(3):
        decide(reconciler)
        clock.now += READ_AGAIN_AFTER
    assert (run.state, submitted) == (RunState.PENDING, [])
    take_in(reconciler, task_id="other")
    assert len(submitted) == 1
    audit_log.is_down = False
    decide(reconciler)
    clock.now += READ_AGAIN_AFTER
    decide(reconciler)
    assert [memory_of(order) for order in submitted] == ["2048", "4096"]


def test_it_is_dropped_if_airflow_has_moved_on_meanwhile(
    reconciler: Reconciler, audit_log: AuditLog, submitted: list[Order], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = take_in(reconciler, try_number=2)
    monkeypatch.setattr(DATABASE + "read_rows", lambda _: {})
    decide(reconciler)
    assert (run.state, submitted, len(reconciler.runs)) == (RunState.DONE, [], 0)


def test_a_revoked_one_is_never_ordered(
    reconciler: Reconciler, audit_log: AuditLog, submitted: list[Order]
) -> None:
    run = take_in(reconciler, try_number=2)
    reconciler.revoke(run.key)
    decide(reconciler)
    assert (run.state, submitted) == (RunState.DONE, [])


def test_what_the_audit_log_keeps_of_one_try_decides_about_the_next_one_in_another_scheduler(
    reconciler: Reconciler, audit_log: AuditLog, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = take_in(reconciler)
    reconciler.note(launched(run))
    end = Stopped(
        run.run_id, 1, "arn:x", 137, ran=True, permanent=False, diagnosis=WHY, out_of_memory=True, memory=2048
    )
    reconciler.note(end)
    reconciler.task_events.flush()
    audit_log.write()
    assert [(each.try_number, each.memory, each.profile) for each in audit_log.kept] == [(1, 2048, "growing")]
    orders: list[Order] = []
    profiles = make_profiles(SETTINGS.model_copy(update={"queues": QUEUES}))
    other = make_reconciler(Executor(), orders, clock, profiles=profiles)
    again = make_run(other._executor, task_workload(queue="growing", try_number=2))
    monkeypatch.setattr(
        DATABASE + "read_rows",
        lambda reads: {read.run_id: Row("queued", 2, again.run_id, None) for read in reads},
    )
    assert other.accept([again]) == []
    decide(other)
    assert [memory_of(order) for order in orders] == ["4096"]


def test_an_adopted_launch_is_searched_for_and_sent_with_the_size_that_it_would_have_had(
    reconciler: Reconciler, audit_log: AuditLog, submitted: list[Order]
) -> None:
    audit_log.kept = [killed(1, 2048), killed(2, 4096)]
    run = orphan(reconciler, RUN_ID, queue="growing", try_number=3)
    reconciler.adopt([run])
    decide(reconciler)
    (order,) = submitted
    assert isinstance(order, Launch)
    assert (order.recovery, memory_of(order)) == (Recovery.SEARCH, "8192")


def test_an_adopted_task_is_watched_at_once_and_its_kill_is_kept_for_the_profile_that_it_ran_with(
    reconciler: Reconciler, audit_log: AuditLog, submitted: list[Order]
) -> None:
    audit_log.kept = [killed(1, 512, "small")]
    run = orphan(reconciler, ARN, state="running", queue="small", try_number=2)
    reconciler.adopt([run])
    assert [type(order) for order in submitted] == [Watch]
    decide(reconciler)
    assert not [log for log in reconciler._executor._task_event_logs if log.event == "ecs fallback"]
    end = Stopped(
        run.run_id, 1, ARN, 137, ran=True, permanent=False, diagnosis=WHY, out_of_memory=True, memory=1024
    )
    reconciler.note(end)
    reconciler.task_events.flush()
    audit_log.write()
    assert [(each.profile, each.memory) for each in audit_log.kept[1:]] == [("large", 1024)]


def test_what_later_launches_depend_on_is_handed_over_before_everything_else(reconciler: Reconciler) -> None:
    events, run = reconciler.task_events, take_in(reconciler)
    for event in (EventName.ENDED, EventName.LAUNCHED):
        events.record(run, event, "It is so.")
    events.setback(run, killed(1, 2048))
    events.flush()
    handed_over = [log.event for log in reconciler._executor._task_event_logs]
    assert handed_over[0] in SETBACKS
