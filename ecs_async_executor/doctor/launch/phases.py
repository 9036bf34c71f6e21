"""How long an ECS task took to get where it is, by DescribeTasks' times. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

# From one moment to the next (API reference: Task).
_PHASES = (
    ("provisioning", "createdAt", "pullStartedAt"),
    ("pulling the image", "pullStartedAt", "pullStoppedAt"),
    ("starting", "pullStoppedAt", "startedAt"),
    ("running", "startedAt", "executionStoppedAt"),
    ("cleaning up", "executionStoppedAt", "stoppedAt"),
)


def phases(task: Mapping[str, Any]) -> dict[str, float]:
    """Return the seconds of each phase that is over."""
    found = {}
    for name, first, last in _PHASES:
        begin, end = _seconds(task.get(first)), _seconds(task.get(last))
        if begin is not None and end is not None:
            found[name] = max(0.0, end - begin)
    return found


def in_words(seconds: Mapping[str, float]) -> str:
    """Return the phases in one line; empty if none is over."""
    return ", ".join(f"{name} {value:.1f} s" for name, value in seconds.items())


def _seconds(moment: Any) -> float | None:
    if isinstance(moment, datetime):
        return moment.timestamp()
    return float(moment) if isinstance(moment, (int, float)) else None
