"""Keeps an engine running: its death is logged, it is started anew, and what was live is ordered again."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from random import random

from ecs_async_executor.backoff import backoff
from ecs_async_executor.engine.aws.client import Connect
from ecs_async_executor.engine.options import EngineOptions
from ecs_async_executor.engine.thread import EngineThread
from ecs_async_executor.messages import EngineDied, Order, Report

log = logging.getLogger(__name__)

REPORTS_AT_ONCE = 100
"""Reports that one `drain` gives at most."""
RESTART_AGAIN_AFTER = 60.0
"""Seconds until the next try, if an engine can't even be started."""
STABLE_AFTER = 600.0
"""Seconds after which an engine's death starts a new count."""


class EngineSupervisor:
    """One engine at a time. All methods are for the scheduler's thread, and none waits for AWS."""

    def __init__(
        self,
        connect: Connect,
        options: EngineOptions,
        live_orders: Callable[[], Iterable[Order]],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connect = connect
        self._options = options
        self._live_orders = live_orders
        self._clock = clock
        self._deaths = 0
        """In a row, each soon after its start."""
        self._started_at = clock()
        self._restart_at: float | None = None
        self._engine = EngineThread(connect, options)

    def __repr__(self) -> str:
        return f"<EngineKeeper {self._engine!r}, {self._deaths} deaths>"

    def start(self) -> None:
        """Start the first engine; raises `EngineStartError`."""
        self._engine.start()

    def submit(self, orders: Iterable[Order]) -> None:
        """Hand orders over. A dead engine drops them: its successor is told all that is live."""
        self._engine.submit(orders)

    def drain(self) -> list[Report]:
        """Take some of the reports that have come, and see to it that an engine runs."""
        reports = list(self._engine.drain(REPORTS_AT_ONCE))
        died = next((report for report in reports if isinstance(report, EngineDied)), None)
        if died is not None:
            stable = self._clock() - self._started_at > STABLE_AFTER
            self._deaths = 1 if stable else self._deaths + 1
            delay = backoff(self._deaths, base=1.0, cap=60.0, random=random)
            self._restart_at = self._clock() + delay
            log.error(
                "The engine died (%s); starting it again in %.0f s. No task is lost.", died.error, delay
            )
        elif self._restart_at is not None and self._clock() >= self._restart_at and not reports:
            self._restart()
        return reports

    def close(self, timeout: float) -> list[Report]:
        """End the engine within `timeout` seconds and give its last reports. Containers live on."""
        self._engine.close(timeout)
        return list(self._engine.drain())

    def _restart(self) -> None:
        self._restart_at = self._clock() + RESTART_AGAIN_AFTER  # unless all of this goes well
        self._started_at = self._clock()
        try:
            orders = list(self._live_orders())
            self._engine = EngineThread(self._connect, self._options)
            self._engine.start()
        except Exception:
            log.exception("The engine could not be started again; next try in %.0f s.", RESTART_AGAIN_AFTER)
            return
        self._engine.submit(orders)
        self._restart_at = None
        log.warning("The engine runs again, with %d tasks in hand.", len(orders))
