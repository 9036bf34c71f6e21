"""Revisions that run another image: RunTask can't change a container's image, so each needs a task definition. Pure.

A revision is a copy of a task definition, with one image changed, in a family of its own. The family's name is made of what
the revision is made of, so that every scheduler finds it again; its tags say the same to people, and prove whose it is.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Any

from ecs_async_executor.ecs_rules import LONGEST_TAG_VALUE, MOST_TAGS
from ecs_async_executor.engine.responses import TaskDefinition
from ecs_async_executor.errors import InvalidRequestError

FAMILIES = "ecs-async-image-"
"""How the names of all these families begin, so that policies and `ecs-async sweep` can name them."""
DEPLOYMENT, DEFINITION, IMAGE = "ecs-async:deployment", "ecs-async:definition", "ecs-async:image"
"""The tags: whose revision it is (`airflow/<deployment>`), of which revision it is a copy, and its image."""
_LONGEST_BASE = 180
"""Characters of the copied family's name that the new one takes over: a family's name has 255 at most."""
_REVISION = re.compile(r":[0-9]+$")
_RESPONSE_ONLY = frozenset(
    {
        "compatibilities",
        "deleteRequestedAt",
        "deregisteredAt",
        "registeredAt",
        "registeredBy",
        "requiresAttributes",
        "revision",
        "status",
        "taskDefinitionArn",
    }
)
"""What DescribeTaskDefinition returns and RegisterTaskDefinition doesn't take (API reference: TaskDefinition)."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which image a container shall run in place of its task definition's."""

    definition: str
    """As the request names it: family, family:revision or ARN."""
    container: str
    image: str


def is_fixed(definition: str) -> bool:
    """Return whether a request's task definition names a revision, which never changes, rather than the latest one."""
    return _REVISION.search(definition) is not None


@dataclass(frozen=True, slots=True)
class Revision:
    """The revision that runs an image: how to find it, and how to register it."""

    base: TaskDefinition
    """The revision to copy."""
    container: str
    image: str
    deployment: str
    """`airflow/<name>`."""

    @property
    def family(self) -> str:
        """The name of its family: the same wherever and whenever it is computed."""
        parts = (self.deployment, self.base.arn, self.container, self.image)
        digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
        family, _, revision = self.base.name.partition(":")
        return f"{FAMILIES}{family[:_LONGEST_BASE]}-{revision}-{digest}"

    @property
    def tags(self) -> dict[str, str]:
        """The tags of our own."""
        values = {DEPLOYMENT: self.deployment, DEFINITION: self.base.name, IMAGE: self.image}
        return {key: value[-LONGEST_TAG_VALUE:] for key, value in values.items()}

    def is_found(self, definition: TaskDefinition | None) -> bool:
        """Return whether this is it: what runs in an account is decided by more than the name of a family."""
        if definition is None or not definition.is_active:
            return False
        tags = {tag.get("key"): tag.get("value") for tag in definition.tags}
        containers = definition.task_definition.get("containerDefinitions") or ()
        images = {each.get("name"): each.get("image") for each in containers}
        return self.tags.items() <= tags.items() and images.get(self.container) == self.image

    @property
    def registration(self) -> dict[str, Any]:
        """The RegisterTaskDefinition request; raises `InvalidRequestError`."""
        document = self.base.task_definition
        containers = list(document.get("containerDefinitions") or ())
        if self.container not in (each.get("name") for each in containers):
            raise InvalidRequestError(
                f"The task definition {self.base.name} has no container {self.container!r}, so that can't get the image "
                f"{self.image}.",
                "Set `container_name` (the option, or in the queue's profile) to the task definition's Airflow container.",
            )
        return {
            **{key: value for key, value in document.items() if key not in _RESPONSE_ONLY},
            "family": self.family,
            "containerDefinitions": [
                {**each, "image": self.image} if each.get("name") == self.container else each
                for each in containers
            ],
            "tags": self._all_tags(),
        }

    def _all_tags(self) -> list[dict[str, str]]:
        """Return the copied revision's tags and ours; those of `aws:` can't be copied."""
        kept = [
            tag for tag in self.base.tags if not tag["key"].startswith("aws:") and tag["key"] not in self.tags
        ]
        if len(kept) + len(self.tags) > MOST_TAGS:
            raise InvalidRequestError(
                f"The task definition {self.base.name} has {len(kept)} tags; with the executor's {len(self.tags)} that is "
                f"more than ECS takes ({MOST_TAGS}).",
                "Remove some of them.",
            )
        return [*kept, *({"key": key, "value": value} for key, value in self.tags.items())]
