"""`ecs-async demo`: runs the example Dags on a local Airflow and a local ECS, and shows their progress."""

from __future__ import annotations

import argparse
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

from ecs_async_executor.argument_values import positive_seconds

if TYPE_CHECKING:
    from argparse import _SubParsersAction

_NEEDS = ("aiohttp", "moto", "rich")


def add_parser(subparsers: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command `demo`."""
    parser = subparsers.add_parser(
        "demo",
        help="run the example Dags on a local Airflow and a local ECS",
        description="Start Airflow and a local ECS in a temporary folder, run the example Dags, show each task "
        "on its way, and clean up. Exits with 0 if every task ended as its author expects.",
    )
    parser.add_argument(
        "--keep", action="store_true", help="keep everything running after the Dags have ended, until Ctrl-C"
    )
    parser.add_argument("--keep-home", action="store_true", help="keep the temporary folder")
    parser.add_argument(
        "--no-live", action="store_true", help="print one line per change instead of redrawing the screen"
    )
    parser.add_argument(
        "--timeout",
        type=positive_seconds,
        default=300.0,
        metavar="SECONDS",
        help="give up after this time (default: %(default)g)",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the demo and return the exit code."""
    if any(find_spec(name) is None for name in _NEEDS):
        sys.stderr.write(
            "The demo needs more packages: in a clone of the repository, pip install -c constraints.txt '.[local]'\n"
        )
        return 1
    from rich.console import Console  # noqa: PLC0415  in the extra `local`

    from ecs_async_executor.demo.run import Options  # noqa: PLC0415  imports rich
    from ecs_async_executor.demo.run import run as run_demo  # noqa: PLC0415  imports rich

    options = Options(timeout=args.timeout, live=not args.no_live, keep=args.keep, keep_home=args.keep_home)
    return run_demo(options, Console())
