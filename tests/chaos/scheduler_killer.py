"""Keeps schedulers running, and kills and freezes them again and again, at places and times that a seed decides."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tests.chaos.airflow import Airflow
from tests.chaos.kill_plan import PlannedKill
from tests.chaos.scheduler_life_cycle import Life

_TICK = 0.1
_LOOK = 1.0  # seconds between two looks at the database
LOST_SIGNALS = 2
"""SIGTERMs that Airflow core may lose in one run; more than that would be our fault."""


@dataclass
class LifeCycles:
    """What happened to the schedulers."""

    kills: Counter[str] = field(default_factory=Counter)
    """By place."""
    leaves: int = 0
    """Of the kills, those by SIGTERM."""
    freezes: int = 0
    crashes: list[str] = field(default_factory=list)
    """Schedulers that ended though nobody killed them, or that did not when they were told to."""
    orphans: list[str] = field(default_factory=list)
    """Processes that outlived the scheduler whose children they were."""


class OutOfTimeError(Exception):
    """Not everything was over in time."""


class SchedulerKiller:
    """Starts and ends the schedulers, so many at a time. ``timeout`` is in seconds, for all."""

    def __init__(
        self,
        airflow: Airflow,
        plan_kills: Iterator[PlannedKill],
        *,
        schedulers: int,
        timeout: float,
        check: Callable[[], None] = lambda: None,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.lives = LifeCycles()
        self._airflow = airflow
        self._dooms = plan_kills
        self._lost_signals = 0
        self._schedulers = schedulers
        self._names = (f"scheduler-{number:03}" for number in itertools.count(1))
        self._deadline = time.monotonic() + timeout
        self._next_look = 0.0
        self._check = check
        self._say = say

    def reap(self) -> None:
        """Until all tasks are over; raises OutOfTimeError."""
        living = [self._bear() for _ in range(self._schedulers)]
        while not self._all_is_over():
            self._check()
            time.sleep(_TICK)
            for place, life in enumerate(living):
                life.go_on()
                if life.is_over:
                    self._bury(life)
                    living[place] = self._bear()
        for life in living:
            life.leave()
        while living:
            time.sleep(_TICK)
            for life in living:
                life.go_on()
                if life.is_over:
                    self._note(life)
            living = [life for life in living if not life.is_over]

    def _bear(self) -> Life:
        return Life(self._airflow, next(self._names), next(self._dooms, None))

    def _bury(self, life: Life) -> None:
        self._note(life)
        if not life.ended_as_told:
            if len(self.lives.crashes) > 3:
                raise OutOfTimeError("The scheduler ends by itself again and again.")
            return
        self.lives.kills[life.place] += 1
        self.lives.leaves += life.scheduler.exit_code != -9
        how = "left" if life.scheduler.exit_code != -9 else "died"
        after = ", after a freeze" if life.freezes else ""
        self._say(f"{self.lives.kills.total()}. {life.scheduler.name} {how}: {life.place}{after}")

    def _note(self, life: Life) -> None:
        name = life.scheduler.name
        self.lives.freezes += life.freezes
        self.lives.crashes += life.complaints
        self._lost_signals += life.lost_its_signal
        if self._lost_signals > LOST_SIGNALS:
            self.lives.crashes.append(f"{name} is one of {self._lost_signals} that did not act on SIGTERM")
        if not life.ended_as_told:
            self.lives.crashes.append(f"{name} ended by itself, exit code {life.scheduler.exit_code}")
        self.lives.orphans += [f"{name} left {process!r}" for process in life.scheduler.leftovers()]

    def _all_is_over(self) -> bool:
        now = time.monotonic()
        if now < self._next_look:
            return False
        if now > self._deadline:
            raise OutOfTimeError("Not everything was over in time.")
        self._next_look = now + _LOOK
        return not self._airflow.database.unfinished()
