"""The errors that this package raises on purpose and that callers may want to catch."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from types import TracebackType

MOST_PROBLEMS = 5
"""How many problems of one request a message lists."""


class EcsAsyncError(Exception):
    """The base class of the errors below."""


class ConfigurationError(EcsAsyncError):
    """The configuration can't be used. The message says what to write instead."""


class OptionsError(ConfigurationError):
    """Options of the executor are missing or invalid; the message lists all of them.

    Commands read the options as well, and start no executor: only with `of_start` it says that the executor can't start.
    """

    def __init__(self, problems: Iterable[str], *, of_start: bool = False) -> None:
        self.problems = [*problems]
        lines = "\n".join(f"  - {problem}" for problem in self.problems)
        plural = "" if len(self.problems) == 1 else "s"
        what = (
            f"AsyncEcsExecutor can't start; {len(self.problems)} problem"
            if of_start
            else f"{len(self.problems)} option"
        )
        super().__init__(f"{what}{plural} to correct:\n{lines}")


class InvalidRequestError(EcsAsyncError):
    """One task's RunTask request can't be built; other tasks are not affected.

    ``where`` names the layer of the configuration in which the problem is, if only one; ``remedy`` tells
    the Dag author what to change.
    """

    def __init__(self, problem: str, remedy: str, *, where: str = "") -> None:
        self.where = where
        self.bare_problem = problem
        """The problem without where it is."""
        self.problem = f"{where}: {problem}" if where else problem
        self.remedy = remedy
        super().__init__(f"{self.problem} {remedy}")

    def within(self, name: str) -> InvalidRequestError:
        """Say where the problem was found, in place of what it said before."""
        return InvalidRequestError(self.bare_problem, self.remedy, where=name)

    @classmethod
    def of(cls, problems: Sequence[str], remedy: str) -> InvalidRequestError:
        """Combine several problems into one error; it lists the first `MOST_PROBLEMS`."""
        more = len(problems) - MOST_PROBLEMS
        return cls(" ".join(problems[:MOST_PROBLEMS]), f"There are {more} more." if more > 0 else remedy)


class ConnectError(EcsAsyncError):
    """The AWS connection can't be made; `__cause__` says why."""


class UnreadableAnswerError(EcsAsyncError):
    """An answer isn't from ECS (a proxy's page) or is cut short; whether the call worked is unknown."""


class EngineStartError(EcsAsyncError):
    """The engine's thread did not start."""


class RemoteLogError(EcsAsyncError):
    """Airflow's remote log did not take a task's log."""


class OperationError(EcsAsyncError):
    """A command such as `ecs-async stop` can't do what it was asked. The message says why, and what to do."""


class ImpossibleTransitionError(EcsAsyncError):
    """A run was about to enter a state that can't follow its current one: a bug of ours, not of a task."""

    def __init__(self, label: str, before: str, after: str, why: str, history: object) -> None:
        super().__init__(
            f"{label} can't go from {before} to {after} ({why})."
            f" Please report it with this history: {history}."
        )


def print_without_traceback(error: Exception) -> None:
    """If `error` ends the process, print only its message: a traceback would bury it."""
    before = sys.excepthook

    def excepthook(kind: type[BaseException], value: BaseException, traceback: TracebackType | None) -> None:
        if value is error:
            sys.stderr.write(f"\n{value}\n")
        else:
            before(kind, value, traceback)

    sys.excepthook = excepthook
