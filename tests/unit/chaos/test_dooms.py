from __future__ import annotations

import json
from random import Random

from tests.chaos.dooms import ALL, FREEZE, OUTSIDE, Doom, dooms
from tests.chaos.places import PLACES

LIFE = 10.0


def made(seed: int = 1, *, kills: int = 60, freezes: int = 20) -> list[Doom]:
    return list(dooms(random(seed), kills=kills, freezes=freezes, life=LIFE))


def random(seed: int) -> Random:
    return Random(seed)  # noqa: S311  it shall be repeatable


def test_there_are_as_many_as_were_asked_for():
    doomed = made()

    assert len(doomed) == 60
    assert sum(bool(doom.freeze) for doom in doomed) == 20
    assert all(FREEZE[0] <= doom.freeze <= FREEZE[1] for doom in doomed if doom.freeze)


def test_every_place_has_its_turn():
    assert {doom.place for doom in made(kills=len(ALL), freezes=0)} == {*PLACES, OUTSIDE}


def test_only_the_places_asked_for_are_used():
    doomed = dooms(random(1), kills=3, freezes=0, life=LIFE, places=["adopt.after"])

    assert {doom.place for doom in doomed} == {"adopt.after"}


def test_nobody_lives_longer_than_allowed():
    assert all(0 < doom.seconds <= LIFE and doom.visit <= PLACES.get(doom.place, 1) for doom in made())


def test_a_few_are_told_to_leave_and_the_others_are_killed():
    signals = [doom.signal for doom in made()]

    assert set(signals) == {"SIGKILL", "SIGTERM"}
    assert signals.count("SIGKILL") > signals.count("SIGTERM")


def test_the_same_seed_makes_the_same_dooms():
    assert made(3) == made(3) != made(4)


def test_a_scheduler_strikes_itself_with_what_comes_first():
    doom = Doom("sync.after", 2, LIFE, "SIGTERM")
    frozen = Doom("sync.after", 2, LIFE, "SIGTERM", freeze=8.0)

    assert json.loads(doom.environment["CHAOS_DOOM"]) == {
        "place": "sync.after",
        "visit": 2,
        "signal": "SIGTERM",
    }
    assert json.loads(frozen.environment["CHAOS_DOOM"])["signal"] == "SIGSTOP"
    assert Doom(OUTSIDE, 1, LIFE, "SIGKILL").environment == {}
