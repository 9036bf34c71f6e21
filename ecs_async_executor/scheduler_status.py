"""What one scheduler publishes about itself: it writes a row of the Audit Log, and API servers read it.

It names no Dag and no task, because everybody who may open the fleet page sees it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from ecs_async_executor.messages import EngineStatus

INTERVAL = 10.0
"""Seconds between two statuses of one scheduler."""


@dataclass(frozen=True, slots=True)
class SchedulerStatus:
    """One executor of one scheduler, at one moment."""

    job_id: int
    """The scheduler's id in Airflow's `job` table; rows show it as `queued_by_job_id`."""
    at: float
    """When it was written: seconds since 1970, by the scheduler's clock."""
    version: str
    """Of this package."""
    runs: int
    """Runs the executor hasn't finished with, callbacks included."""
    slots: int
    """Airflow's slots in use."""
    parallelism: int
    """Slots there are."""
    waiting_for_slot: int
    """Tasks that Airflow has queued and not handed over, because all slots are in use."""
    engine: EngineStatus | None
    """None: the engine hasn't reported for a while."""
    paused: str | None = None
    """Why AWS can't be used at all; None: it can."""
    paused_since: float | None = None
    """Seconds since 1970."""
    team: str | None = None
    """The team whose executor it is, in a multi-team Airflow."""
    standby_prices: Mapping[str, float] = field(default_factory=dict)
    """US dollars that one standby costs an hour, by pool; a pool whose price isn't known is missing."""


def encode(status: SchedulerStatus) -> str:
    """Return it as JSON."""
    return msgspec.json.encode(status).decode()


def decode(text: str | None) -> SchedulerStatus | None:
    """Read what `encode` returned; None if it is something else, such as another version's status."""
    try:
        return msgspec.json.decode(text or "", type=SchedulerStatus)
    except msgspec.MsgspecError:
        return None
