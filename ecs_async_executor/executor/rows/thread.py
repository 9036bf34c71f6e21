"""Asks the database in a thread of its own: on our account, the scheduler's thread never waits for it.

One question at a time crosses to the thread and one answer back; both are frozen.
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
from ecs_async_executor.executor.rows.statements import (
    Publication,
    Read,
    read_rows,
    read_workloads,
    write_external_ids,
)
from ecs_async_executor.log_digest import LogDigest

log = logging.getLogger(__name__)

SLOW = 60.0
"""Seconds without an answer until that is said."""
GIVEN_UP = 300.0
"""Seconds without an answer until another thread is asked. What the old one still writes is compared before."""


@dataclass(frozen=True, slots=True)
class RowQuery:
    """What is to be written, and then what is to be read."""

    reads: tuple[Read, ...] = ()
    publications: tuple[Publication, ...] = ()
    in_turn: tuple[Read, ...] = ()
    """Of these, only those are told whose row is not as expected."""


@dataclass(frozen=True, slots=True)
class RowAnswer:
    """What was written and read, by run id."""

    rows: Mapping[str, Row] = field(default_factory=dict)
    """A run whose row is gone is left out."""
    workloads: Mapping[str, Any] = field(default_factory=dict)
    """Of those that were asked for; None if it can't be made."""
    strays: frozenset[str] = frozenset()
    """The runs whose turn it was, and whose row is not as expected."""
    published_ids: frozenset[str] = frozenset()
    """The runs whose row has been written."""
    failed: bool = False
    """Nothing could be read."""


class RowDatabase(Protocol):
    """What the supervisor needs of a database."""

    @property
    def is_busy(self) -> bool:
        """Whether a question is open."""

    def ask(self, question: RowQuery) -> None:
        """Put a question; none may be open."""

    def take(self) -> RowAnswer | None:
        """Take the answer, if it has come."""


def answer(question: RowQuery, digest: LogDigest | None = None) -> RowAnswer:
    """Ask the database; raises nothing. Failures go to the `digest`."""
    digest = digest or LogDigest(log.log)
    published_ids: frozenset[str] = frozenset()
    try:
        published_ids = write_external_ids(question.publications)
    except Exception as error:  # noqa: BLE001  it is logged, and the thread goes on
        _log_failure(digest, "write the ARNs", len(question.publications), error)
    try:
        rows = read_rows((*question.reads, *question.in_turn))
        return RowAnswer(
            {read.run_id: rows[read.run_id] for read in question.reads if read.run_id in rows},
            read_workloads([read for read in question.reads if read.workload]),
            frozenset(read.run_id for read in question.in_turn if _is_stray(read, rows.get(read.run_id))),
            published_ids,
        )
    except Exception as error:  # noqa: BLE001  as above
        _log_failure(digest, "read the rows", len(question.reads) + len(question.in_turn), error)
        return RowAnswer(published_ids=published_ids, failed=True)


def _log_failure(digest: LogDigest, what: str, count: int, error: Exception) -> None:
    # Each second while the database is away: its own words are enough then.
    known = isinstance(error, SQLAlchemyError)
    reason = f"{type(error).__name__}: {getattr(error, 'orig', None) or error}"
    digest.note(
        (what, type(error)),
        f"Can't {what} of {count} tasks ({reason}); it is tried again.",
        time.monotonic(),
        detail="" if known else "".join(traceback.format_exception(error)).rstrip(),
    )


def _is_stray(read: Read, row: Row | None) -> bool:
    return row is None or read.expected is None or not is_as_expected(row, read.expected)


class RowThread:
    """The thread. All methods are for the scheduler's thread, and none waits, except `close`."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._asked_at: float | None = None
        self._said_slow = False
        self._hire()

    @property
    def is_busy(self) -> bool:
        """Whether a question is open."""
        return self._asked_at is not None

    def ask(self, question: RowQuery) -> None:
        """Put a question; none may be open."""
        self._asked_at = self._clock()
        try:
            if not self._thread.is_alive():
                self._hire()
                self._thread.start()
        except RuntimeError as error:
            log.warning("Can't start the database's thread (%s); it is tried again.", error)
            self._answers.put(RowAnswer(failed=True))
        else:
            self._questions.put(question)

    def take(self) -> RowAnswer | None:
        """Take the answer, if it has come. One that never comes is given up: its connection has died unnoticed."""
        if self._asked_at is None:
            return None
        if not self._answers.empty():
            given = self._answers.get()
        elif self._is_lost(self._clock() - self._asked_at):
            self._questions.put(None)
            self._hire()
            given = RowAnswer(failed=True)
        else:
            return None
        self._asked_at, self._said_slow = None, False
        return given

    def _is_lost(self, waited: float) -> bool:
        if waited >= SLOW and not self._said_slow:
            self._said_slow = True
            log.error(
                "The database has not answered for %.0f s: no task's end can be told to Airflow.", waited
            )
        return waited >= GIVEN_UP or not self._thread.is_alive()

    def close(self, timeout: float) -> bool:
        """End the thread and tell whether it has ended; the answer to an open question is lost."""
        self._questions.put(None)
        if self._thread.is_alive():
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def _hire(self) -> None:
        """Make a new thread, which nobody's late answer can reach."""
        self._questions: SimpleQueue[RowQuery | None] = SimpleQueue()
        self._answers: SimpleQueue[RowAnswer] = SimpleQueue()
        self._thread = threading.Thread(
            target=_serve, args=(self._questions, self._answers), name="ecs-database", daemon=True
        )


def _serve(questions: SimpleQueue[RowQuery | None], answers: SimpleQueue[RowAnswer]) -> None:
    digest = LogDigest(log.log)
    while (question := questions.get()) is not None:
        answers.put(answer(question, digest))
        digest.flush(time.monotonic())
