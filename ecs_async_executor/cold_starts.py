"""Why a task starts cold although its queue has standbys: the words for people, and the classes for metrics. Pure."""

from __future__ import annotations

from collections.abc import Mapping

NONE_FREE = "no standby was free"
RESTING = "the standbys of its queue rest"
NO_S3 = "S3 can't be used"
RELAUNCH = "it has been launched before"
NO_RUN_ID = "its row doesn't show its run id"
EXECUTOR_CONFIG = "it has an executor_config"
MEMORY = "it gets more memory"
FALLBACK = "it has fallen back to"
DIFFERS = "its request differs from the standbys' in"

CLASSES: Mapping[str, str] = {
    NONE_FREE: "none free",
    RESTING: "resting",
    NO_S3: "no s3",
    RELAUNCH: "relaunch",
    NO_RUN_ID: "no run id",
    EXECUTOR_CONFIG: "executor_config",
    MEMORY: "memory",
    FALLBACK: "fallback",
    DIFFERS: "request",
}
"""By how a reason begins; after some of them comes what is special about the task."""


def class_of(why: str) -> str:
    """Return the class of a reason."""
    return next((each for words, each in CLASSES.items() if why.startswith(words)), "other")
