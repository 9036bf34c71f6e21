"""Queries the database in a thread of its own, so that the scheduler's thread never waits for our queries.

One query at a time goes to the thread and one answer comes back; both are frozen.
"""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any, Protocol

from sqlalchemy.exc import SQLAlchemyError

from ecs_async_executor.executor.decisions import Row, is_as_expected
from ecs_async_executor.executor.rows.earlier_launches import read_setbacks
from ecs_async_executor.executor.rows.statements import (
    Publication,
    Read,
    read_rows,
    read_workloads,
    write_external_ids,
)
from ecs_async_executor.executor.setbacks import Setback
from ecs_async_executor.executor.task_facts import DagOwners
from ecs_async_executor.log_digest import LogDigest
from ecs_async_executor.measurements import Measurements
from ecs_async_executor.metrics import DATABASE_WAIT

log = logging.getLogger(__name__)

WARN_AFTER = 60.0
"""Seconds without an answer until we log that."""
GIVE_UP_AFTER = 300.0
"""Seconds without an answer until a new thread takes over. If the old one writes after all, compare-and-swap
keeps that harmless."""


@dataclass(frozen=True, slots=True)
class RowQuery:
    """Rows to write, and then rows to read."""

    reads: tuple[Read, ...] = ()
    publications: tuple[Publication, ...] = ()
    in_turn: tuple[Read, ...] = ()
    """The answer names only those of them whose row is not as expected."""


@dataclass(frozen=True, slots=True)
class RowAnswer:
    """What the query wrote and read, by run id."""

    rows: Mapping[str, Row] = field(default_factory=dict)
    """The rows of `reads`, without runs whose row is gone."""
    workloads: Mapping[str, Any] = field(default_factory=dict)
    """The workloads that the query asked for; None if one can't be made."""
    setbacks: Mapping[str, tuple[Setback, ...]] = field(default_factory=dict)
    """What happened to the earlier launches of the tasks that the query asked this for."""
    unexpected: frozenset[str] = frozenset()
    """The runs of `in_turn` whose row is not as expected."""
    published: frozenset[str] = frozenset()
    """The runs whose row shows its publication."""
    failed: bool = False
    """The database could not be read."""


class RowDatabase(Protocol):
    """The database as `RowReader` uses it."""

    @property
    def is_busy(self) -> bool:
        """Whether a query is open."""

    def ask(self, query: RowQuery) -> None:
        """Start a query; none may be open."""

    def take(self) -> RowAnswer | None:
        """Return the answer if it has arrived."""


def answer(query: RowQuery, digest: LogDigest | None = None, owners: DagOwners | None = None) -> RowAnswer:
    """Run a query; log failures through `digest` instead of raising, and note the owners of Dags that it sees."""
    digest = digest or LogDigest(log.log)
    published: frozenset[str] = frozenset()
    try:
        published = write_external_ids(query.publications)
    except Exception as error:  # noqa: BLE001  it is logged, and the thread must live
        _log_failure(digest, "write the ARNs", len(query.publications), error)
    try:
        rows = read_rows((*query.reads, *query.in_turn))
        return RowAnswer(
            {read.run_id: rows[read.run_id] for read in query.reads if read.run_id in rows},
            read_workloads([read for read in query.reads if read.workload], owners),
            read_setbacks([read for read in query.reads if read.looks_back]),
            frozenset(read.run_id for read in query.in_turn if _is_unexpected(read, rows.get(read.run_id))),
            published,
        )
    except Exception as error:  # noqa: BLE001  as above
        _log_failure(digest, "read the rows", len(query.reads) + len(query.in_turn), error)
        return RowAnswer(published=published, failed=True)


def _log_failure(digest: LogDigest, what: str, count: int, error: Exception) -> None:
    # While the database is down this happens each second: its own message is enough then.
    known = isinstance(error, SQLAlchemyError)
    reason = f"{type(error).__name__}: {getattr(error, 'orig', None) or error}"
    digest.note(
        (what, type(error)),
        f"Can't {what} of {count} tasks ({reason}); it is tried again.",
        time.monotonic(),
        detail="" if known else "".join(traceback.format_exception(error)).rstrip(),
    )


def _is_unexpected(read: Read, row: Row | None) -> bool:
    return row is None or read.expected is None or not is_as_expected(row, read.expected)


class RowThread:
    """The database's thread. Call it from the scheduler's thread only; no method waits, except `close`."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        measurements: Measurements | None = None,
        owners: DagOwners | None = None,
    ) -> None:
        """Take where its thread notes how long the database takes, and the owners of the Dags that it sees."""
        self._clock = clock
        self._owners = owners or DagOwners()
        self._measurements = measurements or Measurements()
        self._asked_at: float | None = None
        self._warned = False
        self._replace_thread()

    @property
    def is_busy(self) -> bool:
        """Whether a query is open."""
        return self._asked_at is not None

    def ask(self, query: RowQuery) -> None:
        """Start a query; none may be open."""
        self._asked_at = self._clock()
        try:
            if not self._thread.is_alive():
                self._replace_thread()
                self._thread.start()
        except RuntimeError as error:
            log.warning("Can't start the database's thread (%s); it is tried again.", error)
            self._answers.put(RowAnswer(failed=True))
        else:
            self._queries.put(query)

    def take(self) -> RowAnswer | None:
        """Return the answer if it has arrived. Gives up after a while: connections may die unnoticed."""
        if self._asked_at is None:
            return None
        if not self._answers.empty():
            given = self._answers.get()
        elif self._is_lost(self._clock() - self._asked_at):
            self._queries.put(None)
            self._replace_thread()
            given = RowAnswer(failed=True)
        else:
            return None
        self._asked_at, self._warned = None, False
        return given

    def _is_lost(self, waited: float) -> bool:
        if waited >= WARN_AFTER and not self._warned:
            self._warned = True
            log.error(
                "The database has not answered for %.0f s: no task's end can be reported to Airflow.", waited
            )
        return waited >= GIVE_UP_AFTER or not self._thread.is_alive()

    def close(self, timeout: float) -> bool:
        """End the thread and return whether it has ended; the answer to an open query may be lost."""
        self._queries.put(None)
        if self._thread.is_alive():
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def _replace_thread(self) -> None:
        """Make a new thread with new queues, so that we never see an earlier thread's late answer."""
        self._queries: SimpleQueue[RowQuery | None] = SimpleQueue()
        self._answers: SimpleQueue[RowAnswer] = SimpleQueue()
        self._thread = threading.Thread(
            target=_serve,
            args=(self._queries, self._answers, self._measurements, self._owners),
            name="ecs-database",
            daemon=True,
        )


def _serve(
    queries: SimpleQueue[RowQuery | None],
    answers: SimpleQueue[RowAnswer],
    measurements: Measurements,
    owners: DagOwners,
) -> None:
    digest = LogDigest(log.log)
    while (query := queries.get()) is not None:
        begun = time.monotonic()
        given = answer(query, digest, owners)
        measurements.time(DATABASE_WAIT, time.monotonic() - begun)
        answers.put(given)
        digest.flush(time.monotonic())
