"""`ecs-async stop`: stops one ECS task, and says what Airflow makes of it."""

from __future__ import annotations

import argparse
import getpass
import sys
import time

from ecs_async_executor.cli.operation import add_command, exit_with, guarded, screen, show
from ecs_async_executor.commands import STOP
from ecs_async_executor.errors import OperationError

NO = 1
"""Exit code if the answer is no."""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command `stop`."""
    add_command(STOP, subparsers, run)


def run(args: argparse.Namespace) -> int:
    """Stop it; return 1 if it can't be found or stopped, or if the answer is no."""
    return guarded("stop", lambda: _stop(args))


def run_in_airflow(args: argparse.Namespace) -> None:
    """Run as `airflow ecs-async stop`."""
    exit_with(run(args))


def _stop(args: argparse.Namespace) -> int:
    from ecs_async_executor.operate.access import open_access  # noqa: PLC0415  it imports Airflow
    from ecs_async_executor.operate.aftermath import aftermath  # noqa: PLC0415  as above
    from ecs_async_executor.operate.stop import find_target  # noqa: PLC0415  as above
    from ecs_async_executor.operate.text import age, screen_width, wrapped  # noqa: PLC0415  as above

    access = open_access(args.team)
    target = find_target(access, args.what)
    task = target.task
    if task.is_stopping:
        is_over = task.last_status == "STOPPED"
        ends = "has stopped already" if is_over else f"is {task.last_status}: it is ending already"
        show([f"ECS task {task.task_id} {ends}. Nothing to do."])
        return 0
    old = age(None if task.created_at is None else time.time() - task.created_at)
    width = screen_width()
    show(
        [
            *wrapped(
                f"ECS task {task.task_id} in {task.cluster_arn.rpartition('/')[2]}: {task.last_status}, {old} old.",
                width,
            ),
            *wrapped(aftermath(task, target.row, shows_it=target.shows_it), width),
        ]
    )
    if not args.yes and not _agreed():
        show(["Nothing was stopped."])
        return NO
    access.aws.stop(task, f"Stopped by {user()} with ecs-async stop.")
    said = "Told it to stop. Its container gets SIGTERM now, and SIGKILL after its stopTimeout (30 s by default)."
    show(wrapped(said, width))
    return 0


def user() -> str:
    """Return who calls, as the operating system knows them, for AWS's stopped reason."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError, ImportError):  # a container's user without an entry in /etc/passwd
        return "an unnamed user"
    return "".join(each for each in name if each.isprintable())[:64] or "an unnamed user"


def _agreed() -> bool:
    if not sys.stdin.isatty():
        raise OperationError("there is no terminal to ask: add --yes to stop it.")
    try:
        screen().write("Stop it? [y/N] ")
        screen().flush()
        return input().strip().lower() in {"y", "yes"}
    except EOFError:
        return False
