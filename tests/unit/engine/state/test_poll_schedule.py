"""When the ledger wants a task to be looked at."""

from __future__ import annotations

import pytest

from ecs_async_executor.engine.options import EngineOptions
from ecs_async_executor.engine.responses import Task
from ecs_async_executor.engine.state.entry import Entry
from ecs_async_executor.engine.state.ledger import Ledger
from ecs_async_executor.engine.state.poll_schedule import next_poll
from ecs_async_executor.messages import Watch


@pytest.fixture
def ledger() -> Ledger:
    return Ledger(EngineOptions(), lambda: 1.0)


def task(status: str, desired_status: str | None = None) -> Task:
    return Task(task_arn="arn", last_status=status, desired_status=desired_status)


def watched(ledger: Ledger) -> Entry:
    """Have a task launched at 0, its first look taken from the due list."""
    ledger.watch(Watch("run", "label", "arn", "default", "airflow"), 0.0)
    (entry,) = ledger.due.take(1.0, limit=1)
    return entry


@pytest.mark.parametrize(
    ("phase_age", "even", "interval", "expected"),
    [
        (0, 0, 10, 1),
        (5, 0, 10, 1),
        (50, 0, 10, 5),
        (100, 0, 10, 10),
        (86_400, 0, 10, 10),
        (0, 0, 0.1, 0.1),
        (86_400, 0, 60, 60),
        (0, 1.5, 10, 1.5),
        (10, 1.5, 10, 1.5),
        (50, 1.5, 10, 5),
        (0, 40, 10, 10),
        (150, 40, 10, 15),
        (86_400, 40, 10, 40),
    ],
)
def test_a_new_phase_is_looked_at_often_and_an_old_one_seldom(
    phase_age: float, even: float, interval: float, expected: float
):
    assert next_poll(phase_age, even, interval) == expected


@pytest.mark.parametrize(
    ("status", "desired", "delay"),
    [
        ("PENDING", "RUNNING", 10),
        ("RUNNING", "RUNNING", 1),
        ("RUNNING", "STOPPED", 1),
        ("DEACTIVATING", "RUNNING", 1),
        ("DEPROVISIONING", "STOPPED", 1),
        ("A_STATUS_TO_COME", None, 1),
    ],
)
def test_after_a_step_forward_it_is_looked_at_soon_again(
    ledger: Ledger, status: str, desired: str | None, delay: float
):
    entry = watched(ledger)
    ledger.described(entry, task(status, desired_status=desired), 90.0)
    assert ledger.due.next_at() == 90.0 + min(9.0, delay)


def test_a_phase_never_goes_back(ledger: Ledger):
    entry = watched(ledger)
    ledger.described(entry, task("RUNNING", desired_status="STOPPED"), 50.0)
    ledger.due.discard(entry)
    ledger.described(entry, task("RUNNING", desired_status="RUNNING"), 90.0)
    assert ledger.due.next_at() == 90.0 + 4.0


def test_a_task_told_to_stop_is_looked_at_soon(ledger: Ledger):
    entry = watched(ledger)
    ledger.described(entry, task("RUNNING"), 0.0)
    ledger.due.discard(entry)
    ledger.poll_again(entry, 80.0)
    assert ledger.due.next_at() == 88.0
    ledger.stop_accepted(entry, 80.5)
    assert ledger.due.next_at() == 81.5
    assert len(ledger.due) == 1


def test_a_task_told_to_stop_that_is_being_looked_at_is_not_looked_at_twice(ledger: Ledger):
    entry = watched(ledger)
    ledger.stop_accepted(entry, 80.0)
    assert len(ledger.due) == 0


def test_with_many_tasks_each_is_looked_at_less_often():
    ledger = Ledger(EngineOptions(), lambda: 1.0)
    for number in range(2001):
        ledger.watch(Watch(str(number), "label", f"arn:{number}", "default", "airflow"), 0.0)
    (entry,) = ledger.due.take(1.0, limit=1)
    ledger.poll_again(entry, 1.0)
    assert entry.due_at == 1.0 + 4.0, "2,000 of them, at half of the thousand looks a second that there are"
