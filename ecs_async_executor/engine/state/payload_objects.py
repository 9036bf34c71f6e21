"""The S3 objects of runs: which object each run has, and which ones to delete. Sans-I/O."""

from __future__ import annotations

from collections import deque

from ecs_async_executor.engine.payloads import fetched_by, url_of
from ecs_async_executor.engine.responses import Task
from ecs_async_executor.engine.state.entry import Entry

MAX_DELETIONS = 10_000
"""Objects that may wait for deletion. While S3 is down, the bucket's lifecycle rule deletes the rest."""


class PayloadObjects:
    """Tracks the runs' objects at one location (`s3://bucket/prefix/`). Without a location, there are none."""

    def __init__(self, location: str) -> None:
        self._location = location
        self.deletions: deque[str] = deque()
        """Objects of runs that have ended."""

    def assume_stored(self, entry: Entry) -> None:
        """Another engine has launched the run, or may have: note the object it would have uploaded."""
        entry.maybe_stored = url_of(self._location, str(entry.launch_id)) if self._location else None

    def observe(self, entry: Entry, task: Task) -> str:
        """Read from the task's own command which object it fetches, whoever launched it; return its URL, or an empty text."""
        fetched = fetched_by(task, entry.container)
        if fetched is None:
            return ""
        entry.maybe_stored = None
        if entry.stored is None and self._location and fetched.startswith(self._location):
            entry.stored = fetched
        return fetched

    def delete(self, entry: Entry) -> None:
        """Schedule the run's object for deletion, if it has one: nobody will fetch it any more."""
        url = entry.stored or entry.maybe_stored
        if url is not None and len(self.deletions) < MAX_DELETIONS:
            self.deletions.append(url)
