"""What a deleted stack leaves, and how that is deleted for ever."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ecs_async_executor.errors import OperationError
from ecs_async_executor.stack.cloud import Cloud, Made, Snapshot
from ecs_async_executor.stack.progress import Event
from ecs_async_executor.stack.template import Template

_BUCKET, _SECRET, _DATABASE = "AWS::S3::Bucket", "AWS::SecretsManager::Secret", "AWS::RDS::DBInstance"
_SNAPSHOT = "snapshot of the database"
_GOING = {"DELETE_IN_PROGRESS", "DELETE_COMPLETE"}


@dataclass(frozen=True, slots=True)
class Leftover:
    """What deleting a stack leaves."""

    what: str
    """Such as `bucket`."""
    id: str
    going: bool = False
    """A database whose snapshot this is, is being deleted or gone already, by an earlier try."""


def what_is_left(made: Sequence[Made], template: Template) -> list[Leftover]:
    """Return what deleting a stack of these resources keeps: resources, and the database whose snapshot AWS takes."""
    kept = {
        name
        for name, each in template.document["Resources"].items()
        if each.get("DeletionPolicy", "Delete") != "Delete"
    }
    words = {_BUCKET: "bucket", _SECRET: "secret", _DATABASE: _SNAPSHOT}
    return [
        Leftover(words[each.kind], each.id, each.kind == _DATABASE and each.status in _GOING)
        for each in made
        # A database's last snapshot is there when the database is gone: an earlier try has deleted it.
        if each.name in kept
        and each.kind in words
        and each.id
        and (each.status != "DELETE_COMPLETE" or each.kind == _DATABASE)
    ]


def snapshots_before(cloud: Cloud, stack_id: str, leftovers: Sequence[Leftover]) -> set[str]:
    """Return the snapshots of the stack's database that may be people's: all but the one that its deletion takes.

    That one is there already if an earlier try has begun with the database.
    """
    spared: set[str] = set()
    for left in leftovers:
        if left.what == _SNAPSHOT:
            began = _deleted_since(cloud.events(stack_id)) if left.going else None
            spared |= {each.name for each in cloud.snapshots(left.id) if not _is_last(each, began)}
    return spared


def _deleted_since(events: Sequence[Event]) -> float | None:
    """Return when AWS last began to delete the database; None if no event tells."""
    times = [each.at for each in events if each.kind == _DATABASE and each.status == "DELETE_IN_PROGRESS"]
    return max(times, default=None)


def _is_last(snapshot: Snapshot, began: float | None) -> bool:
    """Return whether the database's deletion has taken it: people can't, from then on ("CreateDBSnapshot" of the RDS API reference)."""
    if began is None or snapshot.is_copy:
        return False
    return snapshot.at is not None and snapshot.at >= began


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
        new = [one.name for one in cloud.snapshots(each.id) if one.name not in spared]
        for name in new:
            cloud.delete_snapshot(name)
        return [replace(each, id=name) for name in new]
    if each.what == "bucket":
        cloud.delete_bucket(each.id)
    else:
        cloud.delete_secret(each.id)
    return [each]
