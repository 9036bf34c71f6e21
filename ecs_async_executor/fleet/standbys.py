"""The pools of standbys on the fleet page: one row for each pool of each scheduler. Pure."""

from __future__ import annotations

from typing import Any

from ecs_async_executor.fargate_prices import MONTH
from ecs_async_executor.fleet.live import Scheduler
from ecs_async_executor.messages import PoolStatus

_ENDED_AFTER = 250.0
"""Seconds of silence after which a dead scheduler's standbys have ended: the four minutes of its lease, and a status's ten."""


def view(scheduler: Scheduler) -> list[dict[str, Any]]:
    """Return the rows of a scheduler's pools, which name queues and no Dag. Times are in seconds, money in US dollars.

    One that has been silent for so long that its standbys must have ended has none.
    """
    engine = scheduler.status.engine
    if engine is None or scheduler.age >= _ENDED_AFTER:
        return []
    return [_row(each, scheduler) for each in engine.standbys]


def _row(pool: PoolStatus, scheduler: Scheduler) -> dict[str, Any]:
    hourly = scheduler.status.standby_prices.get(pool.pool)
    idle = pool.idle
    return {
        "scheduler": scheduler.status.job_id,
        "team": scheduler.status.team,
        "silent": scheduler.silent,
        "pool": pool.pool,
        "wanted": pool.wanted,
        "starting": pool.starting,
        "ready": pool.ready,
        "oldest": None if pool.oldest is None else round(pool.oldest, 1),
        "warm": pool.warm,
        "cold": pool.cold,
        "why_cold": [{"reason": reason, "tasks": count} for reason, count in pool.reasons],
        "rests": pool.off or None,
        "vcpus": idle and idle.vcpus,
        "gb": idle and idle.gb,
        "capacity": (idle.capacity or None) if idle is not None else None,
        "idle_seconds": None if idle is None else round(idle.seconds, 1),
        "dollars": None if hourly is None or idle is None else round(hourly * idle.seconds / 3600, 4),
        "dollars_a_month": None
        if hourly is None
        else round(hourly * MONTH * min(pool.wanted, pool.starting + pool.ready), 2),
    }
