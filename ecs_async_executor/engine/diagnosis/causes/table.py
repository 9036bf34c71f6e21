"""The whole table, in its order: the first row that fits a text counts.

AWS wraps temporary network faults and permanent refusals in the same sentences ("unable to pull secrets or registry auth:
..."), so within a subject temporary causes come first, and what is left over comes last.
"""

from __future__ import annotations

from typing import Protocol

from ecs_async_executor.engine.diagnosis.causes import (
    calls,
    capacity,
    containers,
    hosts,
    images,
    logs,
    network,
    requests,
    roles,
    secrets,
    volumes,
)
from ecs_async_executor.engine.diagnosis.causes.cause import Cause


class Subject(Protocol):
    """A file of the table."""

    @property
    def TITLE(self) -> str:  # noqa: N802  # a module's constant
        """What its causes have in common."""

    @property
    def CAUSES(self) -> tuple[Cause, ...]:  # noqa: N802  # a module's constant
        """Its rows, in their order."""


SUBJECTS: tuple[Subject, ...] = (
    images,
    secrets,
    logs,
    volumes,
    containers,
    network,
    capacity,
    hosts,
    roles,
    requests,
    calls,
)
"""As docs/failures.md lists them."""


def _texts(*subjects: Subject) -> tuple[Cause, ...]:
    causes = (
        cause for subject in SUBJECTS if subject in subjects for cause in subject.CAUSES if not cause.codes
    )
    return tuple(sorted(causes, key=lambda cause: cause.rank))


STOPS = _texts(*(subject for subject in SUBJECTS if subject not in (requests, calls)))
"""Those for which a task stops."""
ANSWERS = _texts(network, capacity, roles, requests)
"""Those for which RunTask starts nothing."""
