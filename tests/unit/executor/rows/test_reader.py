"""Which rows are read and published when, and which answers count."""

from __future__ import annotations

import gc
import sys
from dataclasses import replace
from typing import Any

import pytest

from ecs_async_executor.executor.decisions import ExpectedRow, Row
from ecs_async_executor.executor.rows.reader import (
    PUBLICATIONS_PER_QUERY,
    PUBLISH_AFTER,
    READ_AGAIN_AFTER,
    READS_PER_QUERY,
    RowReader,
)
from ecs_async_executor.executor.rows.schedule import CHECK_AFTER, CHECKS_PER_SECOND
from ecs_async_executor.executor.rows.statements import Publication
from ecs_async_executor.executor.rows.thread import RowAnswer, RowQuery
from ecs_async_executor.executor.run_state import RunState
from ecs_async_executor.executor.runs import Run, Runs
from ecs_async_executor.messages import Cancelled, Launched

ROW = Row("queued", 1, "run", 7)


class RowThread:
    """A database that answers when the test says so."""

    def __init__(self) -> None:
        self.queries: list[RowQuery] = []
        self.given: RowAnswer | None = None
        self.is_busy = False

    def ask(self, query: RowQuery) -> None:
        assert not self.is_busy
        self.is_busy = True
        self.queries.append(query)

    def answer(self, **changes: Any) -> None:
        rows = {read.run_id: ROW for read in self.queries[-1].reads}
        self.given = RowAnswer(**{"rows": rows, **changes})

    def take(self) -> RowAnswer | None:
        given, self.given = self.given, None
        self.is_busy = self.is_busy and given is None
        return given

    @property
    def asked(self) -> list[list[str]]:
        return [[read.run_id for read in query.reads] for query in self.queries]


@pytest.fixture
def database() -> RowThread:
    return RowThread()


@pytest.fixture
def runs() -> Runs:
    return Runs()


@pytest.fixture
def reader(database: RowThread, runs: Runs) -> RowReader:
    return RowReader(database, runs, lambda: 7)


@pytest.fixture
def run(runs: Runs) -> Run:
    return add(runs, "run")


def add(runs: Runs, name: str, **members: Any) -> Run:
    run = Run(name, name, name, object(), **{"ti_id": name, "try_number": 1, "id_committed": True, **members})
    runs.add(run)
    return run


def launch(run: Run, report: Launched) -> None:
    """Let the engine launch a run, as its reconciler notes it."""
    run.launched = report
    run.move(RunState.ORDERED, "ordered", 0.0)
    run.move(RunState.LAUNCHED, "launched", 0.0)


def answered(reader: RowReader, now: float) -> list[tuple[str, Row | None]]:
    return [(run.run_id, row) for run, row in reader.answers(now)]


def test_no_query_starts_while_no_row_is_due(reader: RowReader, database: RowThread, run: Run) -> None:
    reader.read_at(run, 10.0)
    reader.ask(9.9)
    assert answered(reader, 9.9) == []
    assert database.queries == []


def test_only_one_query_is_open_at_a_time(reader: RowReader, database: RowThread, runs: Runs) -> None:
    one, two = add(runs, "one"), add(runs, "two")
    reader.read_at(one, 0.0)
    reader.ask(0.0)
    reader.read_at(two, 0.0)
    reader.ask(0.0)
    assert answered(reader, 0.0) == []
    database.answer()
    assert answered(reader, 0.0) == [("one", ROW)]
    reader.ask(0.0)
    assert database.asked == [["one"], ["two"]]


def test_a_query_has_a_limit_and_the_next_one_reads_the_rest(
    reader: RowReader, database: RowThread, runs: Runs
) -> None:
    for number in range(READS_PER_QUERY + 1):
        reader.read_at(add(runs, str(number)), 0.0)
    reader.ask(0.0)
    database.answer()
    assert len(answered(reader, 0.0)) == READS_PER_QUERY
    reader.ask(0.0)
    assert database.asked[1] == [str(READS_PER_QUERY)]


def test_answers_left_over_come_next_time_and_before_the_next_query(
    reader: RowReader, database: RowThread, runs: Runs
) -> None:
    for name in ("one", "two"):
        reader.read_at(add(runs, name), 0.0)
    reader.ask(0.0)
    database.answer()
    for run, _ in reader.answers(0.0):
        assert run.run_id == "one"
        break
    reader.ask(0.0)
    assert len(database.queries) == 1
    assert answered(reader, 1.0) == [("two", ROW)]


def test_an_answer_is_ignored_if_something_new_is_known_about_its_run(
    reader: RowReader, database: RowThread, run: Run
) -> None:
    """The query may have read the row before its worker reported success and its container ended."""
    reader.read_at(run, 0.0)
    reader.ask(0.0)
    run.ended = Cancelled("run")
    database.answer()
    assert answered(reader, 0.0) == []
    reader.ask(READ_AGAIN_AFTER)
    assert database.asked == [["run"]] * 2


def test_an_answer_is_ignored_if_a_new_read_was_requested_after_the_query(
    reader: RowReader, database: RowThread, run: Run
) -> None:
    reader.read_at(run, 0.0)
    reader.ask(0.0)
    reader.read_anew(run, 0.0)
    database.answer()
    assert answered(reader, 0.0) == []
    reader.ask(0.0)
    database.answer()
    assert answered(reader, 0.0) == [("run", ROW)]


def test_read_anew_does_not_bring_a_scheduled_read_forward(
    reader: RowReader, database: RowThread, run: Run
) -> None:
    reader.read_at(run, 50.0)
    reader.read_anew(run, 0.0)
    reader.ask(49.0)
    assert database.queries == []


def test_an_answer_about_a_forgotten_run_is_ignored(
    reader: RowReader, database: RowThread, runs: Runs, run: Run
) -> None:
    reader.read_at(run, 0.0)
    reader.ask(0.0)
    reader.forget(run)
    runs.forget(run)
    database.answer()
    assert answered(reader, 0.0) == []


def test_after_a_database_failure_all_rows_are_read_again(
    reader: RowReader, database: RowThread, runs: Runs
) -> None:
    for name in ("one", "two"):
        reader.read_at(add(runs, name), 0.0)
    reader.ask(0.0)
    database.answer(failed=True)
    assert answered(reader, 0.0) == []
    reader.ask(READ_AGAIN_AFTER - 0.1)
    assert len(database.queries) == 1
    reader.ask(READ_AGAIN_AFTER)
    assert database.asked[1] == ["one", "two"]


def test_nothing_is_decided_if_a_query_cannot_start(
    reader: RowReader, database: RowThread, runs: Runs, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row that was not read is not a row that is gone, and a publication that was not written stays due."""

    def refuse(_: RowQuery) -> None:
        raise RuntimeError("no")

    published = add(runs, "published")
    reader.read_at(run, 0.0)
    reader.publish(published, ROW)
    with monkeypatch.context() as patch:
        patch.setattr(database, "ask", refuse)
        with pytest.raises(RuntimeError):
            reader.ask(0.0)
    assert answered(reader, 0.0) == []
    reader.forget(run)
    reader.ask(READ_AGAIN_AFTER)
    assert [each.run_id for each in database.queries[0].publications] == ["published"]
    reader.read_at(run, READ_AGAIN_AFTER)
    database.answer(published=frozenset({"published"}))
    assert answered(reader, READ_AGAIN_AFTER) == []
    reader.ask(READ_AGAIN_AFTER)
    database.answer()
    assert answered(reader, READ_AGAIN_AFTER) == [("run", ROW)]


def test_a_settled_runs_row_is_read_in_turn_and_needs_no_decision_while_it_is_as_expected(
    reader: RowReader, database: RowThread, run: Run
) -> None:
    reader.read_in_turn(run, 0.0)
    for turn in (1, 2):
        reader.ask(turn * CHECK_AFTER)
        assert [read.expected for read in database.queries[-1].in_turn] == [ExpectedRow(1, "run", 7)]
        assert database.queries[-1].reads == ()
        database.answer()
        assert answered(reader, turn * CHECK_AFTER) == []
    assert len(database.queries) == 2


def test_an_unexpected_row_is_read_again_for_a_decision(
    reader: RowReader, database: RowThread, run: Run
) -> None:
    reader.read_in_turn(run, 0.0)
    reader.ask(CHECK_AFTER)
    database.answer(unexpected=frozenset({"run", "forgotten since"}))
    assert answered(reader, CHECK_AFTER) == []
    reader.ask(CHECK_AFTER)
    assert database.asked == [[], ["run"]]
    database.answer()
    assert answered(reader, CHECK_AFTER) == [("run", ROW)]
    reader.ask(10 * CHECK_AFTER)
    assert len(database.queries) == 2, "the decision puts it back among the runs read in turn"


@pytest.mark.parametrize(
    "state", [{"unwanted_since": 0.0}, {"id_committed": False}], ids=lambda state: next(iter(state))
)
def test_some_runs_need_a_decision_whatever_their_row_shows(
    reader: RowReader, database: RowThread, runs: Runs, state: dict[str, Any]
) -> None:
    reader.read_in_turn(add(runs, "run", **state), 0.0)
    reader.ask(CHECK_AFTER)
    assert (database.asked, database.queries[0].in_turn) == ([["run"]], ())


def test_a_superseded_run_needs_a_decision_whatever_its_row_shows(
    reader: RowReader, database: RowThread, runs: Runs, run: Run
) -> None:
    newer = add(runs, "newer")
    newer.key = run.key
    runs.add(newer)
    reader.read_in_turn(run, 0.0)
    reader.ask(CHECK_AFTER)
    assert database.asked == [["run"]]


@pytest.mark.parametrize("live", [100, 10_000])
def test_the_cost_of_a_heartbeat_does_not_depend_on_the_number_of_live_runs(
    reader: RowReader, database: RowThread, runs: Runs, live: int
) -> None:
    for number in range(live):
        reader.read_in_turn(add(runs, str(number)), float(number % 2))
    steps = 0

    def count(*_: object) -> None:
        nonlocal steps
        steps += 1

    gc.disable()  # it may run other tests' finalizers, whose calls would count
    sys.setprofile(count)
    try:
        reader.ask(1.0)  # none is due
        idle, steps = steps, 0
        reader.ask(CHECK_AFTER + 1.0)  # all are due
    finally:
        sys.setprofile(None)
        gc.enable()
    assert idle < 25
    assert steps < 20 * 10 * CHECKS_PER_SECOND
    assert len(database.queries[0].in_turn) == min(live, 10 * CHECKS_PER_SECOND)


def test_a_run_due_at_a_set_time_is_not_read_in_turn(
    reader: RowReader, database: RowThread, run: Run
) -> None:
    reader.read_in_turn(run, 0.0)
    reader.read_at(run, CHECK_AFTER)
    reader.read_in_turn(run, 0.0)
    reader.ask(CHECK_AFTER)
    assert database.asked == [["run"]]
    assert database.queries[0].in_turn == ()


def test_a_run_that_is_gone_is_not_read_in_turn(
    reader: RowReader, database: RowThread, runs: Runs, run: Run
) -> None:
    reader.read_in_turn(run, 0.0)
    reader.forget(run)
    runs.forget(run)
    reader.read_in_turn(run, 0.0)
    reader.ask(CHECK_AFTER)
    assert database.queries == []


def test_a_launch_is_published_without_reading_its_row_which_is_then_read_in_turn(
    reader: RowReader, database: RowThread, run: Run
) -> None:
    reader.read_in_turn(run, 0.0)
    launch(run, Launched("run", 1, "arn", "c", "airflow"))
    reader.publish_launch(run, instead_of="run")
    reader.ask(CHECK_AFTER)
    assert database.queries == [RowQuery(publications=(Publication("run", "run", 1, 7, "run", "arn"),))]
    database.answer(published=frozenset({"run"}))
    assert answered(reader, CHECK_AFTER) == []
    assert run.state is RunState.LIVE
    reader.ask(2 * CHECK_AFTER)
    assert [read.expected for read in database.queries[-1].in_turn] == [ExpectedRow(1, "arn", 7)]


def test_the_next_query_publishes_a_launch(reader: RowReader, database: RowThread, run: Run) -> None:
    launch(run, Launched("run", 1, "arn", "c", "airflow"))
    reader.publish(run, ROW)
    reader.ask(0.0)
    assert database.queries == [RowQuery(publications=(Publication("run", "run", 1, 7, "run", "arn"),))]
    database.answer(published=frozenset({"run"}))
    assert answered(reader, 0.0) == []
    assert run.state is RunState.LIVE


def test_launches_are_published_together_a_few_times_a_second_or_with_any_other_query(
    reader: RowReader, database: RowThread, runs: Runs
) -> None:
    def publish(name: str, now: float) -> None:
        run = add(runs, name)
        reader.publish(run, replace(ROW, external_executor_id=name))
        reader.ask(now)
        if database.is_busy:
            database.answer(published=frozenset(each.run_id for each in database.queries[-1].publications))
        answered(reader, now)

    publish("one", 0.0)
    publish("two", PUBLISH_AFTER / 2)
    publish("three", PUBLISH_AFTER)
    reader.read_at(add(runs, "other"), PUBLISH_AFTER)
    publish("four", PUBLISH_AFTER)
    assert [[each.run_id for each in query.publications] for query in database.queries] == [
        ["one"],
        ["two", "three"],
        ["four"],
    ]


def test_a_row_that_could_not_be_written_is_read_again(
    reader: RowReader, database: RowThread, run: Run
) -> None:
    launch(run, Launched("run", 1, "arn", "c", "airflow"))
    reader.publish(run, ROW)
    reader.ask(0.0)
    database.answer()
    assert answered(reader, 0.0) == []
    assert run.state is RunState.LAUNCHED
    reader.ask(READ_AGAIN_AFTER)
    assert database.asked == [[], ["run"]]


def test_a_row_read_in_the_query_that_writes_it_counts_whether_it_was_written_or_not(
    reader: RowReader, database: RowThread, runs: Runs
) -> None:
    for name in ("published", "not published"):
        run = add(runs, name)
        reader.publish(run, ROW)
        reader.read_at(run, 0.0)  # it has ended since
    reader.ask(0.0)
    database.answer(published=frozenset({"published"}))
    assert answered(reader, 0.0) == [("published", ROW), ("not published", ROW)]


def test_a_row_that_could_not_be_written_is_read_no_earlier_than_it_is_due(
    reader: RowReader, database: RowThread, run: Run
) -> None:
    reader.publish(run, ROW)
    reader.read_at(run, 60.0)
    reader.ask(0.0)
    database.answer()
    assert answered(reader, 0.0) == []
    reader.ask(59.0)
    assert len(database.queries) == 1


def test_the_write_of_an_earlier_launch_does_not_publish_the_next_one(
    reader: RowReader, database: RowThread, run: Run
) -> None:
    run.number = 2
    reader.publish(run, ROW)
    reader.ask(0.0)
    launch(run, Launched("run", 2, "arn", "c", "airflow"))
    reader.publish_launch(run, instead_of="run-2")
    database.answer(published=frozenset({"run"}))
    assert answered(reader, 0.0) == []
    assert run.state is RunState.LAUNCHED
    reader.ask(PUBLISH_AFTER)
    assert database.queries[1].publications == (Publication("run", "run", 1, 7, "run-2", "arn"),)


def test_a_forgotten_run_is_not_published(reader: RowReader, database: RowThread, run: Run) -> None:
    reader.publish(run, ROW)
    reader.forget(run)
    reader.ask(0.0)
    assert database.queries == []


def test_many_launches_are_published_in_parts(reader: RowReader, database: RowThread, runs: Runs) -> None:
    names = [str(number) for number in range(PUBLICATIONS_PER_QUERY + 1)]
    for name in names:
        reader.publish(add(runs, name), ROW)
    for now in (0.0, PUBLISH_AFTER):
        reader.ask(now)
        database.answer(published=frozenset(each.run_id for each in database.queries[-1].publications))
        assert answered(reader, now) == []
    assert [[each.run_id for each in query.publications] for query in database.queries] == [
        names[:-1],
        names[-1:],
    ]


def test_a_callback_is_never_read_in_turn(reader: RowReader, database: RowThread, runs: Runs) -> None:
    reader.read_in_turn(add(runs, "callback", ti_id=None), 0.0)
    reader.ask(2 * CHECK_AFTER)
    assert database.queries == []


def test_workloads_are_read_only_for_runs_to_launch_that_have_none(
    reader: RowReader, database: RowThread, runs: Runs
) -> None:
    names = {"has one": False, "launched": False, "to launch": True}
    for name in names:
        run = add(runs, name)
        run.workload = object() if name == "has one" else None
        run.launched = Launched(name, 1, "arn", "c", "airflow") if name == "launched" else None
        reader.read_at(run, 0.0)
    reader.ask(0.0)
    assert {read.run_id: read.workload for read in database.queries[0].reads} == names
    database.answer(workloads={"to launch": "its workload"})
    answered(reader, 0.0)
    launchable = runs.get("to launch")
    assert launchable is not None
    assert launchable.workload == "its workload"


def test_a_callback_without_a_row_is_yielded_when_it_is_due(
    reader: RowReader, database: RowThread, runs: Runs
) -> None:
    reader.read_at(add(runs, "callback", ti_id=None), 0.0)
    reader.ask(0.0)
    assert database.queries == [RowQuery()]
    database.answer()
    assert answered(reader, 0.0) == [("callback", None)]
