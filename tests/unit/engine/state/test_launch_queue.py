from __future__ import annotations

from ecs_async_executor.engine.capacity.gate import PROBES
from ecs_async_executor.engine.capacity.gates import Gates
from ecs_async_executor.engine.diagnosis.causes.cause import Shortage
from ecs_async_executor.engine.options import Rate
from ecs_async_executor.engine.state.entry import Entry, State
from ecs_async_executor.engine.state.launch_queue import EXPECTED, LaunchQueue
from ecs_async_executor.messages import Diagnosis, RateShare, Recovery, Room

UNLIMITED = Rate(0, 1)
HERE, THERE = Room("here"), Room("there")


def entry(name: str, *, priority: int = 0, lane: RateShare | None = None, room: Room = HERE) -> Entry:
    return Entry(name, name, 1, State.WAITING, priority=priority, lane=lane, room=room)


def pop_all(queue: LaunchQueue, now: float) -> list[str]:
    popped = []
    while (each := queue.pop(now)) is not None:
        popped.append(each.run_id)
    return popped


class TestLaunchQueue:
    def test_higher_priorities_go_first_and_equal_ones_first_come_first_served(self):
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

    def test_a_run_that_comes_back_waits_for_its_new_due_time_and_ignores_its_old_one(self):
        queue = LaunchQueue(UNLIMITED)
        run = entry("run", lane=RateShare("gpu", 0.5))
        queue.add(run, not_before=30)
        queue.make_ready(run)
        assert queue.pop(1) is run
        queue.add(run, not_before=61)
        assert queue.next_at(2) == 61
        assert queue.pop(30) is None
        assert queue.pop(61) is run

    def test_a_run_that_comes_back_keeps_its_position(self):
        queue = LaunchQueue(UNLIMITED)
        first = entry("first")
        queue.add(first, not_before=0)
        queue.add(entry("second"), not_before=0)
        assert queue.pop(0) is first
        queue.add(first, not_before=0)
        assert pop_all(queue, 0) == ["first", "second"]

    def test_the_queue_contains_only_waiting_runs(self):
        queue = LaunchQueue(UNLIMITED)
        first = entry("first")
        assert first not in queue
        queue.add(first, not_before=5)
        assert first in queue
        queue.pop(5)
        assert first not in queue

    def test_a_run_that_was_popped_but_not_sent_returns_its_token_to_its_lane(self):
        queue = LaunchQueue(Rate(1, 2))
        lane = RateShare("gpu", 0.5)
        first, second = entry("first", lane=lane), entry("second", lane=lane)
        queue.add(first, not_before=0)
        queue.add(second, not_before=0)
        assert queue.pop(0) is first
        assert queue.pop(0) is None
        queue.give_back(first)
        assert queue.pop(0) is second

    def test_a_discarded_run_is_never_popped_whether_ready_or_delayed(self):
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

    def test_a_lane_uses_its_share_of_the_rate_and_delays_no_other_runs(self):
        queue = LaunchQueue(Rate(20, 4))
        for number in range(6):
            queue.add(entry(f"lane {number}", priority=9, lane=self.HALF), not_before=0)
        for name in ("a", "b"):
            queue.add(entry(name), not_before=0)
        assert pop_all(queue, 0) == ["lane 0", "lane 1", "a", "b"], (
            "half of the burst, and all runs outside the lane"
        )
        assert queue.next_at(0) == 0.1, "half of the rate"
        assert pop_all(queue, 0.1) == ["lane 2"]
        assert pop_all(queue, 0.3) == ["lane 3", "lane 4"]

    def test_an_idle_lane_saves_up_its_share_of_the_burst_and_no_more(self):
        queue = LaunchQueue(Rate(20, 4))
        for number in range(5):
            queue.add(entry(str(number), lane=self.HALF), not_before=0)
        assert len(pop_all(queue, 0)) == 2
        assert len(pop_all(queue, 100)) == 2

    def test_lanes_have_separate_shares_and_priorities_hold_across_them(self):
        queue = LaunchQueue(Rate(20, 2))
        other = RateShare("other", 0.5)
        for name, lane, priority in [("a", self.HALF, 1), ("b", other, 2), ("c", None, 3), ("d", other, 4)]:
            queue.add(entry(name, lane=lane, priority=priority), not_before=0)
        assert pop_all(queue, 0) == ["d", "c", "a"]
        assert pop_all(queue, 0.1) == ["b"]

    def test_a_share_of_an_unlimited_rate_is_unlimited(self):
        queue = LaunchQueue(UNLIMITED)
        for number in range(100):
            queue.add(entry(str(number), lane=self.HALF), not_before=0)
        assert len(pop_all(queue, 0)) == 100

    def test_a_run_that_leaves_its_lane_is_popped_at_once_and_only_once(self):
        queue = LaunchQueue(Rate(20, 2))
        one, two = entry("one", lane=self.HALF), entry("two", lane=self.HALF)
        for each in (one, two):
            queue.add(each, not_before=0)
        assert queue.pop(0) is one
        queue.make_ready(two)
        assert queue.pop(0) is two
        queue.add(two, not_before=50)
        assert pop_all(queue, 49) == []
        assert pop_all(queue, 50) == ["two"]

    def test_a_discarded_run_of_a_lane_leaves_nothing_due(self):
        queue = LaunchQueue(Rate(20, 2))
        one, two = entry("one", lane=self.HALF), entry("two", lane=self.HALF)
        for each in (one, two):
            queue.add(each, not_before=0)
        assert queue.pop(0) is one
        queue.discard(two)
        assert queue.next_at(0) is None


class TestRooms:
    def test_the_runs_of_a_full_room_wait_and_the_others_go(self):
        queue = LaunchQueue(UNLIMITED, full(HERE))
        queue.add(entry("here", priority=9), not_before=0)
        queue.add(entry("there", room=THERE), not_before=0)
        assert pop_all(queue, 0) == ["there"]
        assert queue.held_back(0) == 1
        assert queue.next_at(0) == 0.5, "the next probe"

    def test_a_freed_slot_goes_to_the_run_with_the_highest_priority(self):
        gates = full(HERE)
        queue = LaunchQueue(UNLIMITED, gates)
        for name, priority in [("a", 1), ("b", 5), ("c", 5)]:
            queue.add(entry(name, priority=priority), not_before=0)
        gates.end(HERE, 0.0)
        gates.end(HERE, 0.0)
        assert pop_all(queue, 0) == ["b", "c"]

    def test_a_run_that_waits_for_an_answer_to_another_ones_probe_has_no_due_time(self):
        queue = LaunchQueue(UNLIMITED, full(HERE))
        for name in ("a", "b"):
            queue.add(entry(name), not_before=0)
        assert queue.pop(0.5) is not None
        assert queue.next_at(0.5) is None

    def test_a_run_that_is_only_searched_for_or_may_have_been_sent_needs_no_room(self):
        queue = LaunchQueue(UNLIMITED, full(HERE))
        searched, sent, stopped = entry("searched"), entry("sent"), entry("stopped")
        searched.launch.recovery = Recovery.SEARCH
        sent.launch.sent = True
        for each in (searched, sent, stopped):
            queue.add(each, not_before=0)
        stopped.stop_reason = "cleared"
        queue.make_ready(stopped)
        assert pop_all(queue, 0) == ["searched", "sent", "stopped"]
        assert searched.passes == ()

    def test_the_next_launch_of_a_refused_run_takes_its_old_position(self):
        queue = LaunchQueue(UNLIMITED, Gates())
        first, second = entry("first"), entry("second")
        for each in (first, second):
            queue.add(each, not_before=0)
        assert queue.pop(0) is first
        queue.keep_position(first, 0)
        queue.discard(first)
        queue.add(entry("first"), not_before=0)
        assert pop_all(queue, 0) == ["first", "second"]

    def test_a_run_takes_its_position_back_beside_what_its_last_launch_has_left_in_the_queue(self):
        queue = LaunchQueue(UNLIMITED, full(HERE))
        ahead, launch = entry("ahead", priority=9), entry("refused")
        for each in (ahead, launch):
            queue.add(each, not_before=0)
        assert queue.pop(0) is None, "both wait for room"
        launch.stop_reason = "cleared"
        queue.make_ready(launch)  # what it was in the line of its room stays there, behind "ahead"
        assert queue.pop(0) is launch
        queue.keep_position(launch, 0)
        queue.discard(launch)
        queue.add(last := entry("last"), not_before=0)
        assert queue.by_room(0) == {HERE: [ahead, last]}
        queue.add(again := entry("refused"), not_before=0)
        assert queue.by_room(0) == {HERE: [ahead, last, again]}

    def test_a_position_is_not_kept_for_ever(self):
        queue = LaunchQueue(UNLIMITED, Gates())
        for number in range(3):
            each = entry(str(number))
            queue.add(each, not_before=0)
            queue.keep_position(each, 100.0 * number)
            queue.discard(each)
        assert list(queue._kept) == ["2"]

    def test_a_run_that_was_refused_is_expected_until_it_is_back_or_has_stayed_away_for_too_long(self):
        queue = LaunchQueue(UNLIMITED, Gates())
        queue.expect("back", HERE, 0.0)
        queue.expect("away", THERE, 1.0)
        assert queue.expected(2.0) == [HERE, THERE]
        queue.add(entry("back"), not_before=3.0)
        assert queue.expected(EXPECTED + 0.9) == [THERE]
        assert queue.expected(EXPECTED + 1.0) == []

    def test_runs_that_were_refused_and_never_come_back_are_forgotten_though_nobody_asks(self):
        queue = LaunchQueue(UNLIMITED, Gates())
        for number in range(3):
            queue.expect(str(number), HERE, 100.0 * number)
        assert list(queue._refused) == ["2"]

    def test_the_runs_that_wait_for_a_room_are_those_of_all_lanes(self):
        queue = LaunchQueue(UNLIMITED, full(HERE))
        names = [("a", 1, HERE), ("b", 5, HERE), ("c", 1, HERE), ("d", 9, THERE)]
        for name, priority, room in names:
            queue.add(entry(name, priority=priority, room=room), not_before=0)
        queue.add(gone := entry("gone"), not_before=0)
        queue.add(entry("of a lane", priority=3, lane=RateShare("lane", 0.5)), not_before=0)
        assert queue.pop(0) is not None  # all are ready now
        queue.discard(gone)
        found = {
            room: [each.run_id for each in queue.in_order(runs)] for room, runs in queue.by_room(0).items()
        }
        assert found == {HERE: ["b", "of a lane", "a", "c"]}

    def test_a_standby_takes_the_most_urgent_run_of_its_pool_though_no_room_and_no_turn_is_free(self):
        queue = LaunchQueue(Rate(1, 1), full(HERE))
        slow = RateShare("slow", 0.1)
        for name, priority, lane, pool in (
            ("other", 9, None, None),
            ("low", 1, None, "pool"),
            ("high", 5, slow, "pool"),
            ("elsewhere", 7, None, "another"),
        ):
            each = entry(name, priority=priority, lane=lane)
            each.launch.pool, each.launch.claim = pool, (lambda _: None)
            queue.add(each, not_before=0)
        assert queue.pop(0) is None
        assert queue.pools(0.0) == ["pool", "another"], "the order must be the same in each process"
        popped = [queue.pop_for("pool", 0.0) for _ in range(3)]
        assert [each and each.run_id for each in popped] == ["high", "low", None]
        assert len(queue) == 2
        assert queue.pools(0.0) == ["another"]

    def test_a_run_that_may_have_been_sent_or_is_to_be_stopped_is_taken_by_no_standby(self):
        queue = LaunchQueue(UNLIMITED)
        runs = {name: entry(name) for name in ("sent", "replayed", "second", "stopped", "cold", "unclaimed")}
        for run in runs.values():
            run.launch.pool, run.launch.claim = "pool", (lambda _: None)
        runs["sent"].launch.sent = True
        runs["replayed"].launch.recovery = Recovery.REPLAY
        runs["second"].number = 2
        runs["stopped"].stop_reason = "enough"
        runs["cold"].launch.cold_because = "its request differs"
        runs["unclaimed"].launch.claim = None
        for run in runs.values():
            queue.add(run, not_before=0)
        assert queue.pools(0.0) == []
        assert queue.pop_for("pool", 0.0) is None
        assert len(pop_all(queue, 0)) == 6


def full(room: Room) -> Gates:
    """Return gates of which that of a room is shut."""
    gates = Gates()
    for _ in range(PROBES):
        gates.refuse(room, gates.take(room, 0.0), Shortage.ROOM, Diagnosis("No memory."), 0.0)
    return gates
