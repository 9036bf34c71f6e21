"""Runs that standbys serve: the part of the ledger's state machine from the launch queue to the standby's ECS task. Sans-I/O.

WAITING ──take──▶ ASSIGNED ──hand_over──▶ HANDING_OVER ──handed_over──▶ WATCHING
▲                 │                          │
└── start_cold ───┴── not_handed_over ───────┴──▶ ENDED (LaunchFailed, Cancelled)
"""

from __future__ import annotations

from ecs_async_executor.engine.standby.pool import Standby
from ecs_async_executor.engine.state.entry import Entry, Phase, State
from ecs_async_executor.engine.state.ledger import Ledger
from ecs_async_executor.messages import Cancelled, Diagnosis, HandedOver, Launched, LaunchFailed, Report


class WarmStarts:
    """Moves a ledger's runs from their launch to a standby. The caller passes the time, on the ledger's clock."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def take(self, standby: Standby, now: float) -> Entry | None:
        """Take the run that a standby is to serve; None if none waits for one of its pool."""
        entry = self._ledger.launches.pop_for(standby.pool, now)
        if entry is not None:
            self._ledger.uploads_ahead.discard(entry)
            self._ledger.move(entry, State.ASSIGNED, "a standby is to serve it", now)
        return entry

    def is_waiting(self, standby: Standby) -> bool:
        """Return whether a standby's task runs, as far as DescribeTasks has shown."""
        entry = self._ledger.entry(standby.run_id)
        return (
            entry is not None
            and entry.task.phase is Phase.RUNNING
            and not entry.task.missing
            and entry.stop_reason is None
        )

    def start_cold(self, entry: Entry, why: str, now: float) -> None:
        """Queue an assigned run again, for RunTask: no row names its standby."""
        if self._ledger.holds(entry):
            entry.launch.cold_because = why
            self._ledger.queue(entry, f"starts cold: {why}", now)

    def hand_over(self, entry: Entry, standby: Standby, now: float) -> None:
        """Note that an assigned run's row names its standby: its workload is being written now."""
        self._ledger.payload_objects.delete(entry)  # what was uploaded while it waited for RunTask
        entry.stored = entry.standby_url = standby.url
        entry.is_warm = True
        self._ledger.move(entry, State.HANDING_OVER, "its row names the standby", now)

    def handed_over(self, entry: Entry, standby: Standby, now: float, *, surely: bool) -> list[Report]:
        """Let a run take over its standby's task; unless it has `surely` got the workload, that is settled later."""
        task = self._ledger.entry(standby.run_id)
        if task is not None:
            self._ledger.remove(task, "a run has its task", now)
        age = standby.age(now)
        self._ledger.standbys.served(standby, now)
        if not self._ledger.holds(entry):
            return []
        container = entry.container
        self._ledger.start_watching(entry, standby.arn, standby.cluster, container, now)
        entry.task.reach(Phase.RUNNING, now)
        entry.task.standby_age = age
        entry.task.seen = entry.task.seen_running = entry.task.provisioned = True
        entry.listed = False
        if not surely:
            self._ledger.unsettled_standbys.append(entry)
        launched = Launched(
            entry.run_id,
            entry.number,
            standby.arn,
            standby.cluster,
            container,
            standby.capacity,
            start=f"warm start: in a standby that had been running for {age:.0f} s",
        )
        return [launched, HandedOver(entry.run_id)]

    def not_handed_over(self, entry: Entry, why: Diagnosis, now: float) -> list[Report]:
        """End the launch of a run that its standby surely never gets."""
        if not self._ledger.holds(entry):
            return []
        if entry.state is State.HANDING_OVER:
            entry.stored = None  # its standby lives, and others may have told it to leave
        if entry.stop_reason is not None:
            return self._ledger.end(entry, Cancelled(entry.run_id), now)
        self._ledger.launches.keep_position(entry, now)
        report = LaunchFailed(entry.run_id, entry.number, why, permanent=False, standby=True)
        return self._ledger.end(entry, report, now)
