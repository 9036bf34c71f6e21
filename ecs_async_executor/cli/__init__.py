"""The command `ecs-async`. Each subcommand is a module with `add_parser(subparsers)` and `run(args) -> exit code`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from ecs_async_executor import __version__
from ecs_async_executor.cli import (
    config,
    conformance,
    demo,
    doctor,
    exec,  # noqa: A004  a command's name
    image,
    local,
    stack,
    status,
    stop,
    sweep,
    tasks,
)
from ecs_async_executor.cli.operation import to_the_end
from ecs_async_executor.cli.parser import Parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run `ecs-async` and return the exit code. Wrong usage ends the process with exit code 2."""
    parser: argparse.ArgumentParser = Parser(
        prog="ecs-async",
        description="Run Airflow tasks on Amazon ECS, or on a local ECS without AWS.",
        epilog="Run `ecs-async COMMAND --help` for the options of a command.",
    )
    parser.add_argument("--version", action="version", version=f"ecs-async-executor {__version__}")
    subparsers = parser.add_subparsers(metavar="COMMAND")
    for command in (config, doctor, conformance, stack, demo, image, local, status, tasks, sweep, stop, exec):
        command.add_parser(subparsers)
    args = parser.parse_args(argv)
    return to_the_end(lambda: args.run(args))
