from __future__ import annotations

from ecs_async_executor.engine.options import Rate
from ecs_async_executor.engine.state.entry import Entry, State
from ecs_async_executor.engine.state.launch_queue import LaunchQueue
from ecs_async_executor.engine.state.poll_schedule import DueList
from ecs_async_executor.messages import RateShare

UNLIMITED = Rate(0, 1)


def entry(name: str, *, priority: int = 0, cluster: str = "", lane: RateShare | None = None) -> Entry:
    return Entry(name, name, 1, State.WAITING, priority=priority, cluster=cluster, lane=lane)


def names(entries: list[Entry]) -> list[str]:
    return [each.run_id for each in entries]


def pop_all(queue: LaunchQueue, now: float) -> list[str]:
    popped = []
    while (each := queue.pop(now)) is not None:
        popped.append(each.run_id)
    return popped


class TestLaunchQueue:
    def test_higher_priority_goes_first_and_equals_in_the_order_they_came(self):
        queue = LaunchQueue(UNLIMITED)
        for name, priority in [("a", 1), ("b", 5), ("c", 1), ("d", 5)]:
            queue.add(entry(name, priority=priority), not_before=0)
        assert pop_all(queue, 0) == ["b", "d", "a", "c"]

    def test_a_delayed_run_waits_for_its_time_and_then_goes_by_priority(self):
        queue = LaunchQueue(UNLIMITED)
        queue.add(entry("late", priority=9), not_before=10)
        queue.add(entry("a"), not_before=0)
        assert queue.next_at(0) == 0
        assert queue.pop(0) is not None
        assert queue.pop(9.9) is None
        assert queue.next_at(9.9) == 10
        queue.add(entry("b"), not_before=0)
        assert pop_all(queue, 10) == ["late", "b"]

    def test_a_run_that_comes_back_waits_for_its_new_date_whatever_its_old_one_was(self):
        queue = LaunchQueue(UNLIMITED)
        run = entry("run", lane=RateShare("gpu", 0.5))
        queue.add(run, not_before=30)
        queue.leave_lane(run)
        assert queue.pop(1) is run
        queue.add(run, not_before=61)
        assert queue.next_at(2) == 61
        assert queue.pop(30) is None
        assert queue.pop(61) is run

    def test_a_run_that_comes_back_keeps_its_seat(self):
        queue = LaunchQueue(UNLIMITED)
        first = entry("first")
        queue.add(first, not_before=0)
        queue.add(entry("second"), not_before=0)
        assert queue.pop(0) is first
        queue.add(first, not_before=0)
        assert pop_all(queue, 0) == ["first", "second"]

    def test_a_run_that_waits_is_in_it(self):
        queue = LaunchQueue(UNLIMITED)
        first = entry("first")
        assert first not in queue
        queue.add(first, not_before=5)
        assert first in queue
        queue.pop(5)
        assert first not in queue

    def test_a_run_that_was_popped_and_not_sent_gives_back_what_it_used_of_its_lane(self):
        queue = LaunchQueue(Rate(1, 2))
        lane = RateShare("gpu", 0.5)
        first, second = entry("first", lane=lane), entry("second", lane=lane)
        queue.add(first, not_before=0)
        queue.add(second, not_before=0)
        assert queue.pop(0) is first
        assert queue.pop(0) is None
        queue.give_back(first)
        assert queue.pop(0) is second

    def test_a_discarded_run_is_forgotten_whether_ready_or_delayed(self):
        queue = LaunchQueue(UNLIMITED)
        ready, delayed, stays = entry("ready"), entry("delayed"), entry("stays")
        queue.add(ready, not_before=0)
        queue.add(delayed, not_before=5)
        queue.add(stays, not_before=7)
        assert queue.next_at(0) == 0
        queue.discard(ready)
        queue.discard(delayed)
        queue.discard(entry("never added"))
        assert queue.next_at(0) == 7
        assert len(queue) == 1
        assert pop_all(queue, 100) == ["stays"]

    def test_nothing_is_due_in_an_empty_queue(self):
        assert LaunchQueue(UNLIMITED).next_at(0) is None
        assert LaunchQueue(UNLIMITED).pop(0) is None


class TestLanes:
    HALF = RateShare("half", 0.5)

    def test_a_lane_uses_its_part_of_the_rate_and_holds_up_no_others(self):
        queue = LaunchQueue(Rate(20, 4))
        for number in range(6):
            queue.add(entry(f"lane {number}", priority=9, lane=self.HALF), not_before=0)
        for name in ("a", "b"):
            queue.add(entry(name), not_before=0)
        assert pop_all(queue, 0) == ["lane 0", "lane 1", "a", "b"], "half of the burst, and all others"
        assert queue.next_at(0) == 0.1, "half of the rate"
        assert pop_all(queue, 0.1) == ["lane 2"]
        assert pop_all(queue, 0.3) == ["lane 3", "lane 4"]

    def test_a_lane_that_was_not_used_saves_its_part_of_the_burst_and_no_more(self):
        queue = LaunchQueue(Rate(20, 4))
        for number in range(5):
            queue.add(entry(str(number), lane=self.HALF), not_before=0)
        assert len(pop_all(queue, 0)) == 2
        assert len(pop_all(queue, 100)) == 2

    def test_lanes_do_not_share_their_parts_and_priorities_hold_among_them(self):
        queue = LaunchQueue(Rate(20, 2))
        other = RateShare("other", 0.5)
        for name, lane, priority in [("a", self.HALF, 1), ("b", other, 2), ("c", None, 3), ("d", other, 4)]:
            queue.add(entry(name, lane=lane, priority=priority), not_before=0)
        assert pop_all(queue, 0) == ["d", "c", "a"]
        assert pop_all(queue, 0.1) == ["b"]

    def test_without_a_limit_a_part_of_it_is_none_either(self):
        queue = LaunchQueue(UNLIMITED)
        for number in range(100):
            queue.add(entry(str(number), lane=self.HALF), not_before=0)
        assert len(pop_all(queue, 0)) == 100

    def test_a_run_that_leaves_its_lane_goes_at_once_and_once(self):
        queue = LaunchQueue(Rate(20, 2))
        one, two = entry("one", lane=self.HALF), entry("two", lane=self.HALF)
        for each in (one, two):
            queue.add(each, not_before=0)
        assert queue.pop(0) is one
        queue.leave_lane(two)
        assert queue.pop(0) is two
        queue.add(two, not_before=50)
        assert pop_all(queue, 49) == []
        assert pop_all(queue, 50) == ["two"]

    def test_a_run_of_a_lane_that_is_discarded_keeps_nothing_waiting(self):
        queue = LaunchQueue(Rate(20, 2))
        one, two = entry("one", lane=self.HALF), entry("two", lane=self.HALF)
        for each in (one, two):
            queue.add(each, not_before=0)
        assert queue.pop(0) is one
        queue.discard(two)
        assert queue.next_at(0) is None


class TestDueList:
    def test_the_longest_overdue_comes_first_and_what_is_not_due_stays(self):
        due = DueList()
        due.add(entry("b"), 2)
        due.add(entry("a"), 1)
        due.add(entry("c"), 9)
        assert due.next_at() == 1
        assert names(due.take(5, limit=100)) == ["a", "b"]
        assert due.next_at() == 9
        assert len(due) == 1

    def test_a_batch_holds_at_most_its_limit(self):
        due = DueList()
        for number in range(5):
            due.add(entry(str(number)), number)
        assert names(due.take(10, limit=3)) == ["0", "1", "2"]
        assert names(due.take(10, limit=3)) == ["3", "4"]
        assert due.take(10, limit=3) == []

    def test_a_batch_is_of_one_cluster_and_the_others_keep_their_turn(self):
        due = DueList()
        for number, cluster in enumerate(["x", "y", "x", "z", "y"]):
            due.add(entry(str(number), cluster=cluster), number)
        assert names(due.take(10, limit=100)) == ["0", "2"]
        assert names(due.take(10, limit=100)) == ["1", "4"]
        assert names(due.take(10, limit=100)) == ["3"]

    def test_a_cluster_whose_tasks_are_not_due_keeps_no_other_waiting(self):
        due = DueList()
        due.add(entry("later", cluster="x"), 9)
        due.add(entry("b", cluster="y"), 2)
        due.add(entry("a", cluster="y"), 1)
        assert due.next_at() == 1
        assert names(due.take(5, limit=100)) == ["a", "b"]
        assert due.take(5, limit=100) == []
        assert due.next_at() == 9

    def test_a_new_date_replaces_the_old_one(self):
        due = DueList()
        moved = entry("moved")
        due.add(moved, 1)
        due.add(moved, 5)
        assert due.next_at() == 5
        assert due.take(1, limit=100) == []
        due.add(moved, 3)
        assert names(due.take(10, limit=100)) == ["moved"]
        assert due.next_at() is None

    def test_the_same_date_twice_gives_the_task_once(self):
        due = DueList()
        twice = entry("twice")
        due.add(twice, 1)
        due.add(twice, 1)
        assert names(due.take(10, limit=100)) == ["twice"]
        assert due.take(10, limit=100) == []

    def test_a_discarded_task_is_forgotten(self):
        due = DueList()
        gone = entry("gone")
        due.add(gone, 1)
        due.discard(gone)
        due.discard(entry("never added"))
        assert due.next_at() is None
        assert len(due) == 0
        assert due.take(10, limit=100) == []
