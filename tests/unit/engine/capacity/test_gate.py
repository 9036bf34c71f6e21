from __future__ import annotations

import math

import pytest

from ecs_async_executor.engine.capacity.gate import (
    ENOUGH,
    FLOWING,
    FORGOTTEN,
    LONGEST_PAUSE,
    MOST_ENDS,
    PROBES,
    REOPENED,
    SURE,
    TRUSTED,
    UNSEEN,
    Gate,
    Reason,
)


def refused(gate: Gate, now: float) -> float:
    """Send a launch that ECS refuses; return when the next one may follow."""
    gate.refuse(gate.take(now), now, sent_at=now)
    return gate.opens_at(now)


def accepted(gate: Gate, now: float) -> None:
    gate.accept(gate.take(now), now)


def may_send(gate: Gate, now: float) -> int:
    """Send as many launches as the gate lets through without an answer; return their number."""
    count = 0
    while gate.opens_at(now) == now and count < 100:
        gate.take(now)
        count += 1
    return count


@pytest.fixture
def full() -> Gate:
    """Return the gate of a room that ECS has refused so often that single probes follow pauses."""
    gate = Gate()
    for _ in range(PROBES):
        refused(gate, 0.0)
    return gate


@pytest.fixture
def flowing(full: Gate) -> Gate:
    """Return the gate of a room in which tasks end, and leave their slots to others."""
    for _ in range(TRUSTED):
        full.free(0.0)
        accepted(full, 10.0)
    return full


def test_an_open_gate_lets_every_launch_through():
    assert may_send(Gate(), 0.0) == 100


def test_a_refusal_among_successes_is_taken_for_an_exception():
    gate = Gate()
    assert refused(gate, 0.0) == 0.0
    assert may_send(gate, 0.0) == PROBES


def test_once_all_of_the_last_probes_have_failed_one_at_a_time_follows_a_pause(full: Gate):
    at = full.opens_at(0.0)
    assert at == 0.5
    assert may_send(full, at) == 1
    assert full.opens_at(at) == math.inf, "the answer must come first"


def test_the_pauses_between_single_probes_double_up_to_a_ceiling(full: Gate):
    now, pauses = full.opens_at(0.0), []
    for _ in range(7):
        pauses.append(refused(full, now) - now)
        now += pauses[-1]
    assert pauses == [1, 2, 4, 8, LONGEST_PAUSE, LONGEST_PAUSE, LONGEST_PAUSE]


def test_probes_double_while_they_succeed(full: Gate):
    counts, now = [], full.opens_at(0.0)
    for _ in range(4):
        count = may_send(full, now)
        counts.append(count)
        for _ in range(count):
            full.accept(Reason.PROBE, now)
    assert counts == [1, 2, 4, 8]


def test_a_gate_opens_again_after_many_probes_in_a_row_have_succeeded(full: Gate):
    for _ in range(REOPENED):
        accepted(full, full.opens_at(20.0))
    assert full.shut_at is None
    assert may_send(full, 20.0) == 100


def test_where_ecs_refuses_at_random_launches_go_on(full: Gate):
    now, made = full.opens_at(0.0), 0
    for outcome in [True, False, True, False, False, True, False, False] * 5:
        now = max(now, full.opens_at(now))
        (accepted if outcome else refused)(full, now)
        made += 1
    assert made == 40
    assert now == 0.5, "no pause was needed after the first success"


def test_a_task_that_ends_lets_the_next_one_through_at_once(full: Gate):
    assert full.opens_at(0.1) > 0.1
    full.free(0.0)
    assert full.opens_at(0.1) == 0.1
    assert full.take(0.1) is Reason.FREED
    assert full.opens_at(0.1) > 0.1


def test_slots_freed_while_the_gate_is_open_mean_nothing():
    gate = Gate()
    gate.free(0.0)
    assert gate.freed_slots == 0


def test_a_refusal_takes_back_all_freed_slots(full: Gate):
    full.free(0.0)
    full.free(0.0)
    refused(full, 0.1)
    assert full.freed_slots == 0


def freed(gate: Gate, now: float, ends: int = MOST_ENDS) -> None:
    """Let tasks end, and send a launch on a slot that they leave."""
    for _ in range(ends):
        gate.free(now)
    assert gate.take(now) is Reason.FREED


def test_after_a_refusal_on_a_freed_slot_only_the_second_end_lets_a_launch_through(full: Gate):
    full.take(1.0)  # a probe without an answer: only freed slots let launches through now
    freed(full, 1.0, ends=1)
    full.refuse(Reason.FREED, 1.0, sent_at=1.0)
    full.take(1.0)  # another probe
    full.free(1.1)
    assert full.opens_at(1.1) > 1.1
    for _ in range(3):
        full.free(1.2)
    assert may_send(full, 1.2) == 1, "and one at a time"
    full.accept(Reason.FREED, 1.3)
    assert full.take(1.3) is full.take(1.3) is Reason.FREED, "one that has succeeded ends the doubt"


def after(gate: Gate, outcomes: str) -> Reason:
    """Let launches on freed slots succeed (s) or be refused (r); return why the one after another refusal is sent."""
    for outcome in [*outcomes, "r"]:
        freed(gate, 50.0)
        while gate.freed_slots:
            gate.lose()
        if outcome == "s":
            gate.accept(Reason.FREED, 50.0)
        else:
            gate.refuse(Reason.FREED, 50.0, sent_at=50.0)
    return gate.take(99.0)


@pytest.mark.parametrize("outcomes", ["sr" * 10, "srrr" * 6, "sssr" * 6])
def test_where_launches_succeed_and_are_refused_in_turns_the_slot_is_tried_again_at_once(
    full: Gate, outcomes: str
):
    assert after(full, outcomes) is Reason.AGAIN


@pytest.mark.parametrize(
    "outcomes", ["s" * 20 + "r" * 25, "r" * 40, "s" * 40, "ssssssssr" * 8, "sr" * (ENOUGH // 2 - 1)]
)
def test_refusals_in_a_row_or_few_of_them_are_a_rivals(full: Gate, outcomes: str):
    assert after(full, outcomes) is Reason.PROBE


def test_a_slot_that_a_probe_has_taken_from_a_launch_on_its_way_is_not_tried_again(full: Gate):
    full.accept(after(full, "sr" * 10), 99.0)
    for reason in iter(lambda: full.take(99.0), Reason.PROBE):
        full.accept(reason, 99.0)
    freed(full, 100.0)
    while full.freed_slots:
        full.lose()
    full.accept(Reason.PROBE, 100.0, created_at=1000.0)
    full.refuse(Reason.FREED, 100.0, sent_at=100.0)
    assert full.take(200.0) is Reason.PROBE


def test_while_tasks_flow_a_refused_probe_is_believed_at_once(flowing: Gate):
    now = flowing.opens_at(10.5)
    assert refused(flowing, now) == now + LONGEST_PAUSE


def test_while_tasks_flow_probes_are_few_until_several_have_found_room(flowing: Gate):
    now, counts = flowing.opens_at(11.0), []
    for _ in range(5):
        count = may_send(flowing, now)
        counts.append(count)
        for _ in range(count):
            flowing.accept(Reason.PROBE, now)
        now = flowing.opens_at(now)
    assert counts == [1, 1, 1, 2, 4]
    assert now == 11.0 + 2 * UNSEEN, "the first three wait until polls have seen the ends before them"


def test_probes_that_may_have_found_the_slots_of_ends_not_seen_yet_prove_nothing(flowing: Gate):
    now = 20.0
    for _ in range(5):
        flowing.free(now)
        accepted(flowing, now)
    for _ in range(SURE + 5):
        accepted(flowing, now)
    assert may_send(flowing, now) == 2, "more than ends and a few"


def test_an_end_whose_slot_a_probe_has_found_frees_none(full: Gate):
    now = full.opens_at(0.0)
    full.accept(full.take(now), now, created_at=1000.0)
    full.free(now + 9.0, stopped_at=999.0)
    assert full.freed_slots == 0
    full.free(now + 9.0, stopped_at=999.0)
    assert full.freed_slots == 1, "the probe has found one slot, not two"


@pytest.mark.parametrize("stopped_at", [1001.0, None])
def test_a_probe_before_an_end_has_found_another_slot(full: Gate, stopped_at: float | None):
    now = full.opens_at(0.0)
    full.accept(full.take(now), now, created_at=1000.0)
    full.free(now + 9.0, stopped_at=stopped_at)
    assert full.freed_slots == 1


def test_a_probe_of_long_ago_has_found_no_slot_of_today(full: Gate):
    now = full.opens_at(0.0)
    full.accept(full.take(now), now, created_at=1000.0)
    full.free(now + 100.0, stopped_at=1000.0 + FORGOTTEN)
    full.free(now + 100.0, stopped_at=999.0)
    assert full.freed_slots == 2


def test_a_refusal_says_nothing_about_ends_that_were_seen_after_its_call(full: Gate):
    full.free(1.0)
    full.free(3.0)
    full.refuse(full.take(2.0), 4.0, sent_at=2.0)
    assert full.freed_slots == 1


def test_once_no_freed_slot_was_used_for_a_while_probes_decide_again(flowing: Gate):
    later = 10.0 + FLOWING
    flowing._probes.extend([False] * PROBES)
    accepted(flowing, later)
    assert may_send(flowing, later) == 2


def test_a_launch_that_was_not_sent_changes_nothing(full: Gate):
    full.free(0.0)
    full.withdraw(full.take(0.1), 0.1)
    assert full.freed_slots == 1
    assert full.take(0.1) is Reason.FREED


def test_a_task_that_ended_before_it_ran_counts_as_a_refusal():
    gate = Gate()
    gate.refuse(None, 5.0, sent_at=5.0)
    assert gate.shut_at == 5.0


def test_a_gate_that_is_shut_for_long_remembers_little():
    gate = Gate()
    for second in range(5_000):
        now = float(second)
        gate.refuse(None, now, sent_at=now)
        gate.refuse(None, now, sent_at=now)
        if gate.opens_at(now) == now:
            gate.accept(gate.take(now), now, created_at=now)
        gate.free(now)
    assert gate.shut_at is not None
    assert len(gate._found) <= FORGOTTEN + 1
    assert len(gate._ends) <= UNSEEN + 1
    assert gate.freed_slots <= 1
