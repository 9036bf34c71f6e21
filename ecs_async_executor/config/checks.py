"""Finds what ECS would reject in a request, and names it as its author wrote it. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from functools import cache
from typing import Any

from ecs_async_executor.config.spelling import IDENTITY, Body, run_task_shape
from ecs_async_executor.ecs_rules import Path, Violation, violations
from ecs_async_executor.engine.aws.validation import Check, checker, why_not

_STEP = re.compile(r"\[(\d+)\]|([^.\[\]]+)")
_OVERRIDES = ("overrides", "containerOverrides")


def problems(body: Body, container: str = "", short: Collection[str] = ()) -> list[str]:
    """Return a sentence per wrong type or missing member, or else per value ECS rejects. No sentence shows a value.

    `short` are members of `container`'s override that the author wrote at the top level.
    """
    shape = run_task_shape()
    if not _is_valid()(body) and (wrong := why_not(body, shape)):
        sentences = (sentence.partition(" ") for sentence in wrong)
        return [f"{_written(_steps(path), body, container, short)} {says}" for path, _, says in sentences]
    return [
        f"{_written(each.path, body, container, short)} {each.says}{'' if each.says[-1] == '?' else '.'}"
        for each in violations(body, shape)
    ]


def refusals(part: Body) -> Iterator[str]:
    """Yield what ECS rejects in one option's `part` of a request, worded to follow the option's name."""
    for each in violations(part, run_task_shape()):
        yield f"{_of_option(each)} {each.says}"


def _of_option(violation: Violation) -> str:
    *_, last = violation.path
    indexes = [step for step in violation.path if isinstance(step, int)]
    if not indexes or _OVERRIDES[1] in violation.path:
        return "it"
    item = f"item {indexes[-1] + 1}"
    return item if isinstance(last, int) else f"{last} of {item}"


@cache
def _is_valid() -> Check:
    return checker(run_task_shape())


def _steps(path: str) -> Path:
    return tuple(int(index) if index else name for index, name in _STEP.findall(path))


def _written(path: Path, body: Body, container: str, short: Collection[str]) -> str:
    """Name a path in a body: items by name, short members as the author wrote them."""
    if path[:2] == _OVERRIDES and path[3:] and path[3] in short:
        override = body["overrides"]["containerOverrides"][path[2]]
        if override.get("name") == container:
            return _named(
                path[3:], override, run_task_shape().members["overrides"].members[_OVERRIDES[1]].member
            )
    return _named(path, body, run_task_shape())


def _named(path: Path, value: Any, shape: Any) -> str:
    text, name = "", None
    for step in path:
        if isinstance(step, int):
            value, shape = value[step], shape.member
            identity = IDENTITY.get(shape.name)
            name = value.get(identity) if identity and isinstance(value, dict) else None
            if shape.name == "KeyValuePair" and isinstance(name, str):
                name = name.partition("=")[0]  # what follows "=" was meant as the value
            # Named items are merged, so their index means nothing to the author.
            if name and isinstance(name, str):
                text += f"[{name[:40]}]"
            elif not identity:
                text += f"[{step}]"
        elif not (step == "value" and name):  # as `ecs-async config` shows it: tags[team], environment[A]
            value = value.get(step) if isinstance(value, dict) else None
            shape = shape.members[step]
            text += f".{step}" if text else step
    return text
