"""How simulated tasks behave: defaults, and rules for launches that should behave differently.

In JSON, with every key optional::

    {"defaults": {"duration": [1, 5], "exit_code": {"0": 0.95, "1": 0.05}},
     "rules": [{"started_by": "airflow/", "nth": [1], "duration": 3600},
               {"environment": {"POOL": "spot"}, "interruption": {"after": 10}}]}

A number may be random: `[low, high]` is uniform, `{"median": m, "sigma": s}` lognormal. An exit
code may be a table of weights. The first rule that matches a launch overrides the defaults it names. `nth`
counts the launches that match the rule's other conditions, from 1.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ecs_async_executor.errors import ConfigurationError
from ecs_async_executor.local.conditions.match import Match, build, expect, is_number
from ecs_async_executor.local.state.lifecycle import Course, Interruption

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping

    from ecs_async_executor.local.conditions.match import Launch

_DURATIONS = frozenset({
    "provisioning", "pending", "pull", "activating", "duration", "deactivating", "stop_seconds", "deprovisioning",
})  # fmt: skip
_COURSE_KEYS = frozenset(item.name for item in dataclasses.fields(Course))


def seconds(value: Any, rng: random.Random) -> float:
    """Draw a duration from a number, a `[low, high]` range or a `{"median", "sigma"}` lognormal.

    Raises:
        ConfigurationError: The value is none of these.
    """
    if is_number(value) and value >= 0:
        return float(value)
    if (
        isinstance(value, (list, tuple))
        and len(value) == 2
        and all(map(is_number, value))
        and 0 <= value[0] <= value[1]
    ):
        return rng.uniform(value[0], value[1])
    lognormal = (
        isinstance(value, dict)
        and value.keys() == {"median", "sigma"}
        and all(map(is_number, value.values()))
    )
    if lognormal and value["median"] > 0 and value["sigma"] >= 0:
        return rng.lognormvariate(math.log(value["median"]), value["sigma"])
    raise ConfigurationError(
        'plan: a duration must be a number, [low, high] or {"median": m, "sigma": s}, in seconds.'
    )


def exit_code(value: Any, rng: random.Random) -> int | None:
    """Draw an exit code from a number, None or a table of weights by code.

    Raises:
        ConfigurationError: The value is none of these.
    """
    if value is None or isinstance(value, int):
        return value
    if isinstance(value, dict) and all(map(_is_weight, value.values())) and any(value.values()):
        code = rng.choices(list(value), weights=list(value.values()))[0]
        if all(str(each).isdecimal() for each in value):
            return int(code)
    raise ConfigurationError(
        'plan: an exit code must be a number, null or a table of weights, {"0": 0.95, "1": 0.05}.'
    )


def _is_weight(value: Any) -> bool:
    return is_number(value) and value >= 0


def _ends(value: Any) -> dict[str, tuple[int | None, str | None]]:
    ends = expect(dict, "plan: ends", value)
    for end in ends.values():
        if not isinstance(end, (list, tuple)) or len(end) != 2 or not isinstance(end[0], (int, type(None))):
            raise ConfigurationError(
                'plan: ends gives containers their exit code and reason, {"proxy": [137, null]}.'
            )
    return {name: (end[0], end[1]) for name, end in ends.items()}


def course_of(changes: Mapping[str, Any], rng: random.Random) -> Course:
    """Draw a task's course from a plan's merged keys.

    Raises:
        ConfigurationError: A key or a value is wrong.
    """
    values: dict[str, Any] = {
        key: seconds(value, rng) if key in _DURATIONS else value for key, value in changes.items()
    }
    if "exit_code" in values:
        values["exit_code"] = exit_code(values["exit_code"], rng)
    if values.get("interruption") is not None:
        values["interruption"] = build(Interruption, "interruption", values["interruption"])
    if "ends" in values:
        values["ends"] = _ends(values["ends"])
    return build(Course, "plan", values)


@dataclass(frozen=True, slots=True)
class Rule:
    """Changes to the defaults for the launches that `match` and `nth` select."""

    match: Match
    nth: tuple[int, ...]
    changes: Mapping[str, Any]


@dataclass(slots=True)
class Plan:
    """The defaults, the rules, and how many launches each rule has matched."""

    defaults: Mapping[str, Any] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    seen: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.seen = [0] * len(self.rules)

    @classmethod
    def from_json(cls, document: Mapping[str, Any], rng: random.Random) -> Plan:
        """Parse a plan, and draw once from everything in it to find mistakes now.

        Raises:
            ConfigurationError: Something in it is wrong.
        """
        if unknown := set(document) - {"defaults", "rules"}:
            raise ConfigurationError(
                f"plan: unknown {', '.join(sorted(unknown))}; known are defaults, rules."
            )
        defaults = expect(dict, "plan: defaults", document.get("defaults", {}))
        rules = tuple(map(_rule, expect(list, "plan: rules", document.get("rules", []))))
        for changes in (defaults, *(rule.changes for rule in rules)):
            course_of(changes, rng)
        return cls(defaults, rules)

    def course(self, launch: Launch, rng: random.Random) -> Course:
        """Draw the course of the next task of `launch`."""
        changes = self.defaults
        for index, rule in enumerate(self.rules):
            if rule.match.covers(launch):
                self.seen[index] += 1
                if not rule.nth or self.seen[index] in rule.nth:
                    changes = {**self.defaults, **rule.changes}
                    break
        return course_of(changes, rng)


def _rule(entry: Mapping[str, Any]) -> Rule:
    expect(dict, "plan rule", entry)
    matcher = {key: value for key, value in entry.items() if key in {"started_by", "family", "environment"}}
    changes = {key: value for key, value in entry.items() if key not in matcher and key != "nth"}
    nth = entry.get("nth", ())
    counted = tuple(nth) if isinstance(nth, (list, tuple)) else (nth,)
    if not all(isinstance(each, int) and each > 0 for each in counted):
        raise ConfigurationError("plan rule: nth must be a number or an array of numbers, counted from 1.")
    return Rule(build(Match, "plan rule", matcher), counted, changes)
