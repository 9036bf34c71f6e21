"""Separate processes for measurements, so that none sees what another one left behind.

Each is a fork of a process that has imported Airflow, but has started no thread and opened no connection.
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

NICENESS = 10
"""Of the processes that stand for other machines (ECS, the workers): on two cores, they get the CPU time that the
measured process leaves."""

FORK = multiprocessing.get_context("fork")  # Airflow is imported once, not for every measurement


def in_child(function: Callable[..., T], *arguments: Any, **named: Any) -> T:
    """Call a function in a separate process, and return its result.

    Raises:
        RuntimeError: The function raised; the message is its traceback.
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
    """Run a function during the `with` block, and kill it afterwards; its first argument is the other end of the connection."""
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
    """Lower the priority of this process's children, which stand for other machines. Never do this to what is compared."""
    for child in psutil.Process().children():
        child.nice(NICENESS)


def _call(
    connection: Connection, function: Callable[..., Any], arguments: tuple[Any, ...], named: dict[str, Any]
) -> None:
    try:
        connection.send((function(*arguments, **named), ""))
    except BaseException:  # noqa: BLE001  the parent gets the traceback, whatever was raised
        connection.send((None, traceback.format_exc()))
