"""The names of our events in Airflow's Audit Log: the executor writes them, the fleet page reads them.

An event's name has at most 60 characters (`log.event` in Airflow's database).
"""

from __future__ import annotations

LAUNCH_WAITS = "ecs launch waits"
LAUNCH_FAILED = "ecs launch failed"
FALLBACK = "ecs fallback"
UNKNOWN_QUEUE = "ecs unknown queue"
TASK_ENDED = "ecs task ended"
NOT_LAUNCHED = "ecs task not launched"
LAUNCH_GIVEN_UP = "ecs launch given up"
LEFT_TO_AIRFLOW = "ecs task left to airflow"
SCHEDULER_STATUS = "ecs scheduler status"
"""Not about a task: the numbers of one scheduler, for the fleet page. Its row is updated in place."""

WAITS = frozenset({LAUNCH_WAITS, LAUNCH_FAILED})
"""Each says why its task can't be launched yet."""
FAILURES = frozenset({LAUNCH_FAILED, TASK_ENDED, NOT_LAUNCHED, LAUNCH_GIVEN_UP, LEFT_TO_AIRFLOW})
"""Each says what went wrong with a task or its launch."""
