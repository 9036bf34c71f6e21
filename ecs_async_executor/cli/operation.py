"""How every command of operation runs: its errors as sentences, its exit codes, its screen that redraws itself."""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from ecs_async_executor.commands import Command
from ecs_async_executor.errors import EcsAsyncError
from ecs_async_executor.tokens import without_tokens

CLEAR = "\x1b[H\x1b[2J\x1b[3J"
"""The terminal's codes for: to the top, clear the screen and what scrolled out of it."""
INTERRUPTED = 128 + signal.SIGINT


def add_command(
    command: Command,
    subparsers: argparse._SubParsersAction[argparse.ArgumentParser],
    run: Callable[[argparse.Namespace], int],
) -> None:
    """Add a command to `ecs-async`."""
    command.add_to(subparsers).set_defaults(run=run)


def guarded(command: str, work: Callable[[], int]) -> int:
    """Do the work, and return its exit code: 1 if it can't be done, with the reason on stderr; 130 after Ctrl-C."""
    disabled = logging.root.manager.disable
    # Airflow logs to stdout, where it would be among what people and programs read: botocore's "Found credentials", for one.
    logging.disable(logging.WARNING)
    try:
        return work()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # as in `ecs-async tasks | head`: the reader is gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except EcsAsyncError as error:
        sys.stderr.write(f"ecs-async {command}: {without_tokens(str(error))}\n")
        return 1
    finally:
        logging.disable(disabled)


def exit_with(code: int) -> None:
    """End an `airflow` command: Airflow's commands return no exit code, so raise SystemExit."""
    if code:
        raise SystemExit(code)


def show(lines: Sequence[str]) -> None:
    """Print lines."""
    sys.stdout.write("\n".join((*lines, "")))
    sys.stdout.flush()


def show_json(document: object, *, one_line: bool = False) -> None:
    """Print JSON: on one line for a program that reads one document after the other."""
    show([json.dumps(document, indent=None if one_line else 2)])


def watch(
    seconds: float | None,
    read: Callable[[], Any],
    draw: Callable[[Any], Sequence[str]],
    *,
    as_json: bool,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Read and show once or, with `seconds`, again and again until Ctrl-C.

    Watching survives a failed read: the screen keeps what was read last, and says what is wrong.
    """
    if seconds is None:
        found = read()
        if as_json:
            show_json(found)
        else:
            show(draw(found))
        return 0
    try:
        while True:
            _once(read, draw, as_json=as_json)
            sleep(seconds)
    except KeyboardInterrupt:
        return 0


def _once(read: Callable[[], Any], draw: Callable[[Any], Sequence[str]], *, as_json: bool) -> None:
    try:
        found = read()
    except EcsAsyncError as error:
        sys.stderr.write(f"{without_tokens(str(error))}\n")
        return
    if as_json:
        show_json(found, one_line=True)
        return
    lines = draw(found)
    if sys.stdout.isatty():
        sys.stdout.write(CLEAR)
        show(lines)
    else:
        show([*lines, ""])
