"""Tells people what happens to runs: all of it in the task's Audit Log, a digest in the scheduler's log."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Callable, Hashable

from airflow.executors.base_executor import BaseExecutor

from ecs_async_executor.executor.runs import Run
from ecs_async_executor.log_digest import LogDigest

log = logging.getLogger(__name__)


class TaskEvents:
    """Writes one executor's Audit Log events and log lines, in the scheduler's thread."""

    def __init__(self, executor: BaseExecutor, clock: Callable[[], float]) -> None:
        self._executor = executor
        self._clock = clock
        self._digest = LogDigest(log.log)

    def log(self, cause: Hashable, text: str, level: int = logging.INFO) -> None:
        """Log a message that many runs may share: the first of each cause, then a summary once a minute."""
        self._digest.note(cause, text, self._clock(), level=level)

    def exception(self, what: str, text: str) -> None:
        """Log the exception being handled; with a traceback only once: each heartbeat may raise it."""
        kind, _, stack = sys.exc_info()
        # The cause is where it was raised, not its message, which may name a task.
        *_, (frame, line) = traceback.walk_tb(stack)
        cause = (what, kind, frame.f_code.co_filename, line)
        detail = traceback.format_exc().rstrip()
        self._digest.note(cause, text, self._clock(), level=logging.ERROR, detail=detail)

    def record(self, run: Run, event: str, text: str) -> None:
        """Write to the task's Audit Log; a callback has none."""
        if not run.is_callback:
            self._executor.log_task_event(event=event, extra=text, ti_key=run.key)

    def flush(self) -> None:
        """Log the summaries that are due. Call it at each heartbeat."""
        self._digest.flush(self._clock())
