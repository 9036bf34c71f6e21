"""What ECS refuses in a RunTask request whose types are right: one table for the configuration and the local ECS. Pure.

Enums, patterns and lengths come from botocore's model of the request; botocore's own validator checks only the minimum
lengths. `RULES` and `LIMITS` hold the rest, from the ECS API Reference (RunTask and its types) and the Developer Guide
(service quotas).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

Path: TypeAlias = tuple[str | int, ...]
OVERRIDES = 8192
"""Maximum characters of `overrides` as JSON (RunTask)."""
FARGATE_PROVIDERS = ("FARGATE", "FARGATE_SPOT")
"""AWS's own providers; the names of others may not begin with aws, ecs or fargate (CreateCapacityProvider)."""
MOST_TAGS, LONGEST_TAG_KEY, LONGEST_TAG_VALUE = 50, 128, 256
"""Of one task or task definition ("Tagging your Amazon ECS resources"); the last two in characters."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One problem for which ECS refuses a request."""

    path: Path
    says: str
    """What is wrong, phrased to follow the path: `is none of ENABLED, DISABLED`.

    It never quotes the value, except for the wrong characters of a tag."""
    aws: str = ""
    """ECS's own error message, if known."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A condition on a value, and the message for values that break it."""

    holds: Callable[[Any], object]
    says: str
    aws: str = ""


def violations(value: Any, shape: Any) -> Iterator[Violation]:
    """Yield everything ECS refuses in a value of this botocore shape; its types must be right already.

    None, which removes what the layers below say, is never sent and breaks no rule.
    """
    found: list[Violation] = []
    _part(shape, "").check(value, (), found)
    yield from found


@cache
def _part(shape: Any, key: str) -> _Part:
    return _Part(shape, key)


class _Part:
    """The rules for one part of a request; cached, because every task with an executor_config is checked."""

    def __init__(self, shape: Any, key: str) -> None:
        self._shape, self._key, self._kind = shape, key, shape.type_name
        self._rules = [rule for name in (shape.name, key) for rule in RULES.get(name, ())]
        self._least, self._most = LIMITS.get(key, (shape.metadata.get("min"), shape.metadata.get("max")))
        self._enum = {each.upper(): each for each in getattr(shape, "enum", None) or ()}
        self._values = frozenset(self._enum.values())
        self._pattern = _compiled(shape.metadata.get("pattern", ""))
        self._parts: dict[str, _Part] = {}

    def check(self, value: Any, path: Path, found: list[Violation]) -> None:
        if value is None:
            return
        broken = [rule for rule in self._rules if not rule.holds(value)] if self._rules else ()
        found += [Violation(path, rule.says, rule.aws) for rule in broken] if broken else ()
        if self._least is not None or self._most is not None:
            found += self._size_violations(value, path)
        if self._kind == "structure":
            for name, item in value.items():
                self._member(name).check(item, (*path, name), found)
        elif self._kind == "list":
            items = self._item()
            for index, item in enumerate(value):
                items.check(item, (*path, index), found)
        elif (self._values or self._pattern) and not broken:
            found += self._text_violations(value, path)

    def _member(self, name: str) -> _Part:
        part = self._parts.get(name)
        if part is None:
            key = f"{self._key}.{name}" if self._key else name
            part = self._parts[name] = _Part(self._shape.members[name], key)
        return part

    def _item(self) -> _Part:
        if "" not in self._parts:
            self._parts[""] = _Part(self._shape.member, f"{self._key}[]")
        return self._parts[""]

    def _size_violations(self, value: Any, path: Path) -> Iterator[Violation]:
        size = value if self._kind == "integer" else len(value)
        if (self._least or 0) <= size <= (size if self._most is None else self._most):
            return
        what = {"integer": f"is {size}", "list": f"has {size} items"}.get(
            self._kind, f"has {size} characters"
        )
        takes = f"{self._least} to {self._most}" if self._least else f"at most {self._most}"
        yield Violation(path, f"{what}; ECS takes {takes}")

    def _text_violations(self, value: str, path: Path) -> Iterator[Violation]:
        if self._values and value not in self._values:
            near = difflib.get_close_matches(value.upper(), self._enum, n=1)
            meant = f"; did you mean {self._enum[near[0]]}?" if near else ""
            yield Violation(path, f"is none of {', '.join(self._enum.values())}{meant}")
        if self._pattern and not self._pattern.fullmatch(value):
            pattern = self._shape.metadata["pattern"]
            taken = _ALPHABETS.get(pattern, f"what matches {pattern}")
            strange = _strange_characters(value, self._pattern)
            yield Violation(path, f"has {strange}; ECS takes {taken}", _ECS_MESSAGE_FOR_TAGS)


def _strange_characters(value: str, pattern: re.Pattern[str]) -> str:
    strange = [each for each in dict.fromkeys(value) if not pattern.fullmatch(each)]
    return " ".join(map(repr, strange[:8])) or "another form"


@cache
def _compiled(pattern: str) -> re.Pattern[str] | None:
    """Compile one of AWS's patterns; None if it is empty or Python can't compile it, and then ECS decides."""
    # Python's `re` has no Unicode categories; its \w is \p{L}, \p{N} and the underscore.
    for category, characters in _CATEGORIES.items():
        pattern = pattern.replace(category, characters)
    try:
        return re.compile(pattern) if pattern else None
    except re.error:
        return None


_CATEGORIES = {
    r"\p{L}": r"\w",
    r"\p{N}": r"\w",
    r"\p{Z}": " \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000",
}
_ALPHABETS = {r"([\p{L}\p{Z}\p{N}_.:/=+\-@]*)": "letters, numbers, spaces and + - = . _ : / @"}
_ECS_MESSAGE_FOR_TAGS = "Some tags contain invalid characters. Valid characters: UTF-8 letters, spaces, numbers and _ . / = + - : @."


def _matches(pattern: str) -> Callable[[Any], object]:
    return re.compile(pattern, re.ASCII).fullmatch


def _all_have(member: str) -> Callable[[Any], object]:
    return lambda items: all(item.get(member) for item in items)


def _is_own(provider: str) -> bool:
    return provider in FARGATE_PROVIDERS


def _is_one_kind(strategy: Sequence[Mapping[str, Any]]) -> bool:
    return len({_is_own(item["capacityProvider"]) for item in strategy}) < 2


def _can_choose(strategy: Sequence[Mapping[str, Any]]) -> bool:
    return len(strategy) < 2 or any(item.get("weight", 0) for item in strategy)


def _has_one_base(strategy: Sequence[Mapping[str, Any]]) -> bool:
    return len([item for item in strategy if item.get("base", 0)]) < 2


def _is_free(provider: str) -> bool:
    return _is_own(provider) or not provider.lower().startswith(("aws", "ecs", "fargate"))


def _size(unit: str) -> re.Pattern[str]:
    return re.compile(
        rf"\s*((?P<whole>[0-9]+)|(?P<number>[0-9]+|[0-9]*\.[0-9]+)\s*{unit})\s*", re.ASCII | re.IGNORECASE
    )


CPU, MEMORY = _size("vcpu"), _size("gb")
"""The task sizes that ECS understands (RegisterTaskDefinition): CPU units or vCPUs, MiB or GB."""
_NAME = r"[A-Za-z0-9_-]{1,255}"
_NAMES_HAVE = "letters, numbers, - and _"
_SIZE = ". For more information, see the Troubleshooting section of the Amazon ECS Developer Guide."
_NUL_IN_TEXT = "has a NUL character, which containers can't get"

LIMITS: Mapping[str, tuple[int, int]] = {
    "capacityProviderStrategy": (0, 20),
    "image": (0, 255),
    "networkConfiguration.awsvpcConfiguration.securityGroups": (0, 5),
    "networkConfiguration.awsvpcConfiguration.subnets": (0, 16),
    "overrides.ephemeralStorage.sizeInGiB": (21, 200),
    "placementConstraints": (0, 10),
    "placementStrategy": (0, 5),
    "referenceId": (0, 1024),
}
"""Limits that botocore's model lacks: of items, characters, or the number itself; by path in the request."""

RULES: Mapping[str, Sequence[Rule]] = {
    "cluster": [
        Rule(
            _matches(rf"{_NAME}|arn:[\w-]+:ecs:[\w-]*:[0-9]*:cluster/{_NAME}"),
            f"is neither a cluster's name ({_NAMES_HAVE}) nor its ARN",
        )
    ],
    "taskDefinition": [
        Rule(
            # RunTask's page names `:*` as well, "all revisions", in an ARN.
            _matches(
                rf"{_NAME}(:[0-9]+)?|arn:[\w-]+:ecs:[\w-]*:[0-9]*:task-definition/{_NAME}(:([0-9]+|\*))?"
            ),
            f"is not a family, family:revision or ARN of a task definition; a family has {_NAMES_HAVE}",
        )
    ],
    "image": [  # which only the executor takes; ContainerDefinition, and the grammar of references (distribution/reference)
        Rule(
            _matches(r"[A-Za-z0-9](?:[A-Za-z0-9_.:@-]|/(?!/|$))*"),
            "is not the name of an image (without a scheme or spaces), such as "
            "123456789012.dkr.ecr.eu-central-1.amazonaws.com/airflow:1.2",
        )
    ],
    "launchType": [
        Rule(
            lambda value: value.upper() != "FARGATE_SPOT",
            "is FARGATE_SPOT, which is a capacity provider: write the capacity provider strategy FARGATE_SPOT:1 instead",
        )
    ],
    "platformVersion": [
        Rule(_matches(r"LATEST|[0-9]+(\.[0-9]+)*"), "is neither LATEST nor a version such as 1.4.0")
    ],
    "propagateTags": [
        Rule(
            lambda value: value != "SERVICE",
            "is SERVICE, which only the tasks of an ECS service can have: write TASK_DEFINITION or NONE",
            "propagateTags SERVICE is not valid for RunTask.",
        )
    ],
    "networkConfiguration.awsvpcConfiguration.subnets[]": [
        Rule(_matches("[A-Za-z0-9_-]+"), "is not the ID of a subnet, such as subnet-0123abcd")
    ],
    "networkConfiguration.awsvpcConfiguration.securityGroups[]": [
        Rule(_matches("[A-Za-z0-9_-]+"), "is not the ID of a security group, such as sg-0123abcd")
    ],
    "capacityProviderStrategy": [
        Rule(
            _is_one_kind,
            "mixes FARGATE or FARGATE_SPOT with other capacity providers; ECS takes one kind",
            "A capacity provider strategy cannot contain a mix of capacity providers using Auto Scaling groups and "
            "Fargate providers. Specify one or the other and try again.",
        ),
        Rule(
            _can_choose,
            "has only weights of 0, so ECS can't choose any",
            "At least one capacity provider in the strategy must have a weight greater than 0.",
        ),
        Rule(_has_one_base, "has more than one base; only one capacity provider may have one"),
    ],
    "capacityProviderStrategy[].capacityProvider": [
        Rule(_matches(_NAME), f"is not a capacity provider's name ({_NAMES_HAVE})"),
        Rule(
            _is_free,
            "begins with aws, ecs or fargate, which AWS reserves for its own: FARGATE and FARGATE_SPOT",
        ),
    ],
    "overrides.cpu": [
        Rule(
            CPU.fullmatch,
            "is not a size that ECS understands: write CPU units, such as 512, or vCPUs, such as '.5 vCPU'",
            f"Invalid 'cpu' setting for task{_SIZE}",
        )
    ],
    "overrides.memory": [
        Rule(
            MEMORY.fullmatch,
            "is not a size that ECS understands: write MiB, such as 2048, or GB, such as '2 GB'",
            f"Invalid 'memory' setting for task{_SIZE}",
        )
    ],
    "overrides.containerOverrides[].name": [
        Rule(_matches(_NAME), f"is not a container's name ({_NAMES_HAVE})")
    ],
    "overrides.containerOverrides[].command[]": [Rule(lambda value: "\0" not in value, _NUL_IN_TEXT)],
    "overrides.containerOverrides[].environmentFiles[].value": [
        Rule(
            _matches(r"arn:[\w-]+:s3:::[^\n]+\.env"),
            "is not the ARN of an .env file in S3, such as arn:aws:s3:::bucket/task.env",
        )
    ],
    "EnvironmentVariables": [Rule(_all_have("name"), "has a variable without a name")],
    "overrides.containerOverrides[].environment[].name": [
        Rule(lambda value: "\0" not in value, _NUL_IN_TEXT),
        Rule(
            lambda value: "=" not in value,
            "has a = in the variable's name: a container reads what follows it as the value",
        ),
    ],
    "overrides.containerOverrides[].environment[].value": [
        Rule(lambda value: "\0" not in value, _NUL_IN_TEXT)
    ],
    "Tags": [Rule(_all_have("key"), "has a tag without a key")],
    "TagKey": [
        Rule(
            lambda value: not value.lower().startswith("aws:"),
            "begins with aws:, which AWS reserves",
            "Tag keys must not start with aws:.",
        )
    ],
}
"""By path in the request, `[]` for every item of a list, or by the name of botocore's shape."""
