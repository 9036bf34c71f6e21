"""Starts the components in order, runs the example Dags and watches until all of them have ended."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import httpx

from ecs_async_executor.demo.airflow_api import AirflowApi
from ecs_async_executor.demo.components import Component
from ecs_async_executor.demo.display import ComponentStatus, View
from ecs_async_executor.demo.expectations import EXPECTED, LONG_RUN, complaints
from ecs_async_executor.demo.interruption import Interruption
from ecs_async_executor.demo.local_ecs import LocalEcs
from ecs_async_executor.demo.observer import Observer
from ecs_async_executor.demo.processes import Processes
from ecs_async_executor.demo.screen import Screen
from ecs_async_executor.demo.snapshot import Snapshot
from ecs_async_executor.errors import EcsAsyncError

_TICK = 0.25  # seconds between two snapshots: often enough to see every phase


class DemoFailedError(EcsAsyncError):
    """The demo can't finish; the message says why."""


@dataclass(kw_only=True)
class Runner:
    """One run of the demo.

    The display shows `address` once the UI is up; `timeout` is in seconds, from now to the end of the last Dag run.
    """

    processes: Processes
    ecs: LocalEcs
    api: AirflowApi
    observer: Observer
    screen: Screen
    interruption: Interruption
    address: str
    timeout: float
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _began: float = field(init=False)
    _started: list[Component] = field(default_factory=list, init=False)
    _ready_after: dict[str, float] = field(default_factory=dict, init=False)
    run_ids: dict[str, str] = field(default_factory=dict, init=False)
    """The Dag run of each Dag that was triggered."""
    _snapshot: Snapshot = field(default=Snapshot(at=0.0), init=False)

    def __post_init__(self) -> None:
        self._began = self.clock()

    def perform(self) -> Snapshot:
        """Start everything and run until every Dag run has ended.

        Raises ComponentFailedError, DemoFailedError (timeout, a Dag that can't be imported, an API error) or
        Interrupted.
        """
        try:
            self._start(self.processes.local_ecs, self.processes.migration)
            self._until(self._infrastructure_is_ready)
            self._start(*self.processes.airflow)
            self._until(self._api_answers)
            self.api.warm_up()
            self._run_dags()
            self._until(self._all_is_over)
        except httpx.HTTPError as error:
            self._check()  # if the API server died, report why instead of its silence
            raise DemoFailedError(f"Airflow's REST API failed: {error}") from error
        return self._snapshot

    def start_long_run(self) -> None:
        """Start a Dag run whose log grows for minutes. Raises httpx.HTTPError."""
        self.run_ids[LONG_RUN] = self.api.trigger(LONG_RUN)

    def keep(self) -> None:
        """Watch the components until the user interrupts. Raises ComponentFailedError or Interrupted."""
        while True:
            self._check()
            self.sleep(_TICK)

    def _start(self, *components: Component) -> None:
        for component in components:
            component.start()
            self._started.append(component)

    def _until(self, done: Callable[[], bool]) -> None:
        """Tick until `done` returns true."""
        while not done():
            self._check()
            if self._elapsed > self.timeout:
                raise DemoFailedError(self._what_is_missing())
            self._take_snapshot()
            self.sleep(_TICK)

    def _check(self) -> None:
        self.interruption.check()
        for component in self._started:
            component.check()

    def _take_snapshot(self) -> None:
        if self.processes.migration.name in self._ready_after:
            # If it is busy, the next snapshot will do. If it is dead, the next check reports it.
            with suppress(httpx.TransportError, sqlite3.OperationalError):
                self._snapshot = self.observer.snapshot()
        self.screen.show(
            View(
                elapsed=self._elapsed,
                components=tuple(
                    ComponentStatus(component.name, self._ready_after.get(component.name))
                    for component in self.processes.everything
                ),
                snapshot=self._snapshot,
                address=self.address if self.processes.api_server.name in self._ready_after else None,
            )
        )

    def _infrastructure_is_ready(self) -> bool:
        migration = self.processes.migration
        if migration.exit_code == 0:
            self._note_ready(migration)
        if self.ecs.logs_url() is not None:
            self._note_ready(self.processes.local_ecs)
        return len(self._ready_after) == 2

    def _api_answers(self) -> bool:
        return self._note_health().get("metadatabase", False)

    def _all_is_over(self) -> bool:
        if len(self._ready_after) < len(self.processes.everything):
            self._note_health()
        begun = {run.dag_id for run in self._snapshot.dag_runs}
        return begun >= set(EXPECTED) and self._snapshot.is_over

    def _note_health(self) -> dict[str, bool]:
        health = self.api.health()
        parts = {
            "metadatabase": self.processes.api_server,
            "scheduler": self.processes.scheduler,
            "dag_processor": self.processes.dag_processor,
            "triggerer": self.processes.triggerer,
        }
        for part, component in parts.items():
            if health.get(part):
                self._note_ready(component)
        return health

    def _note_ready(self, component: Component) -> None:
        self._ready_after.setdefault(component.name, self._elapsed)

    def _run_dags(self) -> None:
        """Trigger each Dag as soon as the Dag processor has delivered it."""
        waiting = list(EXPECTED)

        def all_triggered() -> bool:
            self._note_health()
            delivered = self.api.dag_ids()
            for dag_id in [dag_id for dag_id in waiting if dag_id in delivered]:
                self.run_ids[dag_id] = self.api.trigger(dag_id)
                waiting.remove(dag_id)
            errors = self.api.import_errors() if waiting else []
            if errors:
                raise DemoFailedError("A Dag can't be imported: " + "\n".join(errors))
            return not waiting

        self._until(all_triggered)

    @property
    def _elapsed(self) -> float:
        return self.clock() - self._began

    def _what_is_missing(self) -> str:
        seconds = f"{self.timeout:.0f} seconds"
        unready = [c for c in self.processes.everything if c.name not in self._ready_after]
        if unready:
            return "\n".join(str(component.failure(f"is not ready after {seconds}")) for component in unready)
        return "\n".join(
            [f"The Dags have not ended after {seconds}:", *(each.text for each in complaints(self._snapshot))]
        )
