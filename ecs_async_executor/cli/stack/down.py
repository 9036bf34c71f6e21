"""`ecs-async stack down`: deletes the stack, and keeps its data unless told otherwise."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Sequence

from ecs_async_executor.cli.operation import show
from ecs_async_executor.cli.stack.live import Live
from ecs_async_executor.cli.stack.terminal import (
    NO,
    agreed,
    command,
    connect,
    existing,
    goes_on,
    interrupted,
    pace,
    tell,
)
from ecs_async_executor.errors import OperationError
from ecs_async_executor.stack import leftovers, operation
from ecs_async_executor.stack.cloud import Cloud, Made
from ecs_async_executor.stack.leftovers import Leftover
from ecs_async_executor.stack.progress import Event, Progress
from ecs_async_executor.stack.template import read_template


def run(args: argparse.Namespace) -> int:
    """Delete the stack, and with --delete-data what it leaves."""
    cloud = connect(args)
    stack = existing(cloud, args.name)
    made = cloud.made(stack.id)
    left = leftovers.what_is_left(made, read_template())
    show(_farewell(args, cloud.region, len(made), left, operation.count_tasks(cloud, made)))
    question = f"Delete the stack {args.name}{' and its data' if args.delete_data else ''}? [y/N] "
    if not args.yes and not agreed(question):
        show(["Nothing was deleted."])
        return NO
    spared = leftovers.snapshots_before(cloud, stack.id, left) if args.delete_data else set()
    live = Live(len(made))

    def look(new: Sequence[Event], progress: Progress) -> None:
        live(new, progress)
        _stop_tasks(cloud, made)

    try:
        _stop_tasks(cloud, made)
        after, progress = operation.delete(cloud, stack, look, pace(), live.tell)
    except KeyboardInterrupt:
        tell(_still_there(args, left))
        return interrupted(args, "down")
    except OperationError as error:
        raise OperationError(
            "\n".join((str(error), goes_on(args, "down"), *_still_there(args, left)))
        ) from error
    if why := operation.failed(after, progress):
        raise OperationError(f"{why}\nRemove the cause, and run `{command(args, 'down')}` again.")
    gone = leftovers.delete_leftovers(cloud, left, spared) if args.delete_data else []
    show([f"Deleted the stack {args.name}.", *(f"Deleted the {each.what} {each.id}." for each in gone)])
    show([f"Kept the snapshot {name}: it may be yours." for name in sorted(spared)])
    if left and not args.delete_data:
        show(["Kept:", *(f"  {each.what} {each.id}" for each in left)])
    return 0


def _stop_tasks(cloud: Cloud, made: Sequence[Made]) -> None:
    """Stop what runs, and again what a scheduler has started meanwhile: a cluster with tasks can't be deleted.

    A failure is no reason to stop: if it matters, AWS says so at the cluster.
    """
    with contextlib.suppress(OperationError):
        operation.stop_tasks(cloud, made)


def _farewell(
    args: argparse.Namespace, region: str, count: int, left: Sequence[Leftover], running: int
) -> list[str]:
    lines = [f"The stack {args.name} in {region} has {count} resources. Its image repository goes, too."]
    if running:
        tasks = "ECS task runs" if running == 1 else "ECS tasks run"
        lines.append(f"{running} {tasks} in its cluster, and will be stopped.")
    if left:
        lines.append("Deleted for ever:" if args.delete_data else "Kept:")
        lines += [f"  {each.what} {each.id}" for each in left]
    return lines


def _still_there(args: argparse.Namespace, left: Sequence[Leftover]) -> list[str]:
    """Return what --delete-data would have deleted at the end, for who doesn't see that end."""
    if not (args.delete_data and left):
        return []
    return ["Its data is deleted last, and is still there:", *(f"  {each.what} {each.id}" for each in left)]
