"""Which revisions that were registered for images nobody needs any more: one table, one test per row. Pure.

A revision costs nothing, but each image that a task ever named leaves one. One that is deregistered too early is registered
again by the next run that wants it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from ecs_async_executor.engine.images import DEFINITION, DEPLOYMENT, IMAGE
from ecs_async_executor.operate.text import age

KEPT_FOR = 30 * 86_400.0
"""Seconds. ECS doesn't say when a revision was last used; after a month, all but monthly Dags have moved on."""


@dataclass(frozen=True, slots=True)
class Registered:
    """A revision of one of the families that are named as ours."""

    arn: str
    family: str
    deployment: str
    """`airflow/<name>`; as the next two, by its tags, and empty without."""
    definition: str
    """`family:revision` that it copies."""
    image: str
    registered_at: float | None
    """Seconds since 1970."""


class Verdict(Enum):
    """What to do about a revision."""

    FOREIGN = "its tags don't say that this Airflow registered it"
    IN_USE = "a task of it is live"
    NAMED = "the options or a queue's profile name its image"
    YOUNG = "it is less than a month old"
    LEFT_OVER = "no option names its image, and no task of it is live"


@dataclass(frozen=True, slots=True)
class Judged:
    """A revision, and what to do about it."""

    revision: Registered
    verdict: Verdict

    @property
    def is_to_deregister(self) -> bool:
        """Whether the sweep deregisters it."""
        return self.verdict is Verdict.LEFT_OVER


def registered(answer: Mapping[str, Any]) -> Registered:
    """Read DescribeTaskDefinition's answer, as botocore gives it."""
    document = answer["taskDefinition"]
    tags = {str(tag.get("key")): str(tag.get("value", "")) for tag in answer.get("tags") or ()}
    at = document.get("registeredAt")
    return Registered(
        str(document.get("taskDefinitionArn") or ""),
        str(document.get("family") or ""),
        tags.get(DEPLOYMENT, ""),
        tags.get(DEFINITION, ""),
        tags.get(IMAGE, ""),
        at.timestamp() if isinstance(at, datetime) else None,
    )


def judge_all(
    revisions: Iterable[Registered],
    deployment: str,
    live: Collection[str],
    named: Collection[tuple[str, str]],
    now: float,
) -> list[Judged]:
    """Judge revisions.

    `live` are the families of all live tasks; `named` are definition (`family:revision`) and image of the options and
    profiles.
    """
    return [Judged(each, _judge(each, deployment, live, named, now)) for each in revisions]


def _judge(
    each: Registered,
    deployment: str,
    live: Collection[str],
    named: Collection[tuple[str, str]],
    now: float,
) -> Verdict:
    if each.deployment != deployment or not each.image:
        return Verdict.FOREIGN
    if each.family in live:
        return Verdict.IN_USE
    if (each.definition, each.image) in named:
        return Verdict.NAMED
    if each.registered_at is None or now - each.registered_at < KEPT_FOR:
        return Verdict.YOUNG
    return Verdict.LEFT_OVER


def explain(judged: Judged, now: float) -> str:
    """Return what it is and why, with its age."""
    each = judged.revision
    old = "" if each.registered_at is None else f"It is {age(now - each.registered_at)} old; "
    return f"{each.definition or 'An unknown definition'} with the image {each.image or '?'}. {old}{judged.verdict.value}."
