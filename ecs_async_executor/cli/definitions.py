"""Reads the files of `ecs-async local --task-definition`, registers them as ECS would, and describes them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ecs_async_executor.errors import ConfigurationError
from ecs_async_executor.local.definition_files import FileDefinition, read_definitions
from ecs_async_executor.local.rules.protocol import AwsError, validate
from ecs_async_executor.local.state.definitions import AIRFLOW_TASK, Registry, TaskDefinition

OPTION = "--task-definition"


@dataclass(frozen=True, slots=True)
class Loaded:
    """A task definition from a file, and the result of registering it."""

    path: str
    source: FileDefinition
    registered: TaskDefinition

    @property
    def request(self) -> dict[str, Any]:
        """The RegisterTaskDefinition request."""
        return self.source.request


def load(paths: Sequence[str], region: str, account: str) -> list[Loaded]:
    """Read the task definitions of all files.

    Raises:
        ConfigurationError: Names the file, the problem, and what to do.
    """
    registry = Registry(region, account)
    registry.register(AIRFLOW_TASK)
    return [
        Loaded(path, source, _registered(registry, path, source.request))
        for path in paths
        for source in _definitions(path)
    ]


def _definitions(path: str) -> list[FileDefinition]:
    try:
        return read_definitions(Path(path).read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigurationError(
            f"{OPTION} {path}: {error.strerror}. Name a JSON file with a task definition, as `aws ecs "
            "describe-task-definition` prints it."
        ) from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{OPTION} {path}: the file is not UTF-8. Save it as UTF-8.") from None
    except ConfigurationError as error:
        raise ConfigurationError(f"{OPTION} {path}: {error}") from None


def _registered(registry: Registry, path: str, request: dict[str, Any]) -> TaskDefinition:
    try:
        validate("RegisterTaskDefinition", request)
        return registry.register(request)
    except AwsError as error:
        family = f"task definition {request['family']}: " if "family" in request else ""
        raise ConfigurationError(f"{OPTION} {path}: {family}ECS rejects it: {error.message}") from None


def describe(definitions: Sequence[Loaded], groups: Collection[str] | None) -> Iterator[str]:
    """Yield lines that describe what was added; `groups` are the existing log groups, or None without logs."""
    for loaded in definitions:
        registered = loaded.registered
        containers = ", ".join(f"{container.name} ({container.image})" for container in registered.containers)
        name = f"{registered.family}:{registered.document['revision']}"
        yield f"  {name}, from {loaded.path}: {'containers' if len(registered.containers) > 1 else 'container'} {containers}"
        if loaded.source.left_out:
            yield f"      ignored, because only AWS sets them: {', '.join(loaded.source.left_out)}"
        if loaded.source.ineffective:
            yield f"      no effect on this machine: {', '.join(loaded.source.ineffective)}"
        for group in sorted(_missing_groups(registered, groups)):
            yield (
                f"      its tasks can't start: there is no log group {group}. Add --log-group {group} (or "
                '"awslogs-create-group": "true")'
            )


def _missing_groups(definition: TaskDefinition, groups: Collection[str] | None) -> set[str]:
    if groups is None:
        return set()
    targets = [container.log for container in definition.containers if container.log is not None]
    return {target.group for target in targets if not target.create_group and target.group not in groups}
