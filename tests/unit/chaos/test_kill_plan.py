from __future__ import annotations

import json
from random import Random

from tests.chaos.fault_points import OF_STANDBYS, PLACES
from tests.chaos.kill_plan import ALL, FREEZE, OUTSIDE, PlannedKill, plan_kills

LIFE = 10.0


def made(seed: int = 1, *, kills: int = 60, freezes: int = 20) -> list[PlannedKill]:
    return list(plan_kills(random(seed), kills=kills, freezes=freezes, life=LIFE))


def random(seed: int) -> Random:
    return Random(seed)  # noqa: S311  it shall be repeatable


def test_there_are_as_many_as_were_asked_for():
    planned = made()

    assert len(planned) == 60
    assert sum(bool(plan.freeze) for plan in planned) == 20
    assert all(FREEZE[0] <= plan.freeze <= FREEZE[1] for plan in planned if plan.freeze)


def test_every_place_has_its_turn():
    assert {plan.place for plan in made(kills=len(ALL), freezes=0)} == {*PLACES, OUTSIDE}


def test_only_the_places_asked_for_are_used():
    planned = plan_kills(random(1), kills=3, freezes=0, life=LIFE, places=["adopt.after"])

    assert {plan.place for plan in planned} == {"adopt.after"}


def test_nobody_lives_longer_than_allowed():
    planned = made()

    assert all(plan.visit <= PLACES.get(plan.place, 1) for plan in planned)
    assert all(0 < plan.seconds <= LIFE for plan in planned if plan.place not in OF_STANDBYS)


def test_who_is_to_be_struck_at_a_hand_over_lives_until_standbys_are_ready():
    assert {plan.seconds for plan in made() if plan.place in OF_STANDBYS} == {3 * LIFE}


def test_a_few_are_told_to_leave_and_the_others_are_killed():
    signals = [plan.signal for plan in made()]

    assert set(signals) == {"SIGKILL", "SIGTERM"}
    assert signals.count("SIGKILL") > signals.count("SIGTERM")


def test_the_same_seed_makes_the_same_dooms():
    assert made(3) == made(3) != made(4)


def test_a_scheduler_strikes_itself_with_what_comes_first():
    plan = PlannedKill("sync.after", 2, LIFE, "SIGTERM")
    frozen = PlannedKill("sync.after", 2, LIFE, "SIGTERM", freeze=8.0)

    assert json.loads(plan.environment["CHAOS_KILL"]) == {
        "place": "sync.after",
        "visit": 2,
        "signal": "SIGTERM",
    }
    assert json.loads(frozen.environment["CHAOS_KILL"])["signal"] == "SIGSTOP"
    assert PlannedKill(OUTSIDE, 1, LIFE, "SIGKILL").environment == {}
