"""`ecs-async sweep`: containers that outlived their task instance, payloads that nothing will fetch, old images' revisions."""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ecs_async_executor.cli.operation import add_command, exit_with, guarded, show, show_json
from ecs_async_executor.commands import SWEEP
from ecs_async_executor.errors import EcsAsyncError

if TYPE_CHECKING:
    from ecs_async_executor.operate.containers import Rules
    from ecs_async_executor.operate.sweep import Found


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command `sweep`."""
    add_command(SWEEP, subparsers, run)


def run(args: argparse.Namespace) -> int:
    """List what outlived its task, and with --yes stop and delete it; return 1 if that can't be done."""
    return guarded("sweep", lambda: _sweep(args))


def run_in_airflow(args: argparse.Namespace) -> None:
    """Run as `airflow ecs-async sweep`."""
    exit_with(run(args))


def _sweep(args: argparse.Namespace) -> int:
    from ecs_async_executor.operate.access import open_access  # noqa: PLC0415  it imports Airflow
    from ecs_async_executor.operate.containers import Rules  # noqa: PLC0415  as above
    from ecs_async_executor.operate.sweep import act, look  # noqa: PLC0415  as above

    access = open_access(args.team)
    rules = Rules(access.deployment, args.older_than, args.gone)
    now = time.time()
    found = look(access, rules, now, images=args.images)
    if not args.json:
        show(list(_lines(found, rules, now)))
    done: set[str] = set()
    problem: EcsAsyncError | None = None
    try:
        for each in act(access, rules, found, time.time) if args.yes else ():
            done.add(each)
    except EcsAsyncError as error:
        problem = error  # what was done until then is shown first
    if args.json:
        show_json(_document(found, now, done))
    else:
        show([_outcome(found, done, acted=args.yes, whole=problem is None)])
    if problem is not None:
        raise problem
    return 0


def _lines(found: Found, rules: Rules, now: float) -> Iterator[str]:
    from ecs_async_executor.operate import containers, payloads, revisions  # noqa: PLC0415  they import Airflow
    from ecs_async_executor.operate.text import age, screen_width, wrapped  # noqa: PLC0415  with the others

    width = screen_width()
    quiet = {
        containers.Verdict.IN_USE: "in use",
        containers.Verdict.STOPPING: "stopping already",
        containers.Verdict.WAITS: "waiting for a task, as standbys",
        containers.Verdict.YOUNG: f"younger than {age(rules.grace)}",
    }
    for each in found.containers:
        if each.verdict not in quiet:
            word = "stop " if each.is_to_stop else "leave"
            yield from wrapped(f"{word}  {each.task.task_id}  {containers.explain(each, now)}", width)
    for stored in found.payloads:
        if stored.is_to_delete:
            yield from wrapped(f"delete {stored.object.url}  {payloads.explain(stored, now)}", width)
    for registered in found.revisions:
        if registered.is_to_deregister:
            name = registered.revision.arn.rpartition("/")[2]
            yield from wrapped(f"deregister {name}  {revisions.explain(registered, now)}", width)
    counts = Counter(quiet[each.verdict] for each in found.containers if each.verdict in quiet)
    kept = Counter(stored.verdict.value for stored in found.payloads if not stored.is_to_delete)
    if counts:
        yield from wrapped(
            "Containers left alone: "
            + ", ".join(f"{number} {what}" for what, number in counts.items())
            + " (--json lists them).",
            width,
        )
    for why, number in kept.items():
        yield from wrapped(_kept("payload", number, why), width)
    left = Counter(each.verdict.value for each in found.revisions if not each.is_to_deregister)
    for why, number in left.items():
        yield from wrapped(_kept("image revision", number, why), width)


def _kept(what: str, number: int, why: str) -> str:
    from ecs_async_executor.operate.text import count  # noqa: PLC0415  with the others

    return f"{count(number, what)} left alone{', each' if number > 1 else ''} because {why}."


def _outcome(found: Found, done: set[str], *, acted: bool, whole: bool) -> str:
    from ecs_async_executor.operate.text import count  # noqa: PLC0415  with the others

    stops = [each.task.arn for each in found.containers if each.is_to_stop]
    deletions = [each.object.url for each in found.payloads if each.is_to_delete]
    old = [each.revision.arn for each in found.revisions if each.is_to_deregister]
    if not stops and not deletions and not old:
        return "Nothing to clean up."
    if not acted:
        of_images = f", {count(len(old), 'revision')} to deregister" if found.revisions else ""
        what = f"{count(len(stops), 'container')} to stop, {count(len(deletions), 'payload')} to delete{of_images}."
        return f"{what} Nothing was changed: add --yes to do it."
    of_images = f", deregistered {count(len(done & set(old)), 'revision')}" if found.revisions else ""
    said = (
        f"Stopped {count(len(done & set(stops)), 'container')}, "
        f"deleted {count(len(done & set(deletions)), 'payload')}{of_images}."
    )
    spared = len(set(stops) - done)
    if not whole:
        said += " Nothing else was changed."
    elif spared:
        said += (
            f" {count(spared, 'container')} left alone after a second look: something has changed in between."
        )
    return said


def _document(found: Found, now: float, done: set[str]) -> list[dict[str, Any]]:
    from ecs_async_executor.operate import containers, payloads, revisions  # noqa: PLC0415  they import Airflow

    document: list[dict[str, Any]] = [
        {
            "arn": each.task.arn,
            "action": "stop" if each.is_to_stop else "leave",
            "verdict": each.verdict.name.lower(),
            "why": containers.explain(each, now),
            "task": each.row.label if each.row is not None else None,
            "done": each.task.arn in done,
        }
        for each in found.containers
    ]
    document += [
        {
            "url": each.object.url,
            "action": "delete" if each.is_to_delete else "leave",
            "verdict": each.verdict.name.lower(),
            "why": payloads.explain(each, now),
            "done": each.object.url in done,
        }
        for each in found.payloads
    ]
    document += [
        {
            "taskDefinition": each.revision.arn,
            "action": "deregister" if each.is_to_deregister else "leave",
            "verdict": each.verdict.name.lower(),
            "why": revisions.explain(each, now),
            "done": each.revision.arn in done,
        }
        for each in found.revisions
    ]
    return document
