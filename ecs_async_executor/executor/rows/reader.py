"""Decides which rows to read and write next, and queries the database for them, one query at a time.

Runs in the scheduler's thread. It costs nothing for runs that aren't due.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

from ecs_async_executor.executor.decisions import ExpectedRow, Row
from ecs_async_executor.executor.rows.schedule import DueTimes, RoundRobin
from ecs_async_executor.executor.rows.statements import Publication, Read
from ecs_async_executor.executor.rows.thread import RowAnswer, RowDatabase, RowQuery
from ecs_async_executor.executor.run_state import RunState
from ecs_async_executor.executor.runs import Run, Runs

READS_PER_QUERY = 500
"""Rows to read at once, at most: they take some ten milliseconds of a thread that nobody waits for."""
PUBLISH_AFTER = 0.25
"""Seconds between two queries that only write: writing many rows costs little more than writing one."""
PUBLICATIONS_PER_QUERY = 500
"""Rows to write at once, at most: ten transactions, and some milliseconds of a heartbeat for the answer."""
READ_AGAIN_AFTER = 1.0
"""Seconds until we read a row again that we could not read or write, or that doesn't show its launch yet."""


def make_read(run: Run, expected: ExpectedRow | None = None) -> Read:
    """Describe how to read a run's row: with the workload if the run may be launched and has none."""
    to_launch = run.launched is None and run.ended is None
    return Read(
        run.run_id,
        run.ti_id,
        run.label,
        run.ids,
        workload=to_launch and run.workload is None,
        expected=expected,
        looks_back=run.looks_back,
        key=run.key if run.looks_back else None,
    )


def make_publication(run: Run, row: Row) -> Publication:
    """Describe what to write to a run's row, on condition that the row still is as it is now."""
    return Publication(
        run.run_id,
        run.ti_id,
        row.try_number,
        row.queued_by_job_id,
        row.external_executor_id,
        str(run.published),
    )


class RowReader:
    """The schedules of all runs' rows, and the open query.

    A task's run is due at a set time, or in the open query, or waits to be published; otherwise we read its
    row in turn.
    """

    def __init__(self, database: RowDatabase, runs: Runs, job_id: Callable[[], Any]) -> None:
        self._database = database
        self._job_id = job_id
        self._runs = runs
        self._due = DueTimes()
        self._round_robin: RoundRobin[Read] = RoundRobin()
        self._asked: deque[tuple[Run, tuple[Any, ...]]] = deque()
        """Runs in the open query, or whose rows wait for `answers`; each with its stage at the query."""
        self._answer = RowAnswer()
        self.asked_at = float("-inf")
        """When the last query started: no row from `answers` is older. Decisions may come seconds later."""
        self._publications: dict[str, Publication] = {}
        """The publications for the next query."""
        self._writing: dict[str, Publication] = {}
        """The publications of the open query."""

    def __repr__(self) -> str:
        return f"<RowReader {len(self._due)} to come, {len(self._asked)} under way>"

    def read_at(self, run: Run, at: float) -> None:
        """Read this run's row at a set time; ignore an answer that is under way."""
        self._round_robin.discard(run.run_id)
        self._due.add(run.run_id, at)

    def read_anew(self, run: Run, now: float) -> None:
        """Read this run's row again because it has changed; ignore an answer that is under way."""
        if run.run_id not in self._due:
            self.read_at(run, now)

    def read_in_turn(self, run: Run, now: float) -> None:
        """Read this run's row at intervals, unless it is due at a set time or the run is gone."""
        if run.is_callback or run.run_id in self._due or self._runs.get(run.run_id) is not run:
            return
        self._round_robin.add(run.run_id, make_read(run, self._expected(run)), now)

    def _expected(self, run: Run) -> ExpectedRow | None:
        """Return what the row shows while nobody has changed it; None if every read needs a decision."""
        if run.published is None or run.unwanted_since is not None or not self._runs.is_current(run):
            return None
        return ExpectedRow(run.try_number, run.published, self._job_id())

    def publish(self, run: Run, row: Row | None) -> None:
        """Publish a run's launch to its row, on condition that the row still is as it is now."""
        if row is not None and run.published is not None:
            self._publications[run.run_id] = make_publication(run, row)

    def publish_launch(self, run: Run, instead_of: str) -> None:
        """Publish a run's launch without reading its row first, if the row is ours and shows `instead_of`."""
        self._round_robin.discard(run.run_id)
        self.publish(run, Row("queued", run.try_number, instead_of, self._job_id()))

    def forget(self, run: Run) -> None:
        """Stop reading and writing a run's row."""
        self._due.discard(run.run_id)
        self._round_robin.discard(run.run_id)
        self._publications.pop(run.run_id, None)

    def ask(self, now: float) -> None:
        """Query the rows that are due, unless the last query is still open or partly unhandled."""
        if self._database.is_busy or self._asked:
            return
        in_turn = self._take_in_turn(now)
        due = self._known(self._due.take(now, limit=READS_PER_QUERY))
        publish_now = (self._publications or self._writing) and now - self.asked_at >= PUBLISH_AFTER
        if not due and not in_turn and not publish_now:
            return
        self.asked_at = now
        self._answer = RowAnswer(failed=True)  # until the answer arrives
        self._asked.extend((run, run.stage) for run in due)
        self._database.ask(
            RowQuery(
                reads=tuple(make_read(run) for run in due if not run.is_callback),
                publications=self._take_publications(),
                in_turn=in_turn,
            )
        )

    def _take_in_turn(self, now: float) -> tuple[Read, ...]:
        """Take the reads whose turn it is; rows that need a decision become due instead."""
        in_turn = self._round_robin.take(now)
        for run in self._known(read.run_id for read in in_turn if read.expected is None):
            self.read_at(run, now)
        return tuple(read for read in in_turn if read.expected is not None)

    def _take_publications(self) -> tuple[Publication, ...]:
        for run_id in tuple(islice(self._publications, PUBLICATIONS_PER_QUERY)):
            # `_writing` may still hold those of a query that didn't start.
            self._writing[run_id] = self._publications.pop(run_id)
        return tuple(self._writing.values())

    def _known(self, run_ids: Iterable[str]) -> list[Run]:
        return [run for run_id in run_ids if (run := self._runs.get(run_id)) is not None]

    def answers(self, now: float) -> Iterator[tuple[Run, Row | None]]:
        """Yield the runs whose rows were read. Runs that the caller doesn't take come with the next call."""
        answer = self._database.take()
        if answer is not None:
            self._answer = answer
            self._apply_published(answer, now)
            for run_id in answer.unexpected:
                if (run := self._runs.get(run_id)) is not None:
                    self.read_anew(run, now)  # the decision needs a fresh row
        while self._asked and not self._database.is_busy:
            run, stage = self._asked.popleft()
            if self._runs.get(run.run_id) is not run or run.run_id in self._due:
                continue  # the run is gone, or its row is due to be read again
            if self._answer.failed or run.stage != stage:
                self.read_at(run, now + READ_AGAIN_AFTER)
                continue
            run.workload = run.workload or self._answer.workloads.get(run.run_id)
            if (setbacks := self._answer.setbacks.get(run.run_id)) is not None:
                run.setbacks, run.looks_back = setbacks, False
            yield run, self._answer.rows.get(run.run_id)

    def _apply_published(self, answer: RowAnswer, now: float) -> None:
        # The query read these runs' rows after it wrote; `answers` yields them next.
        asked = {run.run_id for run, _ in self._asked}
        for run_id, publication in self._writing.items():
            run = self._runs.get(run_id)
            if run is None:
                continue
            is_written = run_id in answer.published and run.published == publication.external_id
            if is_written and run.state is RunState.LAUNCHED:
                run.move(RunState.LIVE, "published", now)
            if run_id in asked or run_id in self._due:
                continue
            if run_id in answer.published:
                self.read_in_turn(run, now)
            else:
                self.read_at(run, now + READ_AGAIN_AFTER)
        self._writing = {}
