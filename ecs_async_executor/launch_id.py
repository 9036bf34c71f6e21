"""The identity of a launch. It is RunTask's clientToken, part of startedBy, and what rows and S3 keys show."""

from __future__ import annotations

import re
from dataclasses import dataclass
from uuid import UUID

_RUN_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_LAUNCH_ID = re.compile(r"(?P<run>[0-9a-f]{32})(?P<number>-\d{3}|[1-9]\d{3,})")
_FOUR_DIGITS = 1000


STANDBY = "standby"
"""In place of the run id in the `startedBy` of all standbys: which run each serves, if any, only its row tells."""


@dataclass(frozen=True, slots=True)
class LaunchId:
    """One launch of one run."""

    run_id: str
    """A UUID, but for whoever uses the engine alone."""
    number: int = 1
    """1 for the run's first launch, and one more for each that definitely failed."""

    def __str__(self) -> str:
        """Return it as text: the run id without hyphens, a hyphen, and the number in three digits; from 1,000 on without hyphen.

        These are 36 characters, as many as a UUID has. AwsEcsExecutor asks DescribeTasks about whatever a row shows, and ends its
        scheduler if ECS rejects that: "taskId length should be one of [32,36]". RunTask takes up to 64 as a clientToken.
        A run id that is no UUID, as whoever uses the engine alone may choose, stays whole, and so does the hyphen.
        """
        if not is_run_id(self.run_id):
            return f"{self.run_id}-{self.number:03}"
        separator = "-" if self.number < _FOUR_DIGITS else ""
        return f"{self.run_id.replace('-', '')}{separator}{self.number:03}"

    @classmethod
    def parse(cls, text: str) -> LaunchId | None:
        """Parse a launch id, or the run id of a first launch; None if the text is neither."""
        if is_run_id(text):
            return cls(text)
        found = _LAUNCH_ID.fullmatch(text)
        return cls(str(UUID(found["run"])), int(found["number"].lstrip("-"))) if found else None


def is_run_id(text: str | None) -> bool:
    """Return whether this is a run id, as core commits it: a UUID."""
    return _RUN_ID.fullmatch(text or "") is not None


def started_by(deployment: str, run_id: str) -> str:
    """Return the `startedBy` by which ListTasks finds the run's task; `deployment` is `airflow/<name>`."""
    return f"{deployment}/{run_id}"
