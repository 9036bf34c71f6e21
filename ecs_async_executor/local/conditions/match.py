"""Matches launches for plan rules and faults, and holds the JSON helpers that both share."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from ecs_async_executor.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

T = TypeVar("T")
# A field's annotation: its JSON types, and what messages call them.
_JSON_TYPES: Mapping[str, tuple[tuple[type, ...], str]] = {
    "str": ((str,), "a text"),
    "str | None": ((str, type(None)), "a text or null"),
    "int": ((int,), "a whole number"),
    "int | None": ((int, type(None)), "a whole number or null"),
    "float": ((int, float), "a number"),
    "bool": ((bool,), "true or false"),
    "Mapping[str, str]": ((dict,), "an object"),
}


@dataclass(frozen=True, slots=True)
class Launch:
    """The parts of a RunTask request that rules can match."""

    started_by: str = ""
    family: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Match:
    """A filter for launches: every given condition must hold.

    `started_by` is a prefix. `family` and the values of `environment` (the overrides' variables of
    any container) must be equal.
    """

    started_by: str = ""
    family: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_open(self) -> bool:
        """Whether this filter matches everything."""
        return not (self.started_by or self.family or self.environment)

    def covers(self, launch: Launch | None) -> bool:
        """Tell whether the filter matches `launch`; None stands for a call that launches nothing."""
        if launch is None:
            return self.is_open
        return (
            launch.started_by.startswith(self.started_by)
            and self.family in {"", launch.family}
            and self.environment.items() <= launch.environment.items()
        )


def launch_of(params: Mapping[str, Any]) -> Launch:
    """Extract the parts that rules can match from a RunTask request, which isn't validated yet."""
    overrides = params.get("overrides")
    containers = overrides.get("containerOverrides") if isinstance(overrides, dict) else None
    environment: dict[str, str] = {}
    for container in containers if isinstance(containers, list) else ():
        variables = container.get("environment") if isinstance(container, dict) else None
        for variable in variables if isinstance(variables, list) else ():
            if isinstance(variable, dict):
                environment[str(variable.get("name"))] = str(variable.get("value"))
    family = str(params.get("taskDefinition", "")).rpartition("/")[2].partition(":")[0]
    return Launch(str(params.get("startedBy", "")), family, environment)


def expect(kind: type[T], what: str, value: Any) -> T:
    """Return `value` if it is of the JSON type `kind`, a dict or a list.

    Raises:
        ConfigurationError: It has another type.
    """
    if not isinstance(value, kind):
        raise ConfigurationError(f"{what}: expected a JSON {'object' if kind is dict else 'array'}.")
    return value


def is_number(value: Any) -> bool:
    """Tell whether a JSON value is a number."""
    return _is_one_of(value, (int, float)) and math.isfinite(value)


def _is_one_of(value: Any, kinds: tuple[type, ...]) -> bool:
    # In Python, true is a number.
    return isinstance(value, kinds) and (not isinstance(value, bool) or bool in kinds)


def build(cls: type[T], what: str, document: Mapping[str, Any]) -> T:
    """Build the dataclass `cls` from JSON; if `cls` has a `Match`, its keys are on the same level.

    Raises:
        ConfigurationError: Names the keys that `cls` doesn't have.
    """
    expect(dict, what, document)
    own = {item.name for item in dataclasses.fields(cls)}  # type: ignore[arg-type]  # cls is a dataclass
    matchers = {item.name for item in dataclasses.fields(Match)} if "match" in own else set()
    allowed = (own - {"match"}) | matchers
    if unknown := sorted(set(document) - allowed):
        raise ConfigurationError(
            f"{what}: unknown {', '.join(unknown)}; known are {', '.join(sorted(allowed))}."
        )
    for item in dataclasses.fields(cls):  # type: ignore[arg-type]  # as above
        kinds = _JSON_TYPES.get(str(item.type))
        if kinds and item.name in document and not _is_one_of(document[item.name], kinds[0]):
            raise ConfigurationError(f"{what}: {item.name} must be {kinds[1]}.")
    values = {key: value for key, value in document.items() if key not in matchers}
    if matchers:
        values["match"] = build(Match, what, {key: item for key, item in document.items() if key in matchers})
    try:
        return cls(**values)
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"{what}: {error}") from None
