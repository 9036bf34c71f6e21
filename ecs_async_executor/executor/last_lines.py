"""Keeps the last lines of containers that died before Airflow could store their log. In a thread of its own.

It reads them from CloudWatch Logs, and writes them where Airflow's log page looks. Nothing waits for it, and nothing
depends on it: if it can't keep up, or the scheduler exits, lines stay where they are, in CloudWatch Logs.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from queue import Empty, SimpleQueue
from typing import Any, Protocol

from ecs_async_executor.engine.diagnosis.faults import text_of
from ecs_async_executor.executor.runs import Run
from ecs_async_executor.log_digest import LogDigest
from ecs_async_executor.logs.attempt_file import Written, write_attempt_log
from ecs_async_executor.logs.ending import Ending, attempt_log, audit_text
from ecs_async_executor.logs.reader import Page
from ecs_async_executor.messages import Stopped
from ecs_async_executor.task_arn import TaskArn

log = logging.getLogger(__name__)

SETTLE = 5.0
"""Seconds between a container's end and the read: its log driver sends the last lines after that."""
MOST_ENDINGS = 1_000
"""Endings that wait; when thousands of tasks die at once, the diagnosis of the first ones tells why."""


class ReadsLines(Protocol):
    """Reads a container's last lines, as `logs.reader.Reader` does."""

    def read(self, arn: TaskArn) -> Page:
        """Return them; never raises."""


Write = Callable[[Any, Sequence[str]], Written]


class LastLines:
    """Takes in endings, and gives back what the Audit Log must show of them. For the scheduler's thread; never waits."""

    def __init__(
        self,
        reader: ReadsLines | None,
        *,
        write: Write = write_attempt_log,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`reader`: None turns it off."""
        self._reader = reader
        self._write = write
        self._clock = clock
        self._sleep = sleep
        self._endings: SimpleQueue[tuple[float, Ending]] = SimpleQueue()
        self._texts: SimpleQueue[tuple[Any, str]] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._digest = LogDigest(log.log)

    def keep(self, run: Run) -> None:
        """Keep the last lines of a run that has ended."""
        if self._reader is None or run.is_callback or self._endings.qsize() >= MOST_ENDINGS:
            return
        arn = run.launched.arn if run.launched is not None else None
        ran = isinstance(run.ended, Stopped) and run.ended.ran
        ending = Ending(run.key, run.label, arn, ran, run.diagnosis, datetime.now(timezone.utc))
        self._endings.put((self._clock() + SETTLE, ending))
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._serve, name="ecs-last-lines", daemon=True)
            self._thread.start()

    def audit_texts(self) -> list[tuple[Any, str]]:
        """Return what the Audit Log of which task (its key) must show now."""
        texts = []
        while True:
            try:
                texts.append(self._texts.get_nowait())
            except Empty:
                return texts

    def _serve(self) -> None:
        while True:
            due, ending = self._endings.get()
            self._sleep(max(0.0, due - self._clock()))
            try:
                self._handle(ending)
            except Exception as error:  # noqa: BLE001  it is logged, and the thread must live
                self._note("keep", ending, error)
            self._digest.flush(self._clock())

    def _handle(self, ending: Ending) -> None:
        page = self._read(ending)
        try:
            written = self._write(ending.key, attempt_log(ending, page.lines, page.where))
        except Exception as error:  # noqa: BLE001  it is logged; the Audit Log can have them
            self._note("store", ending, error)
            written = None
        if page.lines and written in {None, Written.FOLDER}:
            self._texts.put((ending.key, audit_text(page.lines, page.where)))

    def _read(self, ending: Ending) -> Page:
        arn = TaskArn.parse(ending.arn)
        if self._reader is None or arn is None or not ending.ran:
            return Page()
        return self._reader.read(arn)

    def _note(self, what: str, ending: Ending, error: Exception) -> None:
        text = f"Can't {what} the last lines of {ending.label} ({text_of(error)}); they stay in its container's log."
        self._digest.note((what, type(error)), text, self._clock(), level=logging.WARNING)
