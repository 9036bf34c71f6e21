"""Processes of one's own for measurements: one never sees what another one left.

Each is a fork of a process that has imported Airflow, but started no thread and opened no connection.
"""

from __future__ import annotations

import multiprocessing
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any, TypeVar

import psutil

T = TypeVar("T")

STAGEHAND = 10
"""The niceness of processes that stand for other machines (ECS, the workers): where there are two cores only, they get
what the measured process leaves."""

FORK = multiprocessing.get_context("fork")  # Airflow is imported once, not for every measurement


def in_child(function: Callable[..., T], *arguments: Any, **named: Any) -> T:
    """Call a function in a process of its own, and give what it gives.

    Raises:
        RuntimeError: it raised; the message is its traceback.
    """
    with beside(_call, function, arguments, named) as connection:
        try:
            result, error = connection.recv()
        except EOFError:
            raise RuntimeError(f"{function.__name__}: its process died.") from None
    if error:
        raise RuntimeError(f"{function.__name__}: {error}")
    value: T = result
    return value


@contextmanager
def beside(function: Callable[..., None], *arguments: Any) -> Iterator[Connection]:
    """Let a function run beside the `with` block, and kill it afterwards; it gets a connection as first argument."""
    ours, its = FORK.Pipe()
    process = FORK.Process(target=function, args=(its, *arguments))
    process.start()
    its.close()
    try:
        yield ours
    finally:
        ours.close()
        process.join(5)
        process.kill()
        process.join()


def step_back() -> None:
    """Let the children of this process, which stand for other machines, go before nobody. What is compared never does."""
    for child in psutil.Process().children():
        child.nice(STAGEHAND)


def _call(
    connection: Connection, function: Callable[..., Any], arguments: tuple[Any, ...], named: dict[str, Any]
) -> None:
    try:
        connection.send((function(*arguments, **named), ""))
    except BaseException:  # noqa: BLE001  it is told to the parent, whatever it is
        connection.send((None, traceback.format_exc()))
