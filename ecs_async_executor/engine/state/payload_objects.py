"""What runs leave in S3: which object a run has there, and what is to be deleted. Pure."""

from __future__ import annotations

from ecs_async_executor.engine.payloads import fetched_by, url_of
from ecs_async_executor.engine.responses import Task
from ecs_async_executor.engine.state.entry import Entry

MOST = 10_000
"""Objects that wait to be deleted: while S3 is away the rest is left to the bucket's lifecycle rule."""


class PayloadObjects:
    """Follows the objects of runs at one location (`s3://bucket/prefix/`); without one there are none to follow."""

    def __init__(self, location: str) -> None:
        self._location = location
        self.spent: list[str] = []
        """Objects of runs that have ended."""

    def presume(self, entry: Entry) -> None:
        """Somebody else has launched the run, or may have: then its name tells which object it has, if it has one."""
        entry.presumed = url_of(self._location, entry.client_token) if self._location else None

    def see(self, entry: Entry, task: Task) -> None:
        """The task itself tells what it fetches, whoever has launched it."""
        fetched = fetched_by(task, entry.container)
        if fetched is None:
            return
        entry.presumed = None
        if entry.stored is None and self._location and fetched.startswith(self._location):
            entry.stored = fetched

    def spend(self, entry: Entry) -> None:
        """The run has ended."""
        left = entry.stored or entry.presumed
        if left is not None and len(self.spent) < MOST:
            self.spent.append(left)
