"""How Airflow watches its workers, as the scheduler's options say."""

from __future__ import annotations

from dataclasses import dataclass

from ecs_async_executor.config.sources import Conf, seconds

UNWANTED_GRACE = 120.0
"""Seconds a task gets to end by itself once Airflow has moved on.

Its worker learns of that at its next heartbeat, or has reported the result itself; then it cleans up and
uploads its log. `[core] task_success_overtime` is added to this."""

_OVERTIME = 20.0
"""Airflow's default of `[core] task_success_overtime`, in seconds."""


@dataclass(frozen=True, slots=True)
class Heartbeats:
    """What the executor may conclude from a worker's heartbeats. All in seconds."""

    interval: float = 5.0
    """Between two heartbeats of a worker (`[workers] min_heartbeat_interval`; Airflow's default)."""
    timeout: float = 300.0
    """Without a heartbeat, until Airflow considers a worker dead and fails its task
    (`[scheduler] task_instance_heartbeat_timeout`; Airflow's default)."""
    unwanted_grace: float = UNWANTED_GRACE
    """From when Airflow has moved on until the executor stops the task."""


def read_heartbeats(airflow: Conf, problems: list[str]) -> Heartbeats:
    """Read the scheduler's options, whichever team the executor is for; add what is wrong with them to `problems`."""

    def read(section: str, option: str, default: float) -> float:
        return seconds(airflow, section, option, default, problems)

    default = Heartbeats()
    return Heartbeats(
        interval=read("workers", "min_heartbeat_interval", default.interval),
        timeout=read("scheduler", "task_instance_heartbeat_timeout", default.timeout),
        unwanted_grace=UNWANTED_GRACE + read("core", "task_success_overtime", _OVERTIME),
    )
