from __future__ import annotations

import pytest

from ecs_async_executor.engine.capacity.gate import PROBES
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
    gates.withdraw(gates.take(LARGE, 0.0))
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
    assert gates.shut(ON_DEMAND) is None
    shut = gates.shut(ELSEWHERE)
    assert shut is not None
    assert (shut.since, shut.diagnosis.summary) == (7.0, "No quota.")


def test_the_reason_for_waiting_is_that_of_the_gate_that_was_shut_first():
    gates = Gates()
    assert gates.shut(SMALL) is None
    gates.refuse(SMALL, (), Shortage.QUOTA, Diagnosis("No quota."), 5.0)
    gates.refuse(SMALL, (), Shortage.ROOM, WHY, 7.0)
    shut = gates.shut(SMALL)
    assert shut is not None
    assert (shut.since, shut.diagnosis.summary) == (5.0, "No quota.")


def test_calls_that_were_under_way_when_a_quota_was_used_up_are_not_counted_at_its_gate():
    gates = Gates()
    before = gates.take(SMALL, 0.0)
    gates.refuse(SMALL, gates.take(SMALL, 0.0), Shortage.QUOTA, WHY, 0.0)
    gates.refuse(SMALL, before, Shortage.QUOTA, WHY, 0.0)
    gates.accept(gates.take(SMALL, 0.0), 0.0)
    assert is_open(gates, SMALL)
