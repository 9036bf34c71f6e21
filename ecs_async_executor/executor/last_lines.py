"""Keeps the last lines of containers that died before Airflow could store their log. In a thread of its own.

It reads them from CloudWatch Logs, and writes them where Airflow's log page looks. Nothing waits for it, and nothing
depends on it: if it can't keep up, or the scheduler exits, lines stay where they are, in CloudWatch Logs.
"""

from __future__ import annotations

import logging
import threading
import time
from bisect import insort
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from queue import Empty, SimpleQueue
from typing import Any, Protocol

from ecs_async_executor.engine.diagnosis.faults import text_of
from ecs_async_executor.event_names import EventName
from ecs_async_executor.executor.runs import Run
from ecs_async_executor.log_digest import LogDigest
from ecs_async_executor.logs.attempt_file import Written, is_sensor, write_attempt_log
from ecs_async_executor.logs.ending import Ending, attempt_log, audit_text
from ecs_async_executor.logs.reader import Page
from ecs_async_executor.logs.startup import startup_failure
from ecs_async_executor.messages import Stopped
from ecs_async_executor.task_arn import TaskArn

log = logging.getLogger(__name__)

SETTLE = 5.0
"""Seconds between a container's end and the read: its log driver sends the last lines after that."""
RETRIES = (15.0, 60.0)
"""Seconds until lines that could not be read are read again: a throttle is over by then."""
MOST_ENDINGS = 1_000
"""Endings that wait; when thousands of tasks die at once, the diagnosis of the first ones tells why."""


MOST_RESCHEDULED = 50
"""Rescheduled tasks that wait: dead ones come first."""
GIVE_UP_AFTER = 900.0
"""Seconds that one ending may take until a new thread takes over the others: connections to the database and to stores may
die unnoticed. boto3's clients give up earlier (five tries of 60 s)."""


@dataclass(frozen=True, slots=True)
class AuditText:
    """A row for the Audit Log of the task with this key."""

    key: Any
    event: EventName
    text: str


@dataclass(frozen=True, slots=True)
class _Work:
    """An ending, and when it is handled."""

    due: float
    ending: Ending
    tries: int = 0


class _Endings(SimpleQueue["_Work | None"]):
    """What one thread is to handle; None ends it."""

    handles_since: float | None = None
    """When the thread began with an ending, while it handles it."""


def _due(work: _Work) -> float:
    return work.due


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
        is_sensor: Callable[[Any], bool] = is_sensor,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`reader`: None turns it off."""
        self._reader = reader
        self._write = write
        self._is_sensor = is_sensor
        self._clock = clock
        self._sleep = sleep
        self._endings = _Endings()
        self._texts: SimpleQueue[AuditText] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._turned_away = LogDigest(log.log)
        self._digest = LogDigest(log.log)
        """The threads'; the other one is the scheduler's."""
        self._noting = threading.Lock()

    def keep(self, run: Run) -> None:
        """Keep the last lines of a run that has ended; never raises."""
        self._put(run, rescheduled=False, most=MOST_ENDINGS)

    def look_for_missing_dag(self, run: Run) -> None:
        """Look why a run that has ended was rescheduled: a sensor is by its poke, any other task for lack of its Dag."""
        self._put(run, rescheduled=True, most=MOST_RESCHEDULED)

    def _put(self, run: Run, *, rescheduled: bool, most: int) -> None:
        if self._reader is None or run.is_callback:
            return
        self._replace_hanging_thread()
        if self._endings.qsize() >= most:
            text = f"Too many tasks have died at once: the last lines of {run.label} stay in its container's log."
            self._turned_away.note("too many", text, self._clock(), level=logging.WARNING)
            return
        arn = run.launched.arn if run.launched is not None else None
        ran = isinstance(run.ended, Stopped) and run.ended.ran
        ending = Ending(run.key, run.label, arn, ran, run.diagnosis, datetime.now(timezone.utc), rescheduled)
        try:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(
                    target=self._serve, args=(self._endings,), name="ecs-last-lines", daemon=True
                )
                self._thread.start()
        except RuntimeError:  # there can be no more threads
            self._thread = None
            return
        self._endings.put(_Work(self._clock() + SETTLE, ending))

    def _replace_hanging_thread(self) -> None:
        since = self._endings.handles_since
        if since is None or self._clock() - since < GIVE_UP_AFTER:
            return
        hanging, self._endings, self._thread = self._endings, _Endings(), None
        with suppress(Empty):
            while True:
                self._endings.put(hanging.get_nowait())
        hanging.put(None)

    def audit_texts(self) -> list[AuditText]:
        """Return what Audit Logs must show now."""
        self._turned_away.flush(self._clock())
        texts = []
        while True:
            try:
                texts.append(self._texts.get_nowait())
            except Empty:
                return texts

    def _serve(self, endings: _Endings) -> None:
        again: list[_Work] = []
        """What could not be read, in the order of the next tries."""
        while (work := _next(endings, again, self._clock)) is not None:
            self._sleep(max(0.0, work.due - self._clock()))
            endings.handles_since = self._clock()
            try:
                if not self._handle(work.ending, last_try=work.tries == len(RETRIES)):
                    insort(
                        again,
                        _Work(self._clock() + RETRIES[work.tries], work.ending, work.tries + 1),
                        key=_due,
                    )
            except Exception as error:  # noqa: BLE001  it is logged, and the thread must live
                self._note("keep", work.ending, error)
            endings.handles_since = None
            with self._noting:
                self._digest.flush(self._clock())

    def _handle(self, ending: Ending, *, last_try: bool) -> bool:
        """Read and store an ending's lines; return False if they could not be read and it should be tried again."""
        if ending.rescheduled and self._is_sensor(ending.key):
            return True
        page = self._read(ending)
        if page.problem is not None and not last_try:
            return False
        if not ending.rescheduled:
            self._store(ending, page)
        elif why := startup_failure(page.lines):
            log.warning("%s was rescheduled: %s", ending.label, why)
            self._texts.put(AuditText(ending.key, EventName.RESCHEDULED, str(why)))
        return True

    def _store(self, ending: Ending, page: Page) -> None:
        try:
            written = self._write(ending.key, attempt_log(ending, page))
        except Exception as error:  # noqa: BLE001  it is logged; the Audit Log can have them
            self._note("store", ending, error)
            written = None
        if page.lines and written not in {Written.REMOTE, Written.GONE}:
            self._texts.put(AuditText(ending.key, EventName.CONTAINER_LOG, audit_text(page)))

    def _read(self, ending: Ending) -> Page:
        arn = TaskArn.parse(ending.arn)
        if self._reader is None or arn is None or not ending.ran:
            return Page()
        return self._reader.read(arn)

    def _note(self, what: str, ending: Ending, error: Exception) -> None:
        text = f"Can't {what} the last lines of {ending.label} ({text_of(error)}); they stay in its container's log."
        with self._noting:
            self._digest.note((what, type(error)), text, self._clock(), level=logging.WARNING)


def _next(endings: _Endings, again: list[_Work], clock: Callable[[], float]) -> _Work | None:
    """Return a new ending, or one that is due again, whichever comes first; None at the end."""
    if not again:
        return endings.get()
    try:
        work = endings.get(timeout=max(0.0, again[0].due - clock()))
    except Empty:
        return again.pop(0)
    if work is None:  # first what is to be done again
        endings.put(None)
        return again.pop(0)
    return work
