"""`ecs-async status`: what the fleet page shows, on one screen."""

from __future__ import annotations

import argparse
import time
from typing import Any

from ecs_async_executor.cli.operation import add_command, exit_with, guarded, watch
from ecs_async_executor.commands import STATUS


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command `status`."""
    add_command(STATUS, subparsers, run)


def run(args: argparse.Namespace) -> int:
    """Show the status; return 1 if the database can't be read."""
    return guarded("status", lambda: _show(args))


def run_in_airflow(args: argparse.Namespace) -> None:
    """Run as `airflow ecs-async status`."""
    exit_with(run(args))


def _show(args: argparse.Namespace) -> int:
    from ecs_async_executor.operate.status_screen import as_text  # noqa: PLC0415  it imports Airflow

    return watch(args.every if args.watch else None, _read, as_text, as_json=args.json)


def _read() -> dict[str, Any]:
    from ecs_async_executor.operate.rows import read_all  # noqa: PLC0415  it imports Airflow
    from ecs_async_executor.operate.status_screen import make_status  # noqa: PLC0415  as above

    now = time.time()
    return make_status(*read_all(now), now)
