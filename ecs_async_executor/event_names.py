"""The events that we write to tasks' Audit Logs: the names under which people find them."""

from __future__ import annotations

from enum import Enum


class EventName(str, Enum):
    """An event of a task. Airflow's column holds 60 characters."""

    WAITS = "ecs launch waits"
    LAUNCH_FAILED = "ecs launch failed"
    LAUNCHED = "ecs task launched"
    SLOW_START = "ecs task slow to start"
    START_FAILED = "ecs task start failed"
    FALLBACK = "ecs fallback"
    ADOPTED = "ecs task adopted"
    LEFT_TO_AIRFLOW = "ecs task left to airflow"
    UNKNOWN_QUEUE = "ecs unknown queue"
    NOT_LAUNCHED = "ecs task not launched"
    NOT_STARTED = "ecs task not started"
    ENDED = "ecs task ended"
    CONTAINER_LOG = "ecs container log"
    GIVEN_UP = "ecs launch given up"
