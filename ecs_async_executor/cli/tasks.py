"""`ecs-async tasks`: this Airflow's ECS tasks, joined with its task instances."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

from ecs_async_executor.cli.operation import add_command, exit_with, guarded, watch
from ecs_async_executor.commands import TASKS

if TYPE_CHECKING:
    from ecs_async_executor.operate.access import Access
    from ecs_async_executor.operate.task_table import Line


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command `tasks`."""
    add_command(TASKS, subparsers, run)


def run(args: argparse.Namespace) -> int:
    """Show the table; return 1 if the database or ECS can't be read."""
    return guarded("tasks", lambda: _show(args))


def run_in_airflow(args: argparse.Namespace) -> None:
    """Run as `airflow ecs-async tasks`."""
    exit_with(run(args))


def _show(args: argparse.Namespace) -> int:
    from ecs_async_executor.operate.access import open_access  # noqa: PLC0415  it imports Airflow
    from ecs_async_executor.operate.task_table import Filters, as_json, as_text, choose  # noqa: PLC0415  as above

    access = open_access(args.team)
    filters = Filters(args.dag, args.task, args.queue, args.phase, args.state)

    def read() -> tuple[list[Line], float]:
        now = time.time()
        return _read(access, now), now

    def draw(found: tuple[list[Line], float]) -> list[str]:
        lines, now = found
        return as_text(choose(lines, filters), len(lines), now)

    def document() -> object:
        lines, now = read()
        return as_json(choose(lines, filters), now)

    return watch(args.every if args.watch else None, document if args.json else read, draw, as_json=args.json)


def _read(access: Access, now: float) -> list[Line]:
    from ecs_async_executor.fleet.live import live_tasks  # noqa: PLC0415  it imports Airflow
    from ecs_async_executor.operate.rows import read_all  # noqa: PLC0415  as above
    from ecs_async_executor.operate.task_table import join  # noqa: PLC0415  as above

    # ECS first: a row that is newer than its ECS task is found, and the other way round is a leftover.
    tasks = [task for task in access.tasks() if task.run_id(access.deployment) is not None]
    fleet, _ = read_all(now)
    live = live_tasks(fleet, frozenset(row.dag_id for row in fleet.tasks), now)
    seen = {task.arn for task in tasks}
    shown = {each.row.external_id or "" for each in live}
    return join(live, [*tasks, *access.named(sorted(shown - seen))], access.deployment)
