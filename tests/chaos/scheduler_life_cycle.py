"""One scheduler from its birth to its end: it is frozen, killed or told to leave as the plan says."""

from __future__ import annotations

import signal
import time

from tests.chaos.airflow import Airflow
from tests.chaos.departures import LEAVE, kill_if_it_lost_its_signal, stumbled
from tests.chaos.kill_plan import OUTSIDE, PlannedKill
from tests.chaos.processes import Child


class Life:
    """Without a planned kill it lives until `leave` is called."""

    def __init__(self, airflow: Airflow, name: str, plan: PlannedKill | None) -> None:
        self._airflow = airflow
        self._plan = plan
        self.scheduler: Child = airflow.scheduler(name, **(plan.environment if plan else {}))
        self._next = time.monotonic() + plan.seconds if plan else None
        """When something is done to it from outside."""
        self._thaw = False
        self._told: float | None = None
        self.freezes = 0
        self.lost_its_signal = False
        """Core lost its SIGTERM."""
        self.complaints: list[str] = []

    @property
    def place(self) -> str:
        """Where it was struck."""
        return self._airflow.struck(self.scheduler.name) or OUTSIDE

    @property
    def is_over(self) -> bool:
        """Whether the process has ended."""
        return self.scheduler.ended.is_set()

    @property
    def ended_as_told(self) -> bool:
        """Whether it ended by a signal of ours: 0 is its answer to SIGTERM, or -15 before it can answer."""
        code = self.scheduler.exit_code
        if code == -signal.SIGKILL:
            return True
        polite = self._told is not None or (self._plan is not None and self._plan.signal == "SIGTERM")
        return polite and (code in {0, -signal.SIGTERM} or stumbled(self.scheduler))

    def go_on(self) -> None:
        """Do to it what is due."""
        if self.is_over:
            return
        now = time.monotonic()
        if self._told is not None:
            self._see_to_its_leaving(now)
        elif self._plan is not None and self._plan.freeze and not self.freezes:
            if self.scheduler.is_frozen or self._is_due(now):
                self.scheduler.kill(signal.SIGSTOP)
                self.freezes, self._thaw = 1, True
                self._next = now + self._plan.freeze
        elif self._plan is not None and self._is_due(now):
            if self._thaw:
                self.scheduler.kill(signal.SIGCONT)
                self._thaw, self._next = False, now + self._plan.rest
            elif self._plan.signal == "SIGTERM":
                self.leave()
            else:
                self.scheduler.kill()
                self.scheduler.ended.wait(5)

    def leave(self) -> None:
        """Tell it to leave."""
        self.scheduler.kill(signal.SIGCONT)
        self.scheduler.kill(signal.SIGTERM)
        self._told = time.monotonic()

    def _is_due(self, now: float) -> bool:
        return self._next is not None and now > self._next

    def _see_to_its_leaving(self, now: float) -> None:
        if self._told is not None and now - self._told > LEAVE:
            self.lost_its_signal = kill_if_it_lost_its_signal(self.scheduler)
            if not self.lost_its_signal:
                self.complaints.append(f"{self.scheduler.name} did not leave within {LEAVE:.0f} s of SIGTERM")
