"""When the ledger schedules a task's next poll."""

from __future__ import annotations

import pytest

from ecs_async_executor.engine.options import EngineOptions
from ecs_async_executor.engine.responses import Task
from ecs_async_executor.engine.state.entry import Entry, State
from ecs_async_executor.engine.state.ledger import Ledger
from ecs_async_executor.engine.state.poll_schedule import PollSchedule, next_poll
from ecs_async_executor.messages import Watch


@pytest.fixture
def ledger() -> Ledger:
    return Ledger(EngineOptions(), lambda: 1.0)


def task(status: str, desired_status: str | None = None) -> Task:
    return Task(task_arn="arn", last_status=status, desired_status=desired_status)


def watched(ledger: Ledger) -> Entry:
    """Watch a task launched at 0 whose first poll has been taken from the schedule."""
    ledger.watch(Watch("run", "label", "arn", "default", "airflow"), 0.0)
    (entry,) = ledger.due.take(1.0, limit=1)
    return entry


def entry(name: str, *, cluster: str = "", arn: str = "") -> Entry:
    return Entry(name, name, 1, State.WAITING, cluster=cluster, arn=arn)


def names(entries: list[Entry]) -> list[str]:
    return [each.run_id for each in entries]


@pytest.mark.parametrize(
    ("phase_age", "uniform_interval", "interval", "expected"),
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
def test_a_task_is_polled_often_in_a_new_phase_and_rarely_in_an_old_one(
    phase_age: float, uniform_interval: float, interval: float, expected: float
):
    assert next_poll(phase_age, uniform_interval, interval) == expected


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
def test_a_task_is_polled_again_soon_after_it_enters_a_new_phase(
    ledger: Ledger, status: str, desired: str | None, delay: float
):
    entry = watched(ledger)
    ledger.described(entry, task(status, desired_status=desired), 90.0)
    assert ledger.due.next_at() == 90.0 + min(9.0, delay)


def test_a_phase_never_moves_back(ledger: Ledger):
    entry = watched(ledger)
    ledger.described(entry, task("RUNNING", desired_status="STOPPED"), 50.0)
    ledger.due.discard(entry)
    ledger.described(entry, task("RUNNING", desired_status="RUNNING"), 90.0)
    assert ledger.due.next_at() == 90.0 + 4.0


def test_a_task_told_to_stop_is_polled_soon(ledger: Ledger):
    entry = watched(ledger)
    ledger.described(entry, task("RUNNING"), 0.0)
    ledger.due.discard(entry)
    ledger.poll_again(entry, 80.0)
    assert ledger.due.next_at() == 88.0
    ledger.stop_accepted(entry, 80.5)
    assert ledger.due.next_at() == 81.5
    assert len(ledger.due) == 1


def test_a_task_told_to_stop_during_a_poll_is_not_polled_twice(ledger: Ledger):
    entry = watched(ledger)
    ledger.stop_accepted(entry, 80.0)
    assert len(ledger.due) == 0


def test_with_many_tasks_each_is_polled_less_often():
    ledger = Ledger(EngineOptions(), lambda: 1.0)
    for number in range(2001):
        ledger.watch(Watch(str(number), "label", f"arn:{number}", "default", "airflow"), 0.0)
    (entry,) = ledger.due.take(1.0, limit=1)
    ledger.poll_again(entry, 1.0)
    assert entry.due_at == 1.0 + 4.0, "2,000 tasks share half of the thousand polls a second"


class TestPollSchedule:
    def test_take_returns_the_longest_overdue_first_and_leaves_tasks_that_are_not_due(self):
        schedule = PollSchedule()
        schedule.add(entry("b"), 2)
        schedule.add(entry("a"), 1)
        schedule.add(entry("c"), 9)
        assert schedule.next_at() == 1
        assert names(schedule.take(5, limit=100)) == ["a", "b"]
        assert schedule.next_at() == 9
        assert len(schedule) == 1

    def test_a_batch_holds_at_most_its_limit(self):
        schedule = PollSchedule()
        for number in range(5):
            schedule.add(entry(str(number)), number)
        assert names(schedule.take(10, limit=3)) == ["0", "1", "2"]
        assert names(schedule.take(10, limit=3)) == ["3", "4"]
        assert schedule.take(10, limit=3) == []

    def test_a_batch_covers_one_cluster_and_the_others_keep_their_turn(self):
        schedule = PollSchedule()
        for number, cluster in enumerate(["x", "y", "x", "z", "y"]):
            schedule.add(entry(str(number), cluster=cluster), number)
        assert names(schedule.take(10, limit=100)) == ["0", "2"]
        assert names(schedule.take(10, limit=100)) == ["1", "4"]
        assert names(schedule.take(10, limit=100)) == ["3"]

    @pytest.mark.parametrize(
        "foreign",
        [
            "arn:aws:ecs:eu-west-1:111111111111:task/prod/1",
            "arn:aws:ecs:us-east-1:222222222222:task/prod/1",
            "arn:aws:ecs:us-east-1:111111111111:task/test/1",
            "arn:aws:ecs:us-east-1:222222222222:task/1",
        ],
        ids=["Region", "account", "cluster", "account, in an old ARN"],
    )
    def test_a_batch_covers_one_region_account_and_cluster_by_its_arns(self, foreign: str):
        schedule = PollSchedule()
        ours = "arn:aws:ecs:us-east-1:111111111111:task/prod/"
        for number, arn in enumerate([f"{ours}0", foreign, f"{ours}2"]):
            schedule.add(entry(str(number), cluster="prod", arn=arn), number)
        assert names(schedule.take(10, limit=100)) == ["0", "2"]
        assert names(schedule.take(10, limit=100)) == ["1"]

    def test_a_cluster_whose_tasks_are_not_due_does_not_block_another(self):
        schedule = PollSchedule()
        schedule.add(entry("later", cluster="x"), 9)
        schedule.add(entry("b", cluster="y"), 2)
        schedule.add(entry("a", cluster="y"), 1)
        assert schedule.next_at() == 1
        assert names(schedule.take(5, limit=100)) == ["a", "b"]
        assert schedule.take(5, limit=100) == []
        assert schedule.next_at() == 9

    def test_a_new_due_time_replaces_the_old_one(self):
        schedule = PollSchedule()
        moved = entry("moved")
        schedule.add(moved, 1)
        schedule.add(moved, 5)
        assert schedule.next_at() == 5
        assert schedule.take(1, limit=100) == []
        schedule.add(moved, 3)
        assert names(schedule.take(10, limit=100)) == ["moved"]
        assert schedule.next_at() is None

    def test_a_task_added_twice_for_the_same_time_is_taken_once(self):
        schedule = PollSchedule()
        twice = entry("twice")
        schedule.add(twice, 1)
        schedule.add(twice, 1)
        assert names(schedule.take(10, limit=100)) == ["twice"]
        assert schedule.take(10, limit=100) == []

    def test_a_discarded_task_is_never_taken(self):
        schedule = PollSchedule()
        discarded = entry("discarded")
        schedule.add(discarded, 1)
        schedule.discard(discarded)
        schedule.discard(entry("never added"))
        assert schedule.next_at() is None
        assert len(schedule) == 0
        assert schedule.take(10, limit=100) == []
