"""Writes a scheduler's status to the database, in a thread of its own.

Not in the thread that writes the rows: no task may wait for a status whose row is locked or whose database
is slow. One status at a time: what comes while one is being written is dropped, for the next is newer. A thread that
gets no answer is replaced, as the rows' is.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime, timezone
from queue import SimpleQueue

from airflow.models.log import Log
from airflow.utils.session import create_session
from sqlalchemy import CursorResult, update

from ecs_async_executor.event_names import SCHEDULER_STATUS
from ecs_async_executor.scheduler_status import SchedulerStatus, encode

log = logging.getLogger(__name__)

OWNER = "ecs_async_executor"
GIVE_UP_AFTER = 300.0
"""Seconds without an answer until a new thread takes over: as for the rows' thread."""


class _Statuses(SimpleQueue["SchedulerStatus | None"]):
    """The statuses that one thread is to write; None ends it."""

    asked_at: float | None = None
    """When the status that is being written was put; None: the thread is free. Set by the scheduler's thread, cleared by
    this one."""


class StatusThread:
    """The status's thread; it starts with the first status. No method waits, except `close`; none raises."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._replace_thread()

    @property
    def is_busy(self) -> bool:
        """Whether a status is being written."""
        return self._statuses.asked_at is not None

    def publish(self, status: SchedulerStatus) -> None:
        """Have the status written, unless an earlier one still is being written.

        In a new thread if the database has not answered for long, as connections may die unnoticed.
        """
        now, asked_at = self._clock(), self._statuses.asked_at
        if asked_at is not None:
            if now - asked_at < GIVE_UP_AFTER:
                return
            self._statuses.put(None)
            self._replace_thread()
        try:
            if self._thread.ident is None:
                self._thread.start()
        except (
            RuntimeError
        ):  # there can be no more threads: the fleet page shows that this scheduler is silent
            return
        self._statuses.asked_at = now
        self._statuses.put(status)

    def close(self, timeout: float) -> None:
        """End the thread; a status that is being written after `timeout` seconds is left to itself."""
        self._statuses.put(None)
        if self._thread.is_alive():
            self._thread.join(timeout)

    def _replace_thread(self) -> None:
        """Make a new thread with a queue of its own, so that an earlier one that wakes up late changes nothing for it.

        It writes a row of its own: the old thread's transaction may hold the lock of the other one for as long again. Readers
        take the newer of two rows.
        """
        self._statuses = _Statuses()
        self._thread = threading.Thread(target=_serve, args=(self._statuses,), name="ecs-status", daemon=True)


def _serve(statuses: _Statuses) -> None:
    row_id: int | None = None
    failing = False
    while (status := statuses.get()) is not None:
        try:
            row_id = write_status(status, row_id)
            failing = False
        except Exception as error:  # noqa: BLE001  it is logged, and the next status may be written
            if not failing:
                reason = f"{type(error).__name__}: {getattr(error, 'orig', None) or error}"
                log.warning("The fleet page doesn't get this scheduler's status: %s", reason)
            failing = True
        statuses.asked_at = None


def write_status(status: SchedulerStatus, row_id: int | None) -> int:
    """Write it over the row of this id, or to a new row if there is none; return the row's id.

    The row keeps the time of its creation, so that it doesn't stay on top of the Audit Log. Its `logical_date`, which no event
    without a Dag run needs, is when it was written: by that, readers find it among the rows of schedulers that are gone.
    """
    text, at = encode(status), datetime.fromtimestamp(status.at, timezone.utc)
    # Never the scoped session, as in rows/statements.py.
    with create_session(scoped=False) as session:
        if row_id is not None:
            statement = update(Log).where(Log.id == row_id).values(extra=text, logical_date=at)
            result = session.execute(statement, execution_options={"synchronize_session": False})
            if isinstance(result, CursorResult) and result.rowcount:
                return row_id
        row = Log(event=SCHEDULER_STATUS, owner=OWNER, extra=text, logical_date=at)
        session.add(row)
        session.flush()
        return row.id
