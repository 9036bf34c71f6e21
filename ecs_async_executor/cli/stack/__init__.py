"""`ecs-async stack up | env | down`: a whole set-up on AWS, made and taken down again."""

from __future__ import annotations

import argparse
from importlib import import_module

from ecs_async_executor.cli.operation import exit_with, guarded
from ecs_async_executor.commands import STACK


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command `stack`."""
    parser = subparsers.add_parser(STACK.name, help=STACK.help, description=STACK.description)
    actions = parser.add_subparsers(metavar="COMMAND")
    for command in STACK.commands:
        command.add_to(actions).set_defaults(run=run, subcommand=command.name)


def run(args: argparse.Namespace) -> int:
    """Run `up`, `env` or `down`; return 1 if it can't be done or the answer is no, 130 after Ctrl-C."""
    # Not before: they import boto3, a quarter of a second for every other command.
    module = import_module(f"{__name__}.{args.subcommand}")
    return guarded(f"stack {args.subcommand}", lambda: int(module.run(args)))


def run_in_airflow(args: argparse.Namespace) -> None:
    """Run as `airflow ecs-async stack ...`, where Airflow has put the command's name into `subcommand`."""
    exit_with(run(args))
