"""How commands run: their errors as sentences, their exit codes, a screen that redraws itself."""

from __future__ import annotations

import argparse
import io
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from typing import Any, TextIO

from typing_extensions import override

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
    """Do the work, and return its exit code: 1 if it can't be done, with the reason on stderr."""
    return to_the_end(lambda: _explained(command, work))


def to_the_end(work: Callable[[], int]) -> int:
    """Do the work, and return its exit code: 130 after Ctrl-C, 0 if whoever reads its output is gone."""
    try:
        code = work()
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # as in `ecs-async tasks | head`; Python flushes both once more when it exits
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (sys.stdout, sys.stderr):
            os.dup2(nowhere, stream.fileno())
        return 0
    return code


def _explained(command: str, work: Callable[[], int]) -> int:
    try:
        with quiet():
            return work()
    except EcsAsyncError as error:
        sys.stderr.write(f"ecs-async {command}: {without_tokens(str(error))}\n")
        return 1


class _Nowhere(io.StringIO):
    """Where Airflow's logs go meanwhile."""

    def __init__(self, screen: TextIO) -> None:
        super().__init__()
        self.screen = screen

    @override
    def write(self, text: str, /) -> int:
        return len(text)


def screen() -> TextIO:
    """Return what people and programs read."""
    return sys.stdout.screen if isinstance(sys.stdout, _Nowhere) else sys.stdout


@contextmanager
def quiet() -> Iterator[None]:
    """Keep logs off stdout, where Airflow writes them: "Found credentials", or that `aws_default` doesn't exist.

    What goes wrong is an exception, and becomes a sentence on stderr.
    """
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with redirect_stdout(_Nowhere(screen())):
            yield
    finally:
        logging.disable(disabled)


def exit_with(code: int) -> None:
    """End an `airflow` command: Airflow's commands return no exit code, so raise SystemExit."""
    if code:
        raise SystemExit(code)


def show(lines: Sequence[str]) -> None:
    """Print lines."""
    screen().write("\n".join((*lines, "")))
    screen().flush()


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
    if screen().isatty():
        screen().write(CLEAR)
        show(lines)
    else:
        show([*lines, ""])
