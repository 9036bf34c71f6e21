"""What the commands of `ecs-async stack` share: how they connect, ask, tell, and end on Ctrl-C."""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from collections.abc import Sequence

from ecs_async_executor.cli.operation import INTERRUPTED
from ecs_async_executor.errors import OperationError
from ecs_async_executor.stack import operation
from ecs_async_executor.stack.cloud import Cloud, Stack

NO = 1
"""Exit code if the answer is no."""


def connect(args: argparse.Namespace) -> Cloud:
    """Return AWS, in the Region and with the credentials that the arguments name."""
    return Cloud.connect(args.region, args.profile)


def find(cloud: Cloud, name: str) -> Stack | None:
    """Return the stack of a name; None if there is none.

    Raises:
        OperationError: It is somebody else's: changing or deleting it would destroy what it holds.
    """
    stack = cloud.stack(name)
    if stack is not None and not stack.ours:
        raise OperationError(
            f"the stack {name} in {cloud.region} wasn't made with `ecs-async stack`: its template's description is another. "
            "It stays as it is. Choose another --name."
        )
    return stack


def existing(cloud: Cloud, name: str) -> Stack:
    """Return the stack of a name; raises `OperationError` if there is none, or if it is somebody else's."""
    stack = find(cloud, name)
    if stack is None:
        raise OperationError(
            f"there is no stack {name} in {cloud.region}. Another name or Region? Add --name or --region."
        )
    return stack


def pace() -> operation.Pace:
    """Return how often to look at AWS."""
    return operation.Pace(time.sleep, operation.EVERY)


def tell(lines: Sequence[str]) -> None:
    """Tell people on stderr: stdout is for the variables."""
    sys.stderr.writelines(f"{line}\n" for line in lines)
    sys.stderr.flush()


def agreed(question: str) -> bool:
    """Ask; raises `OperationError` without a terminal."""
    if not sys.stdin.isatty():
        raise OperationError("there is no terminal to ask: add --yes.")
    sys.stderr.write(question)
    sys.stderr.flush()
    try:
        return input().strip().lower() in {"y", "yes"}
    except EOFError:  # Ctrl-D
        return False


def command(args: argparse.Namespace, action: str, *more: str) -> str:
    """Return a command line about the same stack; of `down` with what the user has asked for."""
    words = ["ecs-async", "stack", action, "--name", args.name]
    for flag, value in (("--region", args.region), ("--profile", args.profile)):
        words += [flag, value] if value else []
    words += ["--delete-data"] if action == "down" and getattr(args, "delete_data", False) else []
    return shlex.join([*words, *more])


def goes_on(args: argparse.Namespace, action: str) -> str:
    """Return what is true if nobody watches any more."""
    return f"AWS goes on with the stack {args.name}. To see it again: {command(args, action)}"


def interrupted(args: argparse.Namespace, action: str) -> int:
    """Say what is true after Ctrl-C, and return the exit code."""
    tell(["", goes_on(args, action)])
    return INTERRUPTED
