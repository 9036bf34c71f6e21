"""What people are told of runs: a task's own Audit Log tells all of it, the scheduler's log sums up what repeats itself."""

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
    """Of one executor, for the scheduler's thread. `flush` it at each heartbeat."""

    def __init__(self, executor: BaseExecutor, clock: Callable[[], float]) -> None:
        self._executor = executor
        self._clock = clock
        self._digest = LogDigest(log.log)

    def log(self, cause: Hashable, text: str, level: int = logging.INFO) -> None:
        """Log what many runs may have in common at once: the first of a cause, and the sum of the others each minute."""
        self._digest.note(cause, text, self._clock(), level=level)

    def exception(self, what: str, text: str) -> None:
        """Log the exception that is being handled, with its traceback the first time; it may come at each heartbeat."""
        kind, _, stack = sys.exc_info()
        # Its place, and not its message, which may name a task.
        *_, (frame, line) = traceback.walk_tb(stack)
        cause = (what, kind, frame.f_code.co_filename, line)
        detail = traceback.format_exc().rstrip()
        self._digest.note(cause, text, self._clock(), level=logging.ERROR, detail=detail)

    def record(self, run: Run, event: str, text: str) -> None:
        """Write to the task's Audit Log."""
        if not run.is_callback:
            self._executor.log_task_event(event=event, extra=text, ti_key=run.key)

    def flush(self) -> None:
        """Log the sums that are due."""
        self._digest.flush(self._clock())
