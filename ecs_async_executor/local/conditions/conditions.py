"""The current conditions: how slow, how busy and how broken this ECS is.

In JSON, with every key optional::

    {"latency": {"*": [0.05, 0.02], "RunTask": 0.2},   seconds, plus random jitter up to the second number; "*" is
                                                       all of ECS, "s3:*" all of S3
     "throttling": true,                               AWS's buckets, or {"cluster_resource_read": [10, 2], ...}
     "consistency_lag": 2.0,                           by how many seconds DescribeTasks and ListTasks lag
     "task_limit": 50,                                 how many tasks may exist at once: the account's quota
     "room": 50,                                       how many tasks fit into a cluster at once
     "faults": [{"kind": "throttle", "times": 3}]}     see `conditions.faults`
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecs_async_executor.errors import ConfigurationError
from ecs_async_executor.local.conditions.buckets import Buckets
from ecs_async_executor.local.conditions.faults import Faults, fault_of
from ecs_async_executor.local.conditions.match import expect
from ecs_async_executor.local.rules.protocol import ACTIONS
from ecs_async_executor.local.rules.s3 import ALL_OF_S3, S3_ACTIONS, is_s3

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping

DEFAULTS: Mapping[str, Any] = {
    "latency": {},
    "throttling": False,
    "consistency_lag": 0.0,
    "task_limit": None,
    "room": None,
    "faults": [],
}


class Conditions:
    """The conditions in force, which change all at once or key by key."""

    latency: dict[str, tuple[float, float]]
    throttling: bool | Mapping[str, Any]
    buckets: Buckets | None
    consistency_lag: float
    task_limit: int | None
    room: int | None
    faults: Faults

    def __init__(self, rng: random.Random, now: float) -> None:
        self._rng = rng
        self.clear(now)

    def clear(self, now: float) -> None:
        """Make this ECS, and its S3, fast, unlimited and reliable again."""
        self.update(DEFAULTS, now)

    def update(self, document: Mapping[str, Any], now: float) -> None:
        """Replace the conditions that `document` names; if anything in it is wrong, change nothing.

        Raises:
            ConfigurationError: A name or value is wrong.
        """
        if unknown := sorted(set(document) - set(DEFAULTS)):
            raise ConfigurationError(f"unknown {', '.join(unknown)}; known are {', '.join(DEFAULTS)}.")
        changes: dict[str, Any] = {}
        if "latency" in document:
            latency = expect(dict, "latency", document["latency"])
            changes["latency"] = {action: _latency(value) for action, value in latency.items()}
            known = ("*", *ACTIONS, ALL_OF_S3, *S3_ACTIONS)
            if strange := sorted(set(latency) - set(known)):
                raise ConfigurationError(
                    f"latency: unknown action {', '.join(strange)}; known are {', '.join(known)}."
                )
        if "throttling" in document:
            changes["throttling"] = document["throttling"]
            changes["buckets"] = _buckets(document["throttling"], now)
        if "consistency_lag" in document:
            changes["consistency_lag"] = _number("consistency_lag", document["consistency_lag"])
        for name in ("task_limit", "room"):
            if name in document:
                most = document[name]
                changes[name] = None if most is None else int(_number(name, most))
        if "faults" in document:
            faults = expect(list, "faults", document["faults"])
            changes["faults"] = Faults(tuple(map(fault_of, faults)), self._rng)
        for name, value in changes.items():
            setattr(self, name, value)

    def to_json(self) -> dict[str, Any]:
        """Return the conditions in force, with the remaining `times` of each fault."""
        return {
            "latency": self.latency,
            "throttling": self.throttling,
            "consistency_lag": self.consistency_lag,
            "task_limit": self.task_limit,
            "room": self.room,
            "faults": [fault.to_json() for fault in self.faults.in_force()],
        }

    def delay(self, action: str) -> float:
        """Draw the delay of a call of `action` before ECS or S3 does any work, in seconds."""
        if not self.latency:
            return 0.0
        everything = ALL_OF_S3 if is_s3(action) else "*"
        base, jitter = self.latency.get(action) or self.latency.get(everything, (0.0, 0.0))
        return base + jitter * self._rng.random()


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
        raise ConfigurationError(f"{name}: expected a number of at least 0.")
    return float(value)


def _latency(value: Any) -> tuple[float, float]:
    if isinstance(value, (list, tuple)) and len(value) == 2:
        return _number("latency", value[0]), _number("latency", value[1])
    return _number("latency", value), 0.0


def _buckets(value: Any, now: float) -> Buckets | None:
    if isinstance(value, dict):
        return Buckets(value, now)
    if not isinstance(value, bool):
        raise ConfigurationError("throttling: expected true, false or rates by bucket.")
    return Buckets({}, now) if value else None
