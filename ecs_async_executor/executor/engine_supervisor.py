"""Keeps an engine running: logs its death, starts a new one, and orders all live runs again."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from random import random

from ecs_async_executor.backoff import backoff
from ecs_async_executor.engine.aws.client import Connect
from ecs_async_executor.engine.options import EngineOptions
from ecs_async_executor.engine.thread import EngineThread
from ecs_async_executor.measurements import Measurements
from ecs_async_executor.messages import EngineDied, Order, Report
from ecs_async_executor.metrics import ENGINE_RESTARTS

log = logging.getLogger(__name__)

REPORTS_AT_ONCE = 100
"""How many reports one `drain` returns at most."""
RESTART_AGAIN_AFTER = 60.0
"""Seconds until the next try if a new engine doesn't start."""
STABLE_AFTER = 600.0
"""Seconds of uptime after which an engine's death counts as the first again."""


class EngineSupervisor:
    """Runs one engine at a time. All methods except `answer` are for the scheduler's thread; none waits for AWS."""

    def __init__(  # noqa: PLR0913  what differs between a scheduler and a test
        self,
        connect: Connect,
        options: EngineOptions,
        live_orders: Callable[[], Iterable[Order]],
        *,
        clock: Callable[[], float] = time.monotonic,
        measurements: Measurements | None = None,
        engine_measurements: Measurements | None = None,
    ) -> None:
        """Take where this thread notes what it measures, and where the engine's thread does."""
        self._connect = connect
        self._options = options
        self._live_orders = live_orders
        self._clock = clock
        self._deaths = 0
        """How many engines in a row died soon after their start."""
        self._started_at = clock()
        self._restart_at: float | None = None
        self._measurements = measurements or Measurements()
        self._engine_measurements = engine_measurements or Measurements()
        self._engine = self._new_engine()

    def __repr__(self) -> str:
        return f"<EngineSupervisor {self._engine!r}, {self._deaths} deaths>"

    def debug_dump(self) -> None:
        """Log its state, and have the engine log its own."""
        log.info("%r", self)
        self._engine.debug_dump()

    def start(self) -> None:
        """Start the first engine; raises `EngineStartError`."""
        self._engine.start()

    def submit(self, orders: Iterable[Order]) -> None:
        """Pass orders to the engine. A dead one drops them: its successor gets orders for all live runs."""
        self._engine.submit(orders)

    def answer(self, orders: Iterable[Order]) -> None:
        """Pass on what the engine waits for, and wake it. Not for the scheduler's thread."""
        self._engine.answer(orders)

    def drain(self) -> list[Report]:
        """Return some of the reports that have arrived; restart a dead engine when its back-off is over."""
        reports = list(self._engine.drain(REPORTS_AT_ONCE))
        died = next((report for report in reports if isinstance(report, EngineDied)), None)
        if died is not None:
            self._engine_measurements.gauges = {}
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
        """End the engine within `timeout` seconds and return its last reports. Containers keep running."""
        self._engine.close(timeout)
        return list(self._engine.drain())

    def _restart(self) -> None:
        self._restart_at = self._clock() + RESTART_AGAIN_AFTER  # unless the restart succeeds
        self._started_at = self._clock()
        try:
            orders = list(self._live_orders())
            engine = self._new_engine()
            engine.begin()  # without waiting for it: that would hold up the heartbeat
        except Exception:
            log.exception("The engine could not be started again; next try in %.0f s.", RESTART_AGAIN_AFTER)
            return
        self._engine = engine
        self._engine.submit(orders)
        self._restart_at = None
        self._measurements.count(ENGINE_RESTARTS)
        log.warning("The engine has been started again, with %d tasks in hand.", len(orders))

    def _new_engine(self) -> EngineThread:
        return EngineThread(self._connect, self._options, self._engine_measurements)
