"""How ECS behaves: a hundred times as fast as AWS, and as badly as it can. Seconds, all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Some tasks are still queued when a killed scheduler is missed, as on AWS.
PLAN: Mapping[str, Any] = {"provisioning": [0.1, 0.5], "pending": [0.2, 7.0], "deprovisioning": 0.2}

STANDBY_PLAN: Mapping[str, Any] = {"started_by": "airflow/chaos/standby", "pending": [0.2, 2.0]}
"""Standbys start sooner: else few schedulers live to see them ready."""

_CONSISTENCY_LAG = 5.0
"""Above the time until a killed scheduler is missed: so ListTasks may not show yet what it launched at last."""

CONDITIONS: Mapping[str, Any] = {
    "latency": {"*": [0.02, 0.1], "RunTask": [0.2, 0.5], "s3:*": [0.01, 0.05], "s3:PutObject": [0.05, 0.3]},
    "throttling": True,
    "consistency_lag": _CONSISTENCY_LAG,
    "faults": [
        {"kind": "lost_response", "action": "RunTask", "probability": 0.1},
        {"kind": "lost_response", "action": "StopTask", "probability": 0.1},
        {"kind": "server_error", "probability": 0.05},
        {"kind": "throttle", "probability": 0.05},
        {"kind": "disguised_throttle", "action": "RunTask", "probability": 0.05},
        {"kind": "capacity", "probability": 0.04},
        # The quota, which strikes a launch that is sent again, too.
        {"kind": "task_limit", "action": "RunTask", "probability": 0.04},
        {"kind": "start_failure", "probability": 0.05},
        # Sooner than any task starts: one that runs would rightly fail.
        {"kind": "spot_before_start", "seconds": 0.2, "probability": 0.03},
        {"kind": "lost_response", "action": "s3:PutObject", "probability": 0.1},
        {"kind": "lost_request", "action": "s3:PutObject", "probability": 0.05},
        {"kind": "access_denied", "action": "s3:PutObject", "probability": 0.02},
        {"kind": "server_error", "action": "s3:*", "probability": 0.05},
        {"kind": "throttle", "action": "s3:*", "probability": 0.05},
        {"kind": "missing_denied", "action": "s3:GetObject", "probability": 0.5},
    ],
}

_REFUSALS = frozenset({"capacity", "task_limit", "throttle", "disguised_throttle"})


def conditions(*, calm: bool = False) -> Mapping[str, Any]:
    """Return the conditions; `calm`: ECS refuses a fifth as often, and so keeps more standbys ready."""
    share = 0.2 if calm else 1.0
    faults = [
        {**fault, "probability": fault["probability"] * (share if fault["kind"] in _REFUSALS else 1.0)}
        for fault in CONDITIONS["faults"]
    ]
    return {**CONDITIONS, "faults": faults}


RECLAIMED = 0.01
"""The probability, at each look of a standby, that its capacity is reclaimed."""

EXECUTOR: Mapping[str, str] = {
    "AIRFLOW__ECS_ASYNC_EXECUTOR__POLL_INTERVAL": "1",
    "AIRFLOW__ECS_ASYNC_EXECUTOR__MISSING_GRACE": str(_CONSISTENCY_LAG + 3),
    # So many that no task ever fails for it.
    "AIRFLOW__ECS_ASYNC_EXECUTOR__MAX_RUN_TASK_ATTEMPTS": "20",
}
"""The executor's options that go with it."""
