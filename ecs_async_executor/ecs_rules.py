"""What ECS refuses in a RunTask request whose types are right: one table, for the configuration and for the local ECS. Pure.

Enums, patterns and lengths come from botocore's model of the request, whose validator checks none of them. The rest is in
`RULES`, from the ECS API Reference (RunTask and the types it names) and the Developer Guide (service quotas).
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
"""Characters of `overrides` as JSON (RunTask)."""
FARGATE_PROVIDERS = ("FARGATE", "FARGATE_SPOT")
"""AWS's own; nobody else's may begin with aws, ecs or fargate (CreateCapacityProvider)."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that ECS refuses."""

    path: Path
    says: str
    """What is wrong, to follow the path: `is none of ENABLED, DISABLED`. Shows no value."""
    aws: str = ""
    """How ECS says it, where that is known."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What must hold of a value, and what is said if it doesn't."""

    holds: Callable[[Any], object]
    says: str
    aws: str = ""


def violations(value: Any, shape: Any, path: Path = (), key: str = "") -> Iterator[Violation]:
    """Find all that ECS refuses in a value of this botocore shape, whose types are right already."""
    broken = [rule for name in (shape.name, key) for rule in RULES.get(name, ()) if not rule.holds(value)]
    yield from (Violation(path, rule.says, rule.aws) for rule in broken)
    yield from _of_size(value, shape, path, key)
    if shape.type_name == "structure":
        for name, item in value.items():
            yield from violations(item, shape.members[name], (*path, name), f"{key}.{name}" if key else name)
    elif shape.type_name == "list":
        for place, item in enumerate(value):
            yield from violations(item, shape.member, (*path, place), f"{key}[]")
    elif shape.type_name == "string" and not broken:
        yield from _of_text(value, shape, path)


def _of_size(value: Any, shape: Any, path: Path, key: str) -> Iterator[Violation]:
    least, most = LIMITS.get(key, (shape.metadata.get("min"), shape.metadata.get("max")))
    if least is None and most is None:
        return
    size = value if shape.type_name == "integer" else len(value)
    if (least or 0) <= size <= (size if most is None else most):
        return
    takes = f"{least} to {most}" if least and most is not None else f"at most {most}"
    is_number = shape.type_name == "integer"
    has = (
        f"is {size}" if is_number else f"has {size} {'items' if shape.type_name == 'list' else 'characters'}"
    )
    yield Violation(path, f"{has}; ECS takes {takes}")


def _of_text(value: str, shape: Any, path: Path) -> Iterator[Violation]:
    known = {each.upper(): each for each in getattr(shape, "enum", None) or ()}
    if known and value not in known.values():
        near = difflib.get_close_matches(value.upper(), known, n=1)
        meant = f"; did you mean {known[near[0]]}?" if near else ""
        yield Violation(path, f"is none of {', '.join(known.values())}{meant}")
    pattern = shape.metadata.get("pattern")
    if pattern is not None and not _compiled(pattern).fullmatch(value):
        taken = _ALPHABETS.get(pattern, f"what matches {pattern}")
        yield Violation(path, f"has {_strange_characters(value, pattern)}; ECS takes {taken}", _SAID_OF_TAGS)


def _strange_characters(value: str, pattern: str) -> str:
    strange = [each for each in dict.fromkeys(value) if not _compiled(pattern).fullmatch(each)]
    return " ".join(map(repr, strange[:8])) or "another form"


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    # Python's `re` has no Unicode categories; its \w is \p{L}, \p{N} and the underscore.
    for category, characters in _CATEGORIES.items():
        pattern = pattern.replace(category, characters)
    return re.compile(pattern)


_CATEGORIES = {
    r"\p{L}": r"\w",
    r"\p{N}": r"\w",
    r"\p{Z}": " \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000",
}
_ALPHABETS = {r"([\p{L}\p{Z}\p{N}_.:/=+\-@]*)": "letters, numbers, spaces and + - = . _ : / @"}
_SAID_OF_TAGS = "Some tags contain invalid characters. Valid characters: UTF-8 letters, spaces, numbers and _ . / = + - : @."


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


_NAME = r"[A-Za-z0-9_-]{1,255}"
_NAMES_HAVE = "letters, numbers, - and _"
_SIZE = ". For more information, see the Troubleshooting section of the Amazon ECS Developer Guide."
_IN_NO_CONTAINER = "has a NUL character, which no container can be given"

LIMITS: Mapping[str, tuple[int, int]] = {
    "capacityProviderStrategy": (0, 20),
    "networkConfiguration.awsvpcConfiguration.securityGroups": (0, 5),
    "networkConfiguration.awsvpcConfiguration.subnets": (0, 16),
    "overrides.ephemeralStorage.sizeInGiB": (21, 200),
    "placementConstraints": (0, 10),
    "placementStrategy": (0, 5),
    "referenceId": (0, 1024),
}
"""Of what botocore's model has no limits: items, characters, or the number itself; by path in the request."""

RULES: Mapping[str, Sequence[Rule]] = {
    "cluster": [
        Rule(
            _matches(rf"{_NAME}|arn:[\w-]+:ecs:[\w-]*:[0-9]*:cluster/{_NAME}"),
            f"is neither a cluster's name, which has {_NAMES_HAVE}, nor its ARN",
        )
    ],
    "taskDefinition": [
        Rule(
            _matches(rf"(arn:[\w-]+:ecs:[\w-]*:[0-9]*:task-definition/)?{_NAME}(:[0-9]+)?"),
            f"is no family, family:revision or ARN of a task definition; a family has {_NAMES_HAVE}",
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
            "is SERVICE, which a task that belongs to no service can't have: write TASK_DEFINITION or NONE",
            "propagateTags SERVICE is not valid for RunTask.",
        )
    ],
    "networkConfiguration.awsvpcConfiguration.subnets[]": [
        Rule(_matches("[A-Za-z0-9_-]+"), "is no ID of a subnet, such as subnet-0123abcd")
    ],
    "networkConfiguration.awsvpcConfiguration.securityGroups[]": [
        Rule(_matches("[A-Za-z0-9_-]+"), "is no ID of a security group, such as sg-0123abcd")
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
            "has only weights of 0, so that none can be chosen",
            "At least one capacity provider in the strategy must have a weight greater than 0.",
        ),
        Rule(_has_one_base, "has more than one base; one capacity provider may have one"),
    ],
    "capacityProviderStrategy[].capacityProvider": [
        Rule(_matches(_NAME), f"is no capacity provider's name, which has {_NAMES_HAVE}"),
        Rule(
            _is_free,
            "begins with aws, ecs or fargate, which only AWS's own may: FARGATE and FARGATE_SPOT",
        ),
    ],
    "overrides.cpu": [
        Rule(
            _matches(r"[0-9]+|([0-9]+|[0-9]*\.[0-9]+) ?[vV][cC][pP][uU]"),
            "is no size that ECS reads: write CPU units, such as 512, or vCPUs, such as '.5 vCPU'",
            f"Invalid 'cpu' setting for task{_SIZE}",
        )
    ],
    "overrides.memory": [
        Rule(
            _matches(r"[0-9]+|([0-9]+|[0-9]*\.[0-9]+) ?[gG][bB]"),
            "is no size that ECS reads: write MiB, such as 2048, or GB, such as '2 GB'",
            f"Invalid 'memory' setting for task{_SIZE}",
        )
    ],
    "overrides.containerOverrides[].name": [
        Rule(_matches(_NAME), f"is no container's name, which has {_NAMES_HAVE}")
    ],
    "overrides.containerOverrides[].command[]": [Rule(lambda value: "\0" not in value, _IN_NO_CONTAINER)],
    "overrides.containerOverrides[].environmentFiles[].value": [
        Rule(
            _matches(r"arn:[\w-]+:s3:::\S+\.env"),
            "is no ARN of an .env file in S3, such as arn:aws:s3:::bucket/task.env",
        )
    ],
    "EnvironmentVariables": [Rule(_all_have("name"), "has a variable without a name")],
    "overrides.containerOverrides[].environment[].name": [
        Rule(lambda value: "\0" not in value, _IN_NO_CONTAINER),
        Rule(
            lambda value: "=" not in value, "has a = in the variable's name, where a container's value begins"
        ),
    ],
    "overrides.containerOverrides[].environment[].value": [
        Rule(lambda value: "\0" not in value, _IN_NO_CONTAINER)
    ],
    "Tags": [Rule(_all_have("key"), "has a tag without a key")],
    "TagKey": [
        Rule(
            lambda value: not value.lower().startswith("aws:"),
            "begins with aws:, which is AWS's own",
            "Tag keys must not start with aws:.",
        )
    ],
}
"""By path in the request, `[]` for every item of a list, or by the name of botocore's shape."""
