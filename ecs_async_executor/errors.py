"""Every error this package raises: one small hierarchy."""

from __future__ import annotations


class EcsAsyncError(Exception):
    """The root: catch this to catch whatever this package raises on purpose."""


class ConfigurationError(EcsAsyncError):
    """Options are missing or wrong. The message lists every one of them, with what to write instead."""


class InvalidRequestError(EcsAsyncError):
    """One task's RunTask request can't be built; it concerns that task only.

    ``remedy`` says what its Dag author should change.
    """

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem} {remedy}")
        self.problem = problem
        self.remedy = remedy


class ConnectError(EcsAsyncError):
    """The AWS connection can't be made; its cause says why."""


class EngineStartError(EcsAsyncError):
    """The engine's thread did not come up."""
