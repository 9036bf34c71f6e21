"""Writes a scheduler's status to the database, in a thread of its own.

Not in the thread that writes the rows: no task may wait for a status whose row is locked or whose database
is slow. One status at a time: what comes while one is being written is dropped, for the next is newer.
"""

from __future__ import annotations

import logging
import threading
from datetime import datetime, timezone
from queue import SimpleQueue

from airflow.models.log import Log
from airflow.utils.session import create_session
from sqlalchemy import CursorResult, update

from ecs_async_executor.event_names import SCHEDULER_STATUS
from ecs_async_executor.scheduler_status import SchedulerStatus, encode

log = logging.getLogger(__name__)

OWNER = "ecs_async_executor"


class StatusThread:
    """The status's thread; it starts with the first status. No method waits, except `close`; none raises."""

    def __init__(self) -> None:
        self._statuses: SimpleQueue[SchedulerStatus | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._serve, name="ecs-status", daemon=True)
        self._is_busy = False
        """Set by the scheduler's thread, cleared by this one."""

    def publish(self, status: SchedulerStatus) -> None:
        """Have the status written, unless an earlier one still is being written."""
        if self._is_busy:
            return
        try:
            if self._thread.ident is None:
                self._thread.start()
        except (
            RuntimeError
        ):  # there can be no more threads: the fleet page shows that this scheduler is silent
            return
        self._is_busy = True
        self._statuses.put(status)

    def close(self, timeout: float) -> None:
        """End the thread; a status that is being written after `timeout` seconds is left to itself."""
        self._statuses.put(None)
        if self._thread.is_alive():
            self._thread.join(timeout)

    def _serve(self) -> None:
        row_id: int | None = None
        failing = False
        while (status := self._statuses.get()) is not None:
            try:
                row_id = write_status(status, row_id)
                failing = False
            except Exception as error:  # noqa: BLE001  it is logged, and the next status may be written
                if not failing:
                    reason = f"{type(error).__name__}: {getattr(error, 'orig', None) or error}"
                    log.warning("The fleet page doesn't get this scheduler's status: %s", reason)
                failing = True
            self._is_busy = False


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
