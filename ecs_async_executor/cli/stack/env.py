"""`ecs-async stack env`: the variables of a stack."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

from ecs_async_executor.cli.operation import show
from ecs_async_executor.cli.stack.terminal import connect, existing
from ecs_async_executor.errors import OperationError
from ecs_async_executor.stack.environment import as_text, variables, write


def run(args: argparse.Namespace) -> int:
    """Print a stack's variables, or write them to --env-file."""
    stack = existing(connect(args), args.name)
    if not stack.outputs:
        raise OperationError(f"the stack {args.name} is {stack.status}, and has no variables yet.")
    hand_over(args, variables(stack.outputs))
    return 0


def hand_over(args: argparse.Namespace, found: Mapping[str, str]) -> None:
    """Print the variables, or write them to --env-file."""
    text = as_text(found, args.format)
    if args.env_file:
        write(Path(args.env_file), text)
        sys.stderr.write(f"Wrote {len(found)} variables to {args.env_file}.\n")
    else:
        show(text.splitlines())
