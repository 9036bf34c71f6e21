"""The names of our events in Airflow's Audit Log: the executor writes them, the fleet page reads them."""

from __future__ import annotations

from enum import Enum


class EventName(str, Enum):
    """An event of a task. It has at most 60 characters (`log.event` in Airflow's database)."""

    WAITS = "ecs launch waits"
    LAUNCH_FAILED = "ecs launch failed"
    LAUNCHED = "ecs task launched"
    SLOW_START = "ecs task slow to start"
    START_FAILED = "ecs task start failed"
    STANDBY_LOST = "ecs standby lost"
    FALLBACK = "ecs fallback"
    INTERRUPTED = "ecs task interrupted"
    OUT_OF_MEMORY = "ecs task out of memory"
    MEMORY = "ecs task memory"
    ADOPTED = "ecs task adopted"
    LEFT_TO_AIRFLOW = "ecs task left to airflow"
    UNKNOWN_QUEUE = "ecs unknown queue"
    NOT_LAUNCHED = "ecs task not launched"
    NOT_STARTED = "ecs task not started"
    ENDED = "ecs task ended"
    RESCHEDULED = "ecs task rescheduled"
    CONTAINER_LOG = "ecs container log"
    GIVEN_UP = "ecs launch given up"
    COST = "ecs task cost"


WAITS = frozenset(
    each.value
    for each in (EventName.WAITS, EventName.LAUNCH_FAILED, EventName.START_FAILED, EventName.STANDBY_LOST)
)
"""Each says why its task can't be launched yet."""
DELAYS = WAITS | {EventName.SLOW_START.value}
"""Each says why its task doesn't run yet."""
FAILURES = frozenset(
    each.value
    for each in (
        EventName.LAUNCH_FAILED,
        EventName.START_FAILED,
        EventName.STANDBY_LOST,
        EventName.NOT_LAUNCHED,
        EventName.NOT_STARTED,
        EventName.ENDED,
        EventName.RESCHEDULED,
        EventName.GIVEN_UP,
        EventName.LEFT_TO_AIRFLOW,
    )
)
"""Each says what went wrong with a task or its launch."""
SETBACKS = frozenset({EventName.INTERRUPTED.value, EventName.OUT_OF_MEMORY.value})
"""What a task's later launches may depend on: schedulers read these back, so their text is fixed (executor/setbacks.py)."""
SCHEDULER_STATUS = "ecs scheduler status"
"""Not about a task: the numbers of one scheduler, for the fleet page. Its row is updated in place."""
