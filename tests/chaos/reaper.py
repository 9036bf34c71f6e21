"""Keeps one scheduler running, and kills it again and again, at places and times that a seed decides."""

from __future__ import annotations

import itertools
import json
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tests.chaos.airflow import Airflow
from tests.chaos.places import DANGEROUS, PLACES
from tests.chaos.processes import Child

OUTSIDE = "from outside"
_TICK = 0.1
_LOOK = 1.0  # seconds between two looks at the database


@dataclass(frozen=True)
class Doom:
    """How one scheduler shall die: at a visit of a place, and from outside after so many seconds at the latest."""

    place: str
    visit: int
    seconds: float

    @property
    def environment(self) -> dict[str, str]:
        """What the scheduler needs to know of it."""
        if self.place == OUTSIDE:
            return {}
        return {"CHAOS_DEATH": json.dumps({"place": self.place, "visit": self.visit})}


def dooms(rng: random.Random, life: float) -> Iterator[Doom]:
    """Every place in turn, shuffled anew each time round. No life lasts longer than `life` seconds."""
    while True:
        places = [*PLACES, *DANGEROUS, OUTSIDE]
        rng.shuffle(places)
        for place in places:
            if place == OUTSIDE:
                yield Doom(place, 0, rng.uniform(life / 10, life))
            else:
                yield Doom(place, rng.randint(1, PLACES[place]), life)


@dataclass
class Lives:
    """What happened to the schedulers."""

    kills: Counter[str] = field(default_factory=Counter)
    """By place."""
    crashes: list[str] = field(default_factory=list)
    """Schedulers that ended though nobody killed them."""
    orphans: list[str] = field(default_factory=list)
    """Processes that outlived the scheduler whose children they were."""


class OutOfTimeError(Exception):
    """Not everything was over in time."""


class Reaper:
    """Starts and ends the schedulers. ``life`` is in seconds for each, ``timeout`` for all."""

    def __init__(
        self,
        airflow: Airflow,
        *,
        kills: int,
        life: float,
        rng: random.Random,
        timeout: float,
        check: Callable[[], None] = lambda: None,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.lives = Lives()
        self._airflow = airflow
        self._kills = kills
        self._dooms = dooms(rng, life)
        self._names = (f"scheduler-{number:03}" for number in itertools.count(1))
        self._deadline = time.monotonic() + timeout
        self._next_look = 0.0
        self._check = check
        self._say = say

    def reap(self) -> None:
        """Until all tasks are over; raises OutOfTimeError."""
        while self.lives.kills.total() < self._kills:
            if self._live(next(self._dooms)):
                return
        self._live(None)

    def _live(self, doom: Doom | None) -> bool:
        """One scheduler from its start to its end; True if all is over."""
        scheduler = self._airflow.scheduler(next(self._names), **(doom.environment if doom else {}))
        born = time.monotonic()
        while not scheduler.ended.wait(_TICK):
            self._check()
            if self._all_is_over():
                self._leave(scheduler)
                return True
            if doom is not None and time.monotonic() - born > doom.seconds:
                scheduler.kill()
                scheduler.ended.wait()
        self._bury(scheduler)
        return False

    def _leave(self, scheduler: Child) -> None:
        scheduler.kill(signal.SIGTERM)
        if not scheduler.ended.wait(20):
            self.lives.crashes.append(f"{scheduler.name} did not end after SIGTERM")
            scheduler.kill()

    def _bury(self, scheduler: Child) -> None:
        if scheduler.exit_code != -signal.SIGKILL:
            self.lives.crashes.append(f"{scheduler.name} ended by itself, exit code {scheduler.exit_code}")
            if len(self.lives.crashes) > 3:
                raise OutOfTimeError("The scheduler ends by itself again and again.")
            return
        self.lives.orphans += [f"{scheduler.name} left {process!r}" for process in scheduler.leftovers()]
        deaths = Counter(self._airflow.deaths)
        deaths[OUTSIDE] = self.lives.kills[OUTSIDE]
        place = next(iter(deaths - self.lives.kills), OUTSIDE)
        self.lives.kills[place] += 1
        self._say(f"{self.lives.kills.total()}. {scheduler.name} died: {place}")

    def _all_is_over(self) -> bool:
        now = time.monotonic()
        if now < self._next_look:
            return False
        if now > self._deadline:
            raise OutOfTimeError("Not everything was over in time.")
        self._next_look = now + _LOOK
        return not self._airflow.database.unfinished()
