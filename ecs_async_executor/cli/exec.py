"""`ecs-async exec`: a shell in a running task's container, by ECS Exec."""

from __future__ import annotations

import argparse
import shlex
import shutil
import sys

from ecs_async_executor.cli.operation import add_command, exit_with, guarded
from ecs_async_executor.commands import EXEC
from ecs_async_executor.errors import OperationError

SHELL = "/bin/sh"
"""What every image with a shell has."""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command `exec`."""
    add_command(EXEC, subparsers, run)


def run(args: argparse.Namespace) -> int:
    """Run the session; return the plug-in's exit code, or 1 if there can't be one."""
    return guarded("exec", lambda: _exec(args))


def run_in_airflow(args: argparse.Namespace) -> None:
    """Run as `airflow ecs-async exec`."""
    exit_with(run(args))


def _exec(args: argparse.Namespace) -> int:
    from ecs_async_executor.operate.access import open_access  # noqa: PLC0415  it imports Airflow
    from ecs_async_executor.operate.exec_checks import PLUGIN, choose_container, what_is_missing  # noqa: PLC0415  as above
    from ecs_async_executor.operate.rows import read_named, readable  # noqa: PLC0415  as above
    from ecs_async_executor.operate.shell import run_plugin, target_of  # noqa: PLC0415  as above
    from ecs_async_executor.operate.stop import container_of, one_of  # noqa: PLC0415  as above
    from ecs_async_executor.operate.text import screen_width, wrapped  # noqa: PLC0415  as above

    access = open_access(args.team)
    with readable() as session:
        rows = read_named(session, args.dag_id, args.task_id, args.run_id, args.map_index)
    live = [row for row in rows if row.is_live]
    if not live:
        name = f"{args.dag_id}.{args.task_id}"
        raise OperationError(
            f"no task instance of {name} is live{f' in the run {args.run_id}' if args.run_id else ''}: a shell needs a running "
            "container. `ecs-async tasks` lists those that run."
        )
    row = one_of(live, "Add --run RUN or --map-index N.")
    task = container_of(access, row)
    container = choose_container(task, access.container_names(), args.container)
    plugin = shutil.which(PLUGIN)
    if missing := what_is_missing(task, container, plugin):
        width = screen_width()
        lines = [line for each in missing for line in wrapped(f"- {each.what} {each.remedy}", width)]
        raise OperationError("\n".join((f"a shell in {row.label} needs more:", *lines)))
    if container is None or plugin is None:  # never: both would be missing
        return 1
    opened = access.aws.open_session(task, container.name, shlex.join(args.command) or SHELL)
    sys.stderr.write(f"{row.label}, container {container.name} of ECS task {task.task_id}\n")
    return run_plugin(plugin, opened, target_of(task, container), access.aws.region, access.aws.endpoint)
