"""What a deleted stack leaves, and how that is deleted for ever."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ecs_async_executor.errors import OperationError
from ecs_async_executor.stack.cloud import Cloud, Made
from ecs_async_executor.stack.template import Template

_BUCKET, _SECRET, _DATABASE = "AWS::S3::Bucket", "AWS::SecretsManager::Secret", "AWS::RDS::DBInstance"
_SNAPSHOT = "snapshot of the database"


@dataclass(frozen=True, slots=True)
class Leftover:
    """What deleting a stack leaves."""

    what: str
    """Such as `bucket`."""
    id: str


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
        # A database's last snapshot is there when the database is gone: an earlier try has deleted it.
        if each.name in kept
        and each.kind in words
        and each.id
        and (each.status != "DELETE_COMPLETE" or each.kind == _DATABASE)
    ]


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
