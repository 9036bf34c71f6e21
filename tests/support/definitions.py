"""The task definitions of one account, as DescribeTaskDefinition and RegisterTaskDefinition see them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ecs_async_executor.engine.images import FAMILIES
from ecs_async_executor.engine.responses import TaskDefinition

PREFIX = "arn:aws:ecs:eu-central-1:123456789012:task-definition/"


def document(**more: Any) -> dict[str, Any]:
    """Make what a task definition is registered with."""
    containers = [
        {"name": "airflow", "image": "airflow:1", "environment": [{"name": "A", "value": "secret"}]},
        {"name": "sidecar", "image": "agent:7"},
    ]
    return {"family": "airflow-task", "containerDefinitions": containers, "cpu": "256", **more}


class Definitions:
    """Registered revisions, by family."""

    def __init__(self) -> None:
        self._families: dict[str, list[TaskDefinition]] = {}

    def register(self, request: Mapping[str, Any]) -> TaskDefinition:
        """Add the next revision of a family."""
        revisions = self._families.setdefault(request["family"], [])
        made = {
            **{key: value for key, value in request.items() if key != "tags"},
            "taskDefinitionArn": f"{PREFIX}{request['family']}:{len(revisions) + 1}",
            "revision": len(revisions) + 1,
            "status": "ACTIVE",
            "compatibilities": ["EC2", "FARGATE"],
            "requiresAttributes": [{"name": "com.amazonaws.ecs.capability.task-iam-role"}],
            "registeredAt": 1700000000.5,
            "registeredBy": "arn:aws:iam::123456789012:root",
        }
        revisions.append(TaskDefinition(task_definition=made, tags=tuple(request.get("tags", ()))))
        return revisions[-1]

    def deregister(self, arn: str) -> None:
        """Make a revision INACTIVE."""
        self.find(arn).task_definition["status"] = "INACTIVE"  # type: ignore[union-attr]  # it is there

    def find(self, name: str) -> TaskDefinition | None:
        """Look up a revision, or a family's latest active one."""
        family, _, revision = name.removeprefix(PREFIX).partition(":")
        of_family = self._families.get(family, [])
        if revision:
            return next((each for each in of_family if each.name == f"{family}:{revision}"), None)
        active = [each for each in of_family if each.is_active]
        return active[-1] if active else None

    @property
    def registered(self) -> list[TaskDefinition]:
        """The revisions that were registered for images."""
        return [
            each
            for family, all_of in self._families.items()
            if family.startswith(FAMILIES)
            for each in all_of
        ]

    def image_of(self, name: str, container: str = "airflow") -> str:
        """Return the image that a container of a task definition runs."""
        found = self.find(name)
        assert found is not None
        images = {each["name"]: each["image"] for each in found.task_definition["containerDefinitions"]}
        return str(images[container])
