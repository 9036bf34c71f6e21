"""Every error this package raises: one small hierarchy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

MOST_PROBLEMS = 5
"""Of one request, in one message."""


class EcsAsyncError(Exception):
    """The root: catch this to catch whatever this package raises on purpose."""


class ConfigurationError(EcsAsyncError):
    """What was configured can't be used. The message says what to write instead."""


class OptionsError(ConfigurationError):
    """Options of the executor are missing or wrong; the message lists every one of them."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = [*problems]
        lines = "\n".join(f"  - {problem}" for problem in self.problems)
        super().__init__(f"AsyncEcsExecutor can't start; {len(self.problems)} to correct:\n{lines}")


class InvalidRequestError(EcsAsyncError):
    """One task's RunTask request can't be built; it concerns that task only.

    ``remedy`` says what its Dag author should change.
    """

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem} {remedy}")
        self.problem = problem
        self.remedy = remedy

    def within(self, name: str) -> InvalidRequestError:
        """Say where it is wrong."""
        return InvalidRequestError(f"{name}: {self.problem}", self.remedy)

    @classmethod
    def of(cls, problems: Sequence[str], remedy: str) -> InvalidRequestError:
        """Make one of several problems; of very many it says the first."""
        more = len(problems) - MOST_PROBLEMS
        return cls(" ".join(problems[:MOST_PROBLEMS]), f"There are {more} more." if more > 0 else remedy)


class ConnectError(EcsAsyncError):
    """The AWS connection can't be made; its cause says why."""


class UnreadableAnswerError(EcsAsyncError):
    """What came back from ECS is no answer of ECS's (a proxy's page, a text cut short); whether it did its work is unknown."""


class EngineStartError(EcsAsyncError):
    """The engine's thread did not come up."""
