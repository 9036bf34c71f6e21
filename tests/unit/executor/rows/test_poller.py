"""Whose rows are read, what they shall show, and which answers count."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import pytest

from ecs_async_executor.executor.decisions import Row
from ecs_async_executor.executor.rows.poller import (
    PUBLICATIONS_PER_QUERY,
    PUBLISH_AFTER,
    READ_AGAIN_AFTER,
    READS_PER_QUERY,
    RowPoller,
)
from ecs_async_executor.executor.rows.schedule import CHECK_AFTER, CHECKS_PER_SECOND
from ecs_async_executor.executor.rows.statements import Publication
from ecs_async_executor.executor.rows.thread import RowAnswer, RowQuery
from ecs_async_executor.executor.runs import Run, Runs
from ecs_async_executor.messages import Cancelled, Launched

ROW = Row("queued", 1, "run", 7)


class RowThread:
    """Answers when the test does."""

    def __init__(self) -> None:
        self.questions: list[RowQuery] = []
        self.given: RowAnswer | None = None
        self.is_busy = False

    def ask(self, question: RowQuery) -> None:
        assert not self.is_busy
        self.is_busy = True
        self.questions.append(question)

    def answer(self, **changes: Any) -> None:
        rows = {read.run_id: ROW for read in self.questions[-1].reads}
        self.given = RowAnswer(**{"rows": rows, **changes})

    def take(self) -> RowAnswer | None:
        given, self.given = self.given, None
        self.is_busy = self.is_busy and given is None
        return given

    @property
    def asked(self) -> list[list[str]]:
        return [[read.run_id for read in question.reads] for question in self.questions]


@pytest.fixture
def database() -> RowThread:
    return RowThread()


@pytest.fixture
def runs() -> Runs:
    return Runs()


@pytest.fixture
def poller(database: RowThread, runs: Runs) -> RowPoller:
    return RowPoller(database, runs, lambda: 7)


@pytest.fixture
def run(runs: Runs) -> Run:
    return add(runs, "run")


def add(runs: Runs, name: str, **members: Any) -> Run:
    run = Run(name, name, name, object(), **{"ti_id": name, "try_number": 1, "id_committed": True, **members})
    runs.add(run)
    return run


def heard(poller: RowPoller, now: float) -> list[tuple[str, Row | None]]:
    return [(run.run_id, row) for run, row in poller.answers(now)]


def test_nothing_is_asked_as_long_as_nothing_is_due(poller: RowPoller, database: RowThread, run: Run) -> None:
    poller.read_at(run, 10.0)
    poller.ask(9.9)
    assert heard(poller, 9.9) == []
    assert database.questions == []


def test_one_question_is_open_at_a_time(poller: RowPoller, database: RowThread, runs: Runs) -> None:
    one, two = add(runs, "one"), add(runs, "two")
    poller.read_at(one, 0.0)
    poller.ask(0.0)
    poller.read_at(two, 0.0)
    poller.ask(0.0)
    assert heard(poller, 0.0) == []
    database.answer()
    assert heard(poller, 0.0) == [("one", ROW)]
    poller.ask(0.0)
    assert database.asked == [["one"], ["two"]]


def test_a_question_has_a_limit_and_the_rest_comes_next(
    poller: RowPoller, database: RowThread, runs: Runs
) -> None:
    for number in range(READS_PER_QUERY + 1):
        poller.read_at(add(runs, str(number)), 0.0)
    poller.ask(0.0)
    database.answer()
    assert len(heard(poller, 0.0)) == READS_PER_QUERY
    poller.ask(0.0)
    assert database.asked[1] == [str(READS_PER_QUERY)]


def test_what_is_not_heard_now_is_heard_next_time_and_before_the_next_question(
    poller: RowPoller, database: RowThread, runs: Runs
) -> None:
    for name in ("one", "two"):
        poller.read_at(add(runs, name), 0.0)
    poller.ask(0.0)
    database.answer()
    for run, _ in poller.answers(0.0):
        assert run.run_id == "one"
        break
    poller.ask(0.0)
    assert len(database.questions) == 1
    assert heard(poller, 1.0) == [("two", ROW)]


def test_an_answer_does_not_count_for_a_run_of_which_something_new_is_known(
    poller: RowPoller, database: RowThread, run: Run
) -> None:
    """Its row may have been read before its worker reported success, and the container have ended after that."""
    poller.read_at(run, 0.0)
    poller.ask(0.0)
    run.ended = Cancelled("run")
    database.answer()
    assert heard(poller, 0.0) == []
    poller.ask(READ_AGAIN_AFTER)
    assert database.asked == [["run"]] * 2


def test_an_answer_does_not_count_if_a_new_look_was_asked_for_meanwhile(
    poller: RowPoller, database: RowThread, run: Run
) -> None:
    poller.read_at(run, 0.0)
    poller.ask(0.0)
    poller.read_anew(run, 0.0)
    database.answer()
    assert heard(poller, 0.0) == []
    poller.ask(0.0)
    database.answer()
    assert heard(poller, 0.0) == [("run", ROW)]


def test_to_look_anew_brings_nothing_forward(poller: RowPoller, database: RowThread, run: Run) -> None:
    poller.read_at(run, 50.0)
    poller.read_anew(run, 0.0)
    poller.ask(49.0)
    assert database.questions == []


def test_an_answer_about_a_forgotten_run_is_nothing(
    poller: RowPoller, database: RowThread, runs: Runs, run: Run
) -> None:
    poller.read_at(run, 0.0)
    poller.ask(0.0)
    poller.forget(run)
    runs.forget(run)
    database.answer()
    assert heard(poller, 0.0) == []


def test_if_the_database_fails_all_is_asked_again(poller: RowPoller, database: RowThread, runs: Runs) -> None:
    for name in ("one", "two"):
        poller.read_at(add(runs, name), 0.0)
    poller.ask(0.0)
    database.answer(failed=True)
    assert heard(poller, 0.0) == []
    poller.ask(READ_AGAIN_AFTER - 0.1)
    assert len(database.questions) == 1
    poller.ask(READ_AGAIN_AFTER)
    assert database.asked[1] == ["one", "two"]


def test_if_a_question_can_t_even_be_put_nothing_is_decided(
    poller: RowPoller, database: RowThread, runs: Runs, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No row read is not a row that is gone, and what was not written is still to be written."""

    def refuse(_: RowQuery) -> None:
        raise RuntimeError("no")

    published_ids = add(runs, "shown")
    poller.read_at(run, 0.0)
    poller.publish(published_ids, ROW)
    with monkeypatch.context() as patch:
        patch.setattr(database, "ask", refuse)
        with pytest.raises(RuntimeError):
            poller.ask(0.0)
    assert heard(poller, 0.0) == []
    poller.forget(run)
    poller.ask(READ_AGAIN_AFTER)
    assert [publish.run_id for publish in database.questions[0].publications] == ["shown"]
    poller.read_at(run, READ_AGAIN_AFTER)
    database.answer(published=frozenset({"shown"}))
    assert heard(poller, READ_AGAIN_AFTER) == []
    poller.ask(READ_AGAIN_AFTER)
    database.answer()
    assert heard(poller, READ_AGAIN_AFTER) == [("run", ROW)]


def test_the_row_of_a_settled_run_is_looked_at_in_turn_and_nothing_is_heard_while_it_is_as_it_should_be(
    poller: RowPoller, database: RowThread, run: Run
) -> None:
    poller.read_in_turn(run, 0.0)
    for turn in (1, 2):
        poller.ask(turn * CHECK_AFTER)
        assert [read.expected for read in database.questions[-1].in_turn] == [Row("running", 1, "run", 7)]
        assert database.questions[-1].reads == ()
        database.answer()
        assert heard(poller, turn * CHECK_AFTER) == []
    assert len(database.questions) == 2


def test_a_row_that_is_not_as_it_should_be_is_read_again_and_decided_about(
    poller: RowPoller, database: RowThread, run: Run
) -> None:
    poller.read_in_turn(run, 0.0)
    poller.ask(CHECK_AFTER)
    database.answer(unexpected=frozenset({"run", "forgotten meanwhile"}))
    assert heard(poller, CHECK_AFTER) == []
    poller.ask(CHECK_AFTER)
    assert database.asked == [[], ["run"]]
    database.answer()
    assert heard(poller, CHECK_AFTER) == [("run", ROW)]
    poller.ask(10 * CHECK_AFTER)
    assert len(database.questions) == 2, "it is settled again when it is decided about"


@pytest.mark.parametrize(
    "state", [{"unwanted_since": 0.0}, {"id_committed": False}], ids=lambda state: next(iter(state))
)
def test_there_may_be_something_to_decide_in_any_case(
    poller: RowPoller, database: RowThread, runs: Runs, state: dict[str, Any]
) -> None:
    poller.read_in_turn(add(runs, "run", **state), 0.0)
    poller.ask(CHECK_AFTER)
    assert (database.asked, database.questions[0].in_turn) == ([["run"]], ())


def test_a_run_that_is_not_current_any_more_is_decided_about_whatever_its_row_shows(
    poller: RowPoller, database: RowThread, runs: Runs, run: Run
) -> None:
    newer = add(runs, "newer")
    newer.key = run.key
    runs.add(newer)
    poller.read_in_turn(run, 0.0)
    poller.ask(CHECK_AFTER)
    assert database.asked == [["run"]]


@pytest.mark.parametrize("live", [100, 10_000])
def test_what_a_heartbeat_costs_does_not_depend_on_how_many_runs_live(
    poller: RowPoller, database: RowThread, runs: Runs, live: int
) -> None:
    for number in range(live):
        poller.read_in_turn(add(runs, str(number)), float(number % 2))
    steps = 0

    def count(*_: object) -> None:
        nonlocal steps
        steps += 1

    sys.setprofile(count)
    try:
        poller.ask(1.0)  # none is due
        idle, steps = steps, 0
        poller.ask(CHECK_AFTER + 1.0)  # all are due
    finally:
        sys.setprofile(None)
    assert idle < 20
    assert steps < 20 * 10 * CHECKS_PER_SECOND
    assert len(database.questions[0].in_turn) == min(live, 10 * CHECKS_PER_SECOND)


def test_a_run_that_is_on_the_agenda_is_not_looked_at_in_turn(
    poller: RowPoller, database: RowThread, run: Run
) -> None:
    poller.read_in_turn(run, 0.0)
    poller.read_at(run, CHECK_AFTER)
    poller.read_in_turn(run, 0.0)
    poller.ask(CHECK_AFTER)
    assert database.asked == [["run"]]
    assert database.questions[0].in_turn == ()


def test_a_run_that_is_gone_is_not_looked_at_in_turn(
    poller: RowPoller, database: RowThread, runs: Runs, run: Run
) -> None:
    poller.read_in_turn(run, 0.0)
    poller.forget(run)
    runs.forget(run)
    poller.read_in_turn(run, 0.0)
    poller.ask(CHECK_AFTER)
    assert database.questions == []


def test_a_launch_is_shown_by_a_row_that_was_not_read_and_is_looked_at_in_turn_from_then_on(
    poller: RowPoller, database: RowThread, run: Run
) -> None:
    poller.read_in_turn(run, 0.0)
    run.launched, run.unpublished = Launched("run", 1, "arn", "c", "airflow"), True
    poller.publish_launch(run, instead_of="run")
    poller.ask(CHECK_AFTER)
    assert database.questions == [RowQuery(publications=(Publication("run", "run", 1, 7, "run", "arn"),))]
    database.answer(published=frozenset({"run"}))
    assert heard(poller, CHECK_AFTER) == []
    assert not run.unpublished
    poller.ask(2 * CHECK_AFTER)
    assert [read.expected for read in database.questions[-1].in_turn] == [Row("running", 1, "arn", 7)]


def test_a_launch_is_shown_with_the_next_question(poller: RowPoller, database: RowThread, run: Run) -> None:
    run.launched, run.unpublished = Launched("run", 1, "arn", "c", "airflow"), True
    poller.publish(run, ROW)
    poller.ask(0.0)
    assert database.questions == [RowQuery(publications=(Publication("run", "run", 1, 7, "run", "arn"),))]
    database.answer(published=frozenset({"run"}))
    assert heard(poller, 0.0) == []
    assert not run.unpublished


def test_launches_are_shown_together_a_few_times_a_second_or_with_what_is_asked_anyway(
    poller: RowPoller, database: RowThread, runs: Runs
) -> None:
    def publish(name: str, now: float) -> None:
        run = add(runs, name)
        poller.publish(run, replace(ROW, external_executor_id=name))
        poller.ask(now)
        if database.is_busy:
            database.answer(
                published=frozenset(publish.run_id for publish in database.questions[-1].publications)
            )
        heard(poller, now)

    publish("one", 0.0)
    publish("two", PUBLISH_AFTER / 2)
    publish("three", PUBLISH_AFTER)
    poller.read_at(add(runs, "other"), PUBLISH_AFTER)
    publish("four", PUBLISH_AFTER)
    assert [[publish.run_id for publish in question.publications] for question in database.questions] == [
        ["one"],
        ["two", "three"],
        ["four"],
    ]


def test_what_could_not_be_written_is_looked_at_again(
    poller: RowPoller, database: RowThread, run: Run
) -> None:
    run.launched, run.unpublished = Launched("run", 1, "arn", "c", "airflow"), True
    poller.publish(run, ROW)
    poller.ask(0.0)
    database.answer()
    assert heard(poller, 0.0) == []
    assert run.unpublished
    poller.ask(READ_AGAIN_AFTER)
    assert database.asked == [[], ["run"]]


def test_a_row_that_was_read_with_the_writing_counts_whether_it_was_written_or_not(
    poller: RowPoller, database: RowThread, runs: Runs
) -> None:
    for name in ("shown", "not shown"):
        run = add(runs, name)
        poller.publish(run, ROW)
        poller.read_at(run, 0.0)  # it has ended meanwhile
    poller.ask(0.0)
    database.answer(published=frozenset({"shown"}))
    assert heard(poller, 0.0) == [("shown", ROW), ("not shown", ROW)]


def test_what_could_not_be_written_comes_no_earlier_than_it_is_due_anyway(
    poller: RowPoller, database: RowThread, run: Run
) -> None:
    poller.publish(run, ROW)
    poller.read_at(run, 60.0)
    poller.ask(0.0)
    database.answer()
    assert heard(poller, 0.0) == []
    poller.ask(59.0)
    assert len(database.questions) == 1


def test_a_launch_that_is_shown_is_not_the_one_before_it(
    poller: RowPoller, database: RowThread, run: Run
) -> None:
    run.number = 2
    poller.publish(run, ROW)
    poller.ask(0.0)
    run.launched, run.unpublished = Launched("run", 2, "arn", "c", "airflow"), True
    poller.publish_launch(run, instead_of="run-2")
    database.answer(published=frozenset({"run"}))
    assert heard(poller, 0.0) == []
    assert run.unpublished
    poller.ask(PUBLISH_AFTER)
    assert database.questions[1].publications == (Publication("run", "run", 1, 7, "run-2", "arn"),)


def test_of_a_forgotten_run_nothing_is_written(poller: RowPoller, database: RowThread, run: Run) -> None:
    poller.publish(run, ROW)
    poller.forget(run)
    poller.ask(0.0)
    assert database.questions == []


def test_many_launches_are_shown_in_parts(poller: RowPoller, database: RowThread, runs: Runs) -> None:
    names = [str(number) for number in range(PUBLICATIONS_PER_QUERY + 1)]
    for name in names:
        poller.publish(add(runs, name), ROW)
    for now in (0.0, PUBLISH_AFTER):
        poller.ask(now)
        database.answer(
            published=frozenset(publish.run_id for publish in database.questions[-1].publications)
        )
        assert heard(poller, now) == []
    assert [[publish.run_id for publish in question.publications] for question in database.questions] == [
        names[:-1],
        names[-1:],
    ]


def test_a_callback_is_never_looked_at_in_turn(poller: RowPoller, database: RowThread, runs: Runs) -> None:
    poller.read_in_turn(add(runs, "callback", ti_id=None), 0.0)
    poller.ask(2 * CHECK_AFTER)
    assert database.questions == []


def test_the_workload_is_read_only_for_what_may_be_launched_and_has_none(
    poller: RowPoller, database: RowThread, runs: Runs
) -> None:
    names = {"has one": False, "launched": False, "to launch": True}
    for name in names:
        run = add(runs, name)
        run.workload = object() if name == "has one" else None
        run.launched = Launched(name, 1, "arn", "c", "airflow") if name == "launched" else None
        poller.read_at(run, 0.0)
    poller.ask(0.0)
    assert {read.run_id: read.workload for read in database.questions[0].reads} == names
    database.answer(workloads={"to launch": "its workload"})
    heard(poller, 0.0)
    read = runs.get("to launch")
    assert read is not None
    assert read.workload == "its workload"


def test_a_callback_has_no_row_and_its_turn_comes_all_the_same(
    poller: RowPoller, database: RowThread, runs: Runs
) -> None:
    poller.read_at(add(runs, "callback", ti_id=None), 0.0)
    poller.ask(0.0)
    assert database.questions == [RowQuery()]
    database.answer()
    assert heard(poller, 0.0) == [("callback", None)]
