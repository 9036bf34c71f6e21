"""What shall happen to each scheduler, decided beforehand by a seed. Pure."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.chaos.fault_points import DANGEROUS, OF_STANDBYS, PLACES

OUTSIDE = "from outside"
ALL = (*PLACES, *DANGEROUS, OUTSIDE)
_POLITE = 0.2
"""The share of the kills that are a SIGTERM: the scheduler leaves in order, and its containers live on."""
_LONGER = 3
"""So many times as long as others may a scheduler live that is to be struck when it hands a workload over."""
FREEZE = (6.0, 22.0)
"""Seconds. Enough to be taken for dead, and that all may go on without it: containers end, tasks are queued again."""


@dataclass(frozen=True)
class PlannedKill:
    """One scheduler's: something strikes it at a visit of a place, or from outside after so many seconds."""

    place: str
    visit: int
    seconds: float
    signal: str
    """Name of the signal that ends it."""
    freeze: float = 0.0
    """Seconds for which it is frozen first (SIGSTOP, SIGCONT): at the place, where else it would end."""
    rest: float = 0.0
    """Seconds that it may live after that."""

    @property
    def environment(self) -> dict[str, str]:
        """What the scheduler needs to know of it."""
        if self.place == OUTSIDE:
            return {}
        strike = "SIGSTOP" if self.freeze else self.signal
        return {"CHAOS_KILL": json.dumps({"place": self.place, "visit": self.visit, "signal": strike})}


def plan_kills(
    rng: random.Random, *, kills: int, freezes: int, life: float, places: Sequence[str] = ALL
) -> Iterator[PlannedKill]:
    """So many kills, of which so many have a freeze before: every place in turn, shuffled anew each time round.

    No scheduler lives longer than `life` seconds untouched, or three times as long if it must have standbys first.
    """
    frozen = [True] * freezes + [False] * (kills - freezes)
    rng.shuffle(frozen)
    turns = _turns(rng, places)
    for freezes_first in frozen:
        place = next(turns)
        seconds = rng.uniform(life / 10, life) if place == OUTSIDE else life
        if place in OF_STANDBYS:
            seconds *= _LONGER
        yield PlannedKill(
            place,
            rng.randint(1, PLACES.get(place, 1)),
            seconds,
            signal="SIGTERM" if rng.random() < _POLITE else "SIGKILL",
            freeze=rng.uniform(*FREEZE) if freezes_first else 0.0,
            rest=rng.uniform(1, life),
        )


def _turns(rng: random.Random, places: Sequence[str]) -> Iterator[str]:
    while True:
        yield from rng.sample(places, len(places))
