"""Whose row is read next, and what it shall show: one question to the database after the other.

Runs in the scheduler's thread. Costs what is due, however many runs there are.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

from ecs_async_executor.executor.decisions import Row
from ecs_async_executor.executor.rows.schedule import DueTimes, RoundRobin
from ecs_async_executor.executor.rows.statements import Publication, Read
from ecs_async_executor.executor.rows.thread import RowAnswer, RowDatabase, RowQuery
from ecs_async_executor.executor.runs import Run, Runs

READS_PER_QUERY = 500
"""Rows that are read at once: some ten milliseconds of a thread that nobody waits for."""
PUBLISH_AFTER = 0.25
"""Seconds between two questions that are only there to write: many rows cost little more than one."""
PUBLICATIONS_PER_QUERY = 500
"""Rows that are written at once: ten transactions, and some milliseconds of a heartbeat to hear of them."""
READ_AGAIN_AFTER = 1.0
"""Seconds until a row is read again that could not be read, or written, or does not show yet what it shall show."""


def make_read(run: Run, expected: Row | None = None) -> Read:
    """Say how to read the row of a run: with its workload, if it may be launched and has none."""
    to_launch = run.launched is None and run.ended is None
    return Read(
        run.run_id,
        run.ti_id,
        run.label,
        run.ids,
        workload=to_launch and run.workload is None,
        expected=expected,
    )


def make_publication(run: Run, row: Row) -> Publication:
    """Say what the row of a run shall show, if it is then what it is now."""
    return Publication(
        run.run_id,
        run.ti_id,
        row.try_number,
        row.queued_by_job_id,
        row.external_executor_id,
        str(run.published),
    )


class RowPoller:
    """The agenda, the rounds, and the question that is open.

    A task's run is on the agenda, or being asked about, or shown; if nothing is going on, its row is looked at in turn.
    """

    def __init__(self, database: RowDatabase, runs: Runs, job_id: Callable[[], Any]) -> None:
        self._database = database
        self._job_id = job_id
        self._runs = runs
        self._due = DueTimes()
        self._round_robin: RoundRobin[Read] = RoundRobin()
        self._asked: deque[tuple[Run, tuple[Any, ...]]] = deque()
        """Whose rows are being read, or have been and wait to be heard of; and the stage that each run was in."""
        self._answer = RowAnswer()
        self.asked_at = float("-inf")
        """When the rows that are heard of now were asked for. None is older; decisions may come seconds later."""
        self._publications: dict[str, Publication] = {}
        """What is to be written with the next question."""
        self._writing: dict[str, Publication] = {}
        """What is being written with this one."""

    def __repr__(self) -> str:
        return f"<Inquiries {len(self._due)} to come, {len(self._asked)} under way>"

    def read_at(self, run: Run, at: float) -> None:
        """Read this run's row then; an answer that is under way does not count."""
        self._round_robin.discard(run.run_id)
        self._due.add(run.run_id, at)

    def read_anew(self, run: Run, now: float) -> None:
        """An answer that is under way does not count: its row is another now."""
        if run.run_id not in self._due:
            self.read_at(run, now)

    def read_in_turn(self, run: Run, now: float) -> None:
        """Read this run's row now and then, unless it is on the agenda, or the run is gone."""
        if run.is_callback or run.run_id in self._due or self._runs.get(run.run_id) is not run:
            return
        settled = run.unwanted_since is None and self._runs.is_current(run)
        published_ids = run.published if settled else None
        expected = (
            Row("running", run.try_number, published_ids, self._job_id())
            if published_ids is not None
            else None
        )
        self._round_robin.add(run.run_id, make_read(run, expected), now)

    def publish(self, run: Run, row: Row | None) -> None:
        """Have its row show its launch, if the row is then what it is now."""
        if row is not None and run.published is not None:
            self._publications[run.run_id] = make_publication(run, row)

    def publish_launch(self, run: Run, instead_of: str) -> None:
        """Have its row show its launch without reading it before, if it shows `instead_of` then, and is ours."""
        self._round_robin.discard(run.run_id)
        self.publish(run, Row("queued", run.try_number, instead_of, self._job_id()))

    def forget(self, run: Run) -> None:
        """Ask nothing more about a run."""
        self._due.discard(run.run_id)
        self._round_robin.discard(run.run_id)
        self._publications.pop(run.run_id, None)

    def ask(self, now: float) -> None:
        """Ask about what is due, unless the last question is still open."""
        if self._database.is_busy or self._asked:
            return
        in_turn = self._round_robin.take(now)
        for read in in_turn:
            if read.expected is None and (run := self._runs.get(read.run_id)) is not None:
                self.read_at(run, now)
        due = self._known(self._due.take(now, limit=READS_PER_QUERY))
        to_show = (self._publications or self._writing) and now - self.asked_at >= PUBLISH_AFTER
        if not due and not in_turn and not to_show:
            return
        self.asked_at = now
        self._answer = RowAnswer(failed=True)  # until there is one
        self._asked.extend((run, run.stage) for run in due)
        for run_id in tuple(islice(self._publications, PUBLICATIONS_PER_QUERY)):
            self._writing[run_id] = self._publications.pop(run_id)  # beside what was never asked, if anything
        question = RowQuery(
            reads=tuple(make_read(run) for run in due if not run.is_callback),
            publications=tuple(self._writing.values()),
            in_turn=tuple(read for read in in_turn if read.expected is not None),
        )
        self._database.ask(question)

    def _known(self, run_ids: Iterable[str]) -> list[Run]:
        return [run for run_id in run_ids if (run := self._runs.get(run_id)) is not None]

    def answers(self, now: float) -> Iterator[tuple[Run, Row | None]]:
        """Give the runs whose rows have been read. What is not taken now comes with the next call."""
        answer = self._database.take()
        if answer is not None:
            self._answer = answer
            self._apply_published(answer, now)
            for run_id in answer.strays:
                if (run := self._runs.get(run_id)) is not None:
                    self.read_anew(run, now)  # what it means is seen by a row that is read again
        while self._asked and not self._database.is_busy:
            run, stage = self._asked.popleft()
            if self._runs.get(run.run_id) is not run or run.run_id in self._due:
                continue  # what has happened since is on the agenda
            if self._answer.failed or run.stage != stage:
                self.read_at(run, now + READ_AGAIN_AFTER)
                continue
            run.workload = run.workload or self._answer.workloads.get(run.run_id)
            yield run, self._answer.rows.get(run.run_id)

    def _apply_published(self, answer: RowAnswer, now: float) -> None:
        asked = {
            run.run_id for run, _ in self._asked
        }  # their rows were read after the writing, and are heard next
        for run_id, publish in self._writing.items():
            run = self._runs.get(run_id)
            if run is None:
                continue
            if run_id in answer.published_ids:
                run.unpublished = run.unpublished and run.published != publish.external_id
            if run_id in asked or run_id in self._due:
                continue
            if run_id in answer.published_ids:
                self.read_in_turn(run, now)
            else:
                self.read_at(run, now + READ_AGAIN_AFTER)
        self._writing = {}
