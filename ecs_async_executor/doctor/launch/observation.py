"""What a launch has shown: plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ecs_async_executor.messages import Diagnosis


@dataclass(frozen=True, slots=True)
class Observation:
    """One launch, from its request to its end."""

    container: str
    arn: str = ""
    refusal: Diagnosis | None = None
    """Why nothing was launched."""
    payload_problem: str = ""
    """Why the scheduler's side could not store an object in the payload bucket."""
    standby_problem: str = ""
    """Why it could not store one there as a hand-over to a standby does."""
    task: Mapping[str, Any] = field(default_factory=dict)
    """DescribeTasks' last answer; empty if there was none."""
    late: float = 0.0
    """The time limit in seconds, if the task was stopped because of it."""
    report: Mapping[str, Any] | None = None
    """What the container has found; None if no report could be read."""
    lines: tuple[str, ...] = ()
    """The last lines that the container printed."""
    lines_problem: str = ""
    """Why they can't be read."""
    stop_problem: str = ""
    """Why the task could not be stopped; then it may still run."""
