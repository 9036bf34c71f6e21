"""Asks the database in a thread of its own: on our account, the scheduler's thread never waits for it.

One question at a time crosses to the thread and one answer back; both are frozen.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any, Protocol

from ecs_async_executor.decisions import Row, is_as_expected
from ecs_async_executor.rows import Look, Show, read_rows, read_workloads, write_external_ids

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be written, and then what is to be read."""

    looks: tuple[Look, ...] = ()
    shows: tuple[Show, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What was written and read, by run id."""

    rows: Mapping[str, Row] = field(default_factory=dict)
    """A run whose row is gone is left out."""
    workloads: Mapping[str, Any] = field(default_factory=dict)
    """Of those that were asked for; None if it can't be made."""
    unchanged: frozenset[str] = frozenset()
    """The runs whose row is as expected; it is left out as well."""
    shown: frozenset[str] = frozenset()
    """The runs whose row has been written."""
    failed: bool = False
    """Nothing could be read."""


class Asks(Protocol):
    """What the supervisor needs of a database."""

    @property
    def is_busy(self) -> bool:
        """Whether a question is open."""

    def ask(self, question: Question) -> None:
        """Put a question; none may be open."""

    def take(self) -> Answer | None:
        """Take the answer, if it has come."""


def answer(question: Question) -> Answer:
    """Ask the database; raises nothing."""
    shown: frozenset[str] = frozenset()
    try:
        shown = write_external_ids(question.shows)
    except Exception:
        log.warning("Can't write external executor ids; it is tried again.", exc_info=True)
    try:
        rows = read_rows(question.looks)
        unchanged = {look.run_id for look in question.looks if _is_unchanged(look, rows.get(look.run_id))}
        return Answer(
            {run_id: row for run_id, row in rows.items() if run_id not in unchanged},
            read_workloads([look for look in question.looks if look.workload]),
            frozenset(unchanged),
            shown,
        )
    except Exception:
        log.exception("Can't read the rows of %d tasks; it is tried again.", len(question.looks))
        return Answer(shown=shown, failed=True)


def _is_unchanged(look: Look, row: Row | None) -> bool:
    return row is not None and look.expected is not None and is_as_expected(row, look.expected)


class Database:
    """The thread. All methods are for the scheduler's thread, and none waits, except `close`."""

    def __init__(self) -> None:
        self._questions: SimpleQueue[Question | None] = SimpleQueue()
        self._answers: SimpleQueue[Answer] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._open = False

    @property
    def is_busy(self) -> bool:
        """Whether a question is open."""
        return self._open

    def ask(self, question: Question) -> None:
        """Put a question; none may be open."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._main, name="ecs-database", daemon=True)
            self._thread.start()
        self._open = True
        self._questions.put(question)

    def take(self) -> Answer | None:
        """Take the answer, if it has come."""
        try:
            given = self._answers.get_nowait()
        except Empty:
            if self._thread is None or self._thread.is_alive() or not self._open:
                return None
            given = Answer(failed=True)  # its thread has died
        self._open = False
        return given

    def close(self, timeout: float) -> None:
        """End the thread; the answer to an open question is lost."""
        if self._thread is not None:
            self._questions.put(None)
            self._thread.join(timeout)

    def _main(self) -> None:
        while (question := self._questions.get()) is not None:
            self._answers.put(answer(question))
