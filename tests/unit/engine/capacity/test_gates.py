from __future__ import annotations

import pytest

from ecs_async_executor.engine.capacity.gate import OUTDATED, PROBES, Reason
from ecs_async_executor.engine.capacity.gates import Gates
from ecs_async_executor.engine.diagnosis.causes.cause import Shortage
from ecs_async_executor.messages import Diagnosis, Room

SMALL, LARGE = Room("c", ("spot",), "small"), Room("c", ("spot",), "large")
ELSEWHERE = Room("d", ("spot",), "small")
ON_DEMAND = Room("c", ("on-demand",), "small")
WHY = Diagnosis("No memory.")


def fill(gates: Gates, room: Room, shortage: Shortage = Shortage.ROOM) -> None:
    """Let ECS refuse launches until single probes follow pauses."""
    for _ in range(PROBES):
        gates.refuse(room, gates.take(room, 0.0), shortage, WHY, 0.0)


def is_open(gates: Gates, room: Room) -> bool:
    return gates.opens_at(room, 0.0) == 0.0


@pytest.mark.parametrize(
    ("shortage", "still_open"),
    [
        (Shortage.ROOM, [LARGE, ELSEWHERE, ON_DEMAND]),
        (Shortage.QUOTA, [ON_DEMAND]),
        (Shortage.PROVISIONING, [ELSEWHERE]),
    ],
)
def test_a_refusal_shuts_what_is_short(shortage: Shortage, still_open: list[Room]):
    gates = Gates()
    fill(gates, SMALL, shortage)
    assert [room for room in (SMALL, LARGE, ELSEWHERE, ON_DEMAND) if is_open(gates, room)] == still_open


def test_a_launch_without_providers_has_a_quota_of_its_own():
    gates = Gates()
    fill(gates, Room("c"), Shortage.QUOTA)
    assert not is_open(gates, Room("d"))
    assert is_open(gates, SMALL)


def test_an_end_frees_a_slot_for_every_size_in_the_same_place_and_the_first_to_launch_takes_it():
    gates = Gates()
    for room in (SMALL, LARGE, ELSEWHERE):
        fill(gates, room)
    gates.end(SMALL, 0.0)
    assert [is_open(gates, room) for room in (SMALL, LARGE, ELSEWHERE)] == [True, True, False]
    passes = gates.take(LARGE, 0.0)
    assert not is_open(gates, SMALL)
    gates.refuse(LARGE, passes, Shortage.ROOM, WHY, 0.0)
    assert is_open(gates, SMALL), "the slot was too small for the large one, and is still free"
    assert not is_open(gates, LARGE)


def test_a_launch_that_was_not_sent_leaves_the_slot_to_other_sizes():
    gates = Gates()
    for room in (SMALL, LARGE):
        fill(gates, room)
    gates.end(SMALL, 0.0)
    gates.withdraw(gates.take(LARGE, 0.0), 0.0)
    assert [is_open(gates, room) for room in (SMALL, LARGE)] == [True, True]


def test_an_end_frees_part_of_the_quota_in_every_cluster():
    gates = Gates()
    fill(gates, SMALL, Shortage.QUOTA)
    gates.end(ELSEWHERE, 0.0)
    assert is_open(gates, SMALL)
    assert is_open(gates, ELSEWHERE)


def test_a_task_that_leaves_provisioning_makes_room_for_another_one_there():
    gates = Gates()
    fill(gates, SMALL, Shortage.PROVISIONING)
    gates.end(SMALL, 0.0)
    assert not is_open(gates, SMALL)
    gates.leave_provisioning(LARGE, 0.0)
    assert is_open(gates, SMALL)


def test_a_refusal_for_one_shortage_says_nothing_about_another_one():
    gates = Gates()
    fill(gates, SMALL)
    gates.end(SMALL, 0.0)
    gates.refuse(SMALL, gates.take(SMALL, 0.0), Shortage.QUOTA, Diagnosis("No quota."), 7.0)
    assert gates.shut(ON_DEMAND, 7.0) is None
    shut = gates.shut(ELSEWHERE, 7.0)
    assert shut is not None
    assert (shut.since, shut.diagnosis.summary) == (7.0, "No quota.")


def test_the_reason_for_waiting_is_that_of_the_gate_that_was_shut_first():
    gates = Gates()
    assert gates.shut(SMALL, 7.0) is None
    gates.refuse(SMALL, (), Shortage.QUOTA, Diagnosis("No quota."), 5.0)
    gates.refuse(SMALL, (), Shortage.ROOM, WHY, 7.0)
    shut = gates.shut(SMALL, 7.0)
    assert shut is not None
    assert (shut.since, shut.diagnosis.summary) == (5.0, "No quota.")


def test_calls_that_were_under_way_when_a_quota_was_used_up_are_not_counted_at_its_gate():
    gates = Gates()
    before = gates.take(SMALL, 0.0)
    gates.refuse(SMALL, gates.take(SMALL, 0.0), Shortage.QUOTA, WHY, 0.0)
    gates.refuse(SMALL, before, Shortage.QUOTA, WHY, 0.0)
    gates.accept(gates.take(SMALL, 0.0), 0.0)
    assert is_open(gates, SMALL)


def test_a_slot_that_is_gone_is_tried_once_by_each_size_and_no_more():
    gates = Gates()
    rooms = [Room("c", ("spot",), size) for size in ("small", "large", "huge")]
    sent: list[Reason] = []
    for second in range(100):
        if second == 50:
            gates.end(rooms[0], second)
        for room in rooms:
            while gates.opens_at(room, second) <= second:
                passes = gates.take(room, second)
                sent += [each.reason for each in passes]
                gates.refuse(room, passes, Shortage.ROOM, WHY, second)
    assert sent.count(Reason.FREED) == len(rooms)


def test_a_slot_comes_back_only_to_the_sizes_that_had_it():
    gates = Gates()
    fill(gates, SMALL)
    gates.end(SMALL, 0.0)
    fill(gates, LARGE)
    gates.withdraw(gates.take(SMALL, 0.0), 0.0)
    assert [is_open(gates, room) for room in (SMALL, LARGE)] == [True, False]


def test_gates_that_nobody_uses_are_forgotten():
    gates = Gates()
    for number in range(100):
        gates.accept(gates.take(Room("c", size=f"open {number}"), 0.0), 0.0)
        fill(gates, Room("c", size=f"shut {number}"))
    under_way = gates.take(SMALL, 0.0)
    gates.take(LARGE, 2 * OUTDATED)
    assert len(gates) == 2
    gates.refuse(SMALL, under_way, Shortage.ROOM, WHY, 2 * OUTDATED)
    assert gates.shut(SMALL, 2 * OUTDATED) is not None


def test_what_a_gate_knows_is_worth_nothing_after_a_while_without_launches():
    gates = Gates()
    fill(gates, SMALL)
    assert gates.shut(SMALL, OUTDATED) is not None
    later = OUTDATED + 1.0
    assert gates.shut(SMALL, later) is None
    passes = [gates.take(SMALL, later) for _ in range(50)]
    gates.refuse(SMALL, passes[0], Shortage.ROOM, WHY, later)
    shut = gates.shut(SMALL, later)
    assert shut is not None
    assert shut.since == later


def test_a_probe_without_an_answer_keeps_its_gate_shut():
    gates = Gates()
    fill(gates, SMALL)
    gates.take(SMALL, 0.5)
    assert gates.shut(SMALL, 1000.0) is not None


def test_tasks_that_come_to_nothing_slow_launches_down_until_a_later_one_starts():
    gates = Gates()
    gates.come_to_nothing(SMALL, WHY, 0.0)
    now, pauses = 0.0, []
    for _ in range(7):
        at = gates.opens_at(SMALL, now)
        pauses.append(at - now)
        now = at
        gates.accept(gates.take(SMALL, now), now)
    assert pauses == [0.5, 1, 2, 4, 8, 12, 12]
    gates.start(SMALL, -1.0, now)
    assert not gates.opens_at(SMALL, now) <= now, "it was launched before"
    gates.start(SMALL, 0.5, now)
    assert gates.opens_at(SMALL, now) == now
