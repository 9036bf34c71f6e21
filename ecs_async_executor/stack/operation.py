"""Begins an operation on a stack, and watches it to its end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from ecs_async_executor.errors import OperationError
from ecs_async_executor.stack.cloud import Cloud, Made, Stack
from ecs_async_executor.stack.progress import Event, Progress
from ecs_async_executor.stack.template import Template, Values

EVERY = 5.0
"""Seconds between two looks: CloudFormation works for minutes, and its own console looks as seldom."""
_BUCKET, _SECRET, _DATABASE = "AWS::S3::Bucket", "AWS::SecretsManager::Secret", "AWS::RDS::DBInstance"
_CLUSTER = "AWS::ECS::Cluster"
_SNAPSHOT = "snapshot of the database"
_DEAD = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED", "REVIEW_IN_PROGRESS")
"""States of a stack that can only be deleted."""


class Show(Protocol):
    """Shows progress: the new events, and all that is known."""

    def __call__(self, new: Sequence[Event], progress: Progress) -> None:
        """Show it."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How often to look, and how to wait."""

    sleep: Callable[[float], None]
    every: float = EVERY


@dataclass(frozen=True, slots=True)
class Leftover:
    """What deleting a stack leaves."""

    what: str
    """Such as `bucket`."""
    id: str


def begin(cloud: Cloud, template: Template, name: str, values: Values, before: Stack | None) -> bool:
    """Begin to make or to change a stack; return False if there is nothing to change.

    Raises:
        OperationError: AWS refuses, or the stack can't be changed.
    """
    if before is None:
        cloud.create(name, template.text, values)
        return True
    if before.status in _DEAD:
        raise OperationError(
            f"the stack {name} is {before.status}, and can only be deleted: run `ecs-async stack down`, and then this again."
        )
    return cloud.update(name, template.text, values)


def seen_before(cloud: Cloud, stack: Stack | None) -> set[str]:
    """Return the ids of the events that a stack has already."""
    return set() if stack is None else {each.id for each in cloud.events(stack.id)}


def watch(cloud: Cloud, stack_id: str, seen: set[str], show: Show, pace: Pace) -> tuple[Stack, Progress]:
    """Show the events that are not in `seen`, until AWS is done with the stack; return how it is then."""
    progress = Progress(seen)
    while True:
        # The state first: events of an end come no later than the state.
        stack = cloud.stack(stack_id) or Stack(stack_id, "", "DELETE_COMPLETE", {}, ())
        new = progress.take(cloud.events(stack_id))
        show(new, progress)
        if not stack.in_progress:
            return stack, progress
        pace.sleep(pace.every)


def failed(stack: Stack, progress: Progress) -> str:
    """Return why an operation failed, by the first resource that did; empty if it went well."""
    if stack.status in {"CREATE_COMPLETE", "UPDATE_COMPLETE", "DELETE_COMPLETE", "IMPORT_COMPLETE"}:
        return ""
    first = progress.failure
    if first is None:
        return f"The stack is {stack.status}."
    return f"{first.name} ({first.kind}) failed: {first.reason or first.status}"


def what_is_left(made: Sequence[Made], template: Template) -> list[Leftover]:
    """Return what deleting a stack of these resources keeps: resources, and the database whose snapshot AWS takes."""
    kept = {
        name
        for name, each in template.document["Resources"].items()
        if each.get("DeletionPolicy", "Delete") != "Delete"
    }
    words = {_BUCKET: "bucket", _SECRET: "secret", _DATABASE: _SNAPSHOT}
    return [
        Leftover(words[each.kind], each.id)
        for each in made
        if each.name in kept and each.kind in words and each.id and each.status != "DELETE_COMPLETE"
    ]


def stop_tasks(cloud: Cloud, made: Sequence[Made]) -> int:
    """Stop the ECS tasks of the stack's cluster, which can't be deleted before; return how many were told to stop."""
    count = 0
    for cluster in (each.id for each in made if each.kind == _CLUSTER):
        for arn in cloud.running_tasks(cluster):
            cloud.stop_task(cluster, arn)
            count += 1
    return count


def count_tasks(cloud: Cloud, made: Sequence[Made]) -> int:
    """Return how many ECS tasks run in the stack's cluster."""
    return sum(len(cloud.running_tasks(each.id)) for each in made if each.kind == _CLUSTER)


def snapshots_before(cloud: Cloud, leftovers: Sequence[Leftover]) -> set[str]:
    """Return the snapshots of the stack's database that people have taken."""
    return {name for each in leftovers if each.what == _SNAPSHOT for name in cloud.snapshots(each.id)}


def delete_leftovers(cloud: Cloud, leftovers: Sequence[Leftover], spared: set[str]) -> list[Leftover]:
    """Delete for ever what a deleted stack has left; return it, the last snapshot by its own name.

    Raises:
        OperationError: Something can't be deleted; the message names all that is still there.
    """
    gone: list[Leftover] = []
    for number, each in enumerate(leftovers):
        try:
            gone += _deleted(cloud, each, spared)
        except OperationError as error:
            left = ", ".join(f"the {one.what} {one.id}" for one in leftovers[number:])
            raise OperationError(f"{error} The stack is deleted. Still there: {left}.") from error
    return gone


def _deleted(cloud: Cloud, each: Leftover, spared: set[str]) -> list[Leftover]:
    if each.what == _SNAPSHOT:
        new = [name for name in cloud.snapshots(each.id) if name not in spared]
        for name in new:
            cloud.delete_snapshot(name)
        return [replace(each, id=name) for name in new]
    if each.what == "bucket":
        cloud.delete_bucket(each.id)
    else:
        cloud.delete_secret(each.id)
    return [each]
