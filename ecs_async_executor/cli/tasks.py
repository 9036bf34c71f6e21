"""`ecs-async tasks`: this Airflow's ECS tasks, joined with its task instances."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

from ecs_async_executor.cli.operation import add_command, exit_with, guarded, watch
from ecs_async_executor.commands import TASKS
from ecs_async_executor.errors import OperationError
from ecs_async_executor.task_arn import TaskArn
from ecs_async_executor.task_cost import Prices

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ecs_async_executor.operate.access import Access
    from ecs_async_executor.operate.cost_table import CostTable, Served
    from ecs_async_executor.operate.ecs_task import EcsTask
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

    if args.cost:
        return _show_cost(args)
    if args.prices:
        raise OperationError("--prices needs --cost.")
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


def _show_cost(args: argparse.Namespace) -> int:
    from ecs_async_executor.operate.access import open_access  # noqa: PLC0415  it imports Airflow
    from ecs_async_executor.operate.cost_table import as_json, as_text, make_table  # noqa: PLC0415  as above

    if any((args.task, args.queue, args.phase, args.state)):
        raise OperationError(
            "beside --cost only --dag chooses tasks: ECS shows nothing else of those that have ended."
        )
    access = open_access(args.team)
    prices = Prices.of((*access.configuration.settings.task_prices, *args.prices))

    def read() -> CostTable:
        tasks = _ours(access)
        return make_table(tasks, _dags(access, tasks), prices, time.time(), args.dag)

    def document() -> object:
        return as_json(read())

    return watch(
        args.every if args.watch else None, document if args.json else read, as_text, as_json=args.json
    )


def _ours(access: Access) -> list[EcsTask]:
    """Return this deployment's tasks, those that have ended included, each once."""
    found = {task.arn: task for task in (*access.tasks(), *access.ended_tasks())}
    return [task for task in found.values() if task.run_id(access.deployment) is not None]


def _dags(access: Access, tasks: Sequence[EcsTask]) -> dict[str, Served]:
    """Return what rows say, by ARN, of the tasks whose command names no Dag."""
    from ecs_async_executor.operate.cost_table import Served, dag_of  # noqa: PLC0415  it imports Airflow
    from ecs_async_executor.operate.rows import read_by_external_ids, readable  # noqa: PLC0415  as above

    by_id: dict[str, str] = {}
    for task in tasks:
        if not dag_of(task):
            by_id |= {task.arn: task.arn, task.run_id(access.deployment) or "": task.arn}
    if not by_id:
        return {}
    with readable() as session:
        rows = read_by_external_ids(session, by_id)
    return {
        by_id[row.external_id]: Served(row.dag_id, row.queued_at) for row in rows if row.external_id in by_id
    }


def _read(access: Access, now: float) -> list[Line]:
    from ecs_async_executor.fleet.live import live_tasks  # noqa: PLC0415  it imports Airflow
    from ecs_async_executor.operate.rows import read_all  # noqa: PLC0415  as above
    from ecs_async_executor.operate.task_table import join  # noqa: PLC0415  as above

    # ECS first: a row that is newer than its ECS task is found, and the other way round is a leftover.
    tasks = [task for task in access.tasks() if task.run_id(access.deployment) is not None]
    fleet, _ = read_all(now)
    live = live_tasks(fleet, frozenset(row.dag_id for row in fleet.tasks), now)
    seen = {task.arn for task in tasks}
    prices = Prices.of(access.configuration.settings.task_prices)

    def cost(task: EcsTask) -> float | None:
        usage, arn = task.usage(now), TaskArn.parse(task.arn)
        return prices.cost(usage, arn.region).dollars if usage is not None and arn is not None else None

    shown = {each.row.external_id or "" for each in live}
    served = _served([task.arn for task in tasks if task.standby is not None and task.arn not in shown])
    sought = access.named(sorted(shown - seen))
    tasks += sought.tasks
    return join(live, tasks, access.deployment, served=served, elsewhere=sought.elsewhere, cost=cost)


def _served(arns: Sequence[str]) -> set[str]:
    """Return those of these standbys that a row shows: they have got a task, which is over or another executor's."""
    from ecs_async_executor.operate.rows import read_by_external_ids, readable  # noqa: PLC0415  it imports Airflow

    if not arns:
        return set()
    with readable() as session:
        return {row.external_id or "" for row in read_by_external_ids(session, arns)}
