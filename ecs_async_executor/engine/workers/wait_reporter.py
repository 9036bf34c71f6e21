"""Reports launches that wait for long: for room, for their image, or for what holds up all (a pause, a throttle, the rate)."""

from __future__ import annotations

import anyio

from ecs_async_executor.engine.admission.calls import Calls, Emit
from ecs_async_executor.engine.state.entry import State
from ecs_async_executor.engine.state.ledger import Ledger
from ecs_async_executor.engine.state.long_waits import HELD_UP, LongWaits

HELD_UP_AFTER = 60.0
"""Seconds that a launch waits before its reason is reported: most pauses and throttles are over by then."""
INTERVAL = 5.0
"""Seconds between two looks."""
REPORTS_AT_ONCE = 100
"""Reports of one look at most: each becomes a row in the Audit Log, which Airflow's scheduler loop writes."""


class WaitReporter:
    """Looks now and then whether launches wait for long."""

    def __init__(self, ledger: Ledger, calls: Calls, emit: Emit) -> None:
        self._long_waits = LongWaits(ledger)
        self._calls = calls
        self._emit = emit

    async def run(self) -> None:
        """Report until cancelled."""
        while True:
            await anyio.sleep(INTERVAL)
            now = anyio.current_time()
            for report in self._long_waits.end_or_report(now, HELD_UP_AFTER, REPORTS_AT_ONCE):
                self._emit(report)
            since = now - HELD_UP_AFTER
            why, states = self._calls.outage, HELD_UP
            if why is None:  # only those whose turn it would be wait for RunTask's rate
                why, states = self._calls.hold_up, frozenset({State.WAITING})
                for report in self._long_waits.short_of_image(since, REPORTS_AT_ONCE):
                    self._emit(report)
            if why is not None:
                for report in self._long_waits.held_up(why, states, now, HELD_UP_AFTER, REPORTS_AT_ONCE):
                    self._emit(report)
