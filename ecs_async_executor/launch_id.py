"""The identity of a launch. It is RunTask's clientToken, part of startedBy, and what rows and S3 keys show."""

from __future__ import annotations

import re
from dataclasses import dataclass

# A UUID; or a token's `jti`, which rows hold only with a launch number.
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_PATTERN = re.compile(rf"(?P<run>{_UUID.pattern}|[0-9a-f]{{32}}(?=-))(?:-(?P<number>\d+))?")


STANDBY = "standby"
"""In place of the run id in the `startedBy` of all standbys: which run each serves, if any, only its row tells."""


@dataclass(frozen=True, slots=True)
class LaunchId:
    """One launch of one run."""

    run_id: str
    number: int = 1
    """1 for the run's first launch, and one more for each that definitely failed."""

    def __str__(self) -> str:
        """Return it as text: at most 64 characters, as RunTask requires of a clientToken."""
        return f"{self.run_id}-{self.number}"

    @classmethod
    def parse(cls, text: str) -> LaunchId | None:
        """Parse a launch id, or the run id of a first launch; None if the text is neither."""
        found = _PATTERN.fullmatch(text)
        return cls(found["run"], int(found["number"] or 1)) if found else None


def is_run_id(text: str | None) -> bool:
    """Return whether core has committed this text as a run id: a UUID."""
    return _UUID.fullmatch(text or "") is not None


def run_id_of(launch_id: str) -> str:
    """Return the run id in a launch id's text."""
    return launch_id.rpartition("-")[0]


def started_by(deployment: str, run_id: str) -> str:
    """Return the `startedBy` by which ListTasks finds the run's task; `deployment` is `airflow/<name>`."""
    return f"{deployment}/{run_id}"
