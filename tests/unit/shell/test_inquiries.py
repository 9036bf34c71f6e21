"""Whose rows are read, what they shall show, and which answers count."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import pytest

from ecs_async_executor.executor.decisions import Row
from ecs_async_executor.executor.rows.poller import (
    LOOK_AGAIN_AFTER,
    LOOKS_PER_QUESTION,
    SHOW_AFTER,
    SHOWS_PER_QUESTION,
    Inquiries,
)
from ecs_async_executor.executor.rows.rounds import CHECK_AFTER, CHECKS_PER_SECOND
from ecs_async_executor.executor.rows.statements import Show
from ecs_async_executor.executor.rows.thread import Answer, Question
from ecs_async_executor.executor.runs import Run, Runs
from ecs_async_executor.messages import Cancelled, Launched

ROW = Row("queued", 1, "run", 7)


class Database:
    """Answers when the test does."""

    def __init__(self) -> None:
        self.questions: list[Question] = []
        self.given: Answer | None = None
        self.is_busy = False

    def ask(self, question: Question) -> None:
        assert not self.is_busy
        self.is_busy = True
        self.questions.append(question)

    def answer(self, **changes: Any) -> None:
        rows = {look.run_id: ROW for look in self.questions[-1].looks}
        self.given = Answer(**{"rows": rows, **changes})

    def take(self) -> Answer | None:
        given, self.given = self.given, None
        self.is_busy = self.is_busy and given is None
        return given

    @property
    def asked(self) -> list[list[str]]:
        return [[look.run_id for look in question.looks] for question in self.questions]


@pytest.fixture
def database() -> Database:
    return Database()


@pytest.fixture
def runs() -> Runs:
    return Runs()


@pytest.fixture
def inquiries(database: Database, runs: Runs) -> Inquiries:
    return Inquiries(database, runs, lambda: 7)


@pytest.fixture
def run(runs: Runs) -> Run:
    return add(runs, "run")


def add(runs: Runs, name: str, **members: Any) -> Run:
    run = Run(name, name, name, object(), **{"ti_id": name, "try_number": 1, "fenced": True, **members})
    runs.add(run)
    return run


def heard(inquiries: Inquiries, now: float) -> list[tuple[str, Row | None]]:
    return [(run.run_id, row) for run, row in inquiries.hear(now)]


def test_nothing_is_asked_as_long_as_nothing_is_due(
    inquiries: Inquiries, database: Database, run: Run
) -> None:
    inquiries.look_at(run, 10.0)
    inquiries.ask(9.9)
    assert heard(inquiries, 9.9) == []
    assert database.questions == []


def test_one_question_is_open_at_a_time(inquiries: Inquiries, database: Database, runs: Runs) -> None:
    one, two = add(runs, "one"), add(runs, "two")
    inquiries.look_at(one, 0.0)
    inquiries.ask(0.0)
    inquiries.look_at(two, 0.0)
    inquiries.ask(0.0)
    assert heard(inquiries, 0.0) == []
    database.answer()
    assert heard(inquiries, 0.0) == [("one", ROW)]
    inquiries.ask(0.0)
    assert database.asked == [["one"], ["two"]]


def test_a_question_has_a_limit_and_the_rest_comes_next(
    inquiries: Inquiries, database: Database, runs: Runs
) -> None:
    for number in range(LOOKS_PER_QUESTION + 1):
        inquiries.look_at(add(runs, str(number)), 0.0)
    inquiries.ask(0.0)
    database.answer()
    assert len(heard(inquiries, 0.0)) == LOOKS_PER_QUESTION
    inquiries.ask(0.0)
    assert database.asked[1] == [str(LOOKS_PER_QUESTION)]


def test_what_is_not_heard_now_is_heard_next_time_and_before_the_next_question(
    inquiries: Inquiries, database: Database, runs: Runs
) -> None:
    for name in ("one", "two"):
        inquiries.look_at(add(runs, name), 0.0)
    inquiries.ask(0.0)
    database.answer()
    for run, _ in inquiries.hear(0.0):
        assert run.run_id == "one"
        break
    inquiries.ask(0.0)
    assert len(database.questions) == 1
    assert heard(inquiries, 1.0) == [("two", ROW)]


def test_an_answer_does_not_count_for_a_run_of_which_something_new_is_known(
    inquiries: Inquiries, database: Database, run: Run
) -> None:
    """Its row may have been read before its worker reported success, and the container have ended after that."""
    inquiries.look_at(run, 0.0)
    inquiries.ask(0.0)
    run.ended = Cancelled("run")
    database.answer()
    assert heard(inquiries, 0.0) == []
    inquiries.ask(LOOK_AGAIN_AFTER)
    assert database.asked == [["run"]] * 2


def test_an_answer_does_not_count_if_a_new_look_was_asked_for_meanwhile(
    inquiries: Inquiries, database: Database, run: Run
) -> None:
    inquiries.look_at(run, 0.0)
    inquiries.ask(0.0)
    inquiries.look_anew(run, 0.0)
    database.answer()
    assert heard(inquiries, 0.0) == []
    inquiries.ask(0.0)
    database.answer()
    assert heard(inquiries, 0.0) == [("run", ROW)]


def test_to_look_anew_brings_nothing_forward(inquiries: Inquiries, database: Database, run: Run) -> None:
    inquiries.look_at(run, 50.0)
    inquiries.look_anew(run, 0.0)
    inquiries.ask(49.0)
    assert database.questions == []


def test_an_answer_about_a_forgotten_run_is_nothing(
    inquiries: Inquiries, database: Database, runs: Runs, run: Run
) -> None:
    inquiries.look_at(run, 0.0)
    inquiries.ask(0.0)
    inquiries.forget(run)
    runs.forget(run)
    database.answer()
    assert heard(inquiries, 0.0) == []


def test_if_the_database_fails_all_is_asked_again(
    inquiries: Inquiries, database: Database, runs: Runs
) -> None:
    for name in ("one", "two"):
        inquiries.look_at(add(runs, name), 0.0)
    inquiries.ask(0.0)
    database.answer(failed=True)
    assert heard(inquiries, 0.0) == []
    inquiries.ask(LOOK_AGAIN_AFTER - 0.1)
    assert len(database.questions) == 1
    inquiries.ask(LOOK_AGAIN_AFTER)
    assert database.asked[1] == ["one", "two"]


def test_if_a_question_can_t_even_be_put_nothing_is_decided(
    inquiries: Inquiries, database: Database, runs: Runs, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No row read is not a row that is gone, and what was not written is still to be written."""

    def refuse(_: Question) -> None:
        raise RuntimeError("no")

    shown = add(runs, "shown")
    inquiries.look_at(run, 0.0)
    inquiries.show(shown, ROW)
    with monkeypatch.context() as patch:
        patch.setattr(database, "ask", refuse)
        with pytest.raises(RuntimeError):
            inquiries.ask(0.0)
    assert heard(inquiries, 0.0) == []
    inquiries.forget(run)
    inquiries.ask(LOOK_AGAIN_AFTER)
    assert [show.run_id for show in database.questions[0].shows] == ["shown"]
    inquiries.look_at(run, LOOK_AGAIN_AFTER)
    database.answer(shown=frozenset({"shown"}))
    assert heard(inquiries, LOOK_AGAIN_AFTER) == []
    inquiries.ask(LOOK_AGAIN_AFTER)
    database.answer()
    assert heard(inquiries, LOOK_AGAIN_AFTER) == [("run", ROW)]


def test_the_row_of_a_settled_run_is_looked_at_in_turn_and_nothing_is_heard_while_it_is_as_it_should_be(
    inquiries: Inquiries, database: Database, run: Run
) -> None:
    inquiries.look_in_turn(run, 0.0)
    for turn in (1, 2):
        inquiries.ask(turn * CHECK_AFTER)
        assert [look.expected for look in database.questions[-1].in_turn] == [Row("running", 1, "run", 7)]
        assert database.questions[-1].looks == ()
        database.answer()
        assert heard(inquiries, turn * CHECK_AFTER) == []
    assert len(database.questions) == 2


def test_a_row_that_is_not_as_it_should_be_is_read_again_and_decided_about(
    inquiries: Inquiries, database: Database, run: Run
) -> None:
    inquiries.look_in_turn(run, 0.0)
    inquiries.ask(CHECK_AFTER)
    database.answer(strays=frozenset({"run", "forgotten meanwhile"}))
    assert heard(inquiries, CHECK_AFTER) == []
    inquiries.ask(CHECK_AFTER)
    assert database.asked == [[], ["run"]]
    database.answer()
    assert heard(inquiries, CHECK_AFTER) == [("run", ROW)]
    inquiries.ask(10 * CHECK_AFTER)
    assert len(database.questions) == 2, "it is settled again when it is decided about"


@pytest.mark.parametrize(
    "state", [{"unwanted_since": 0.0}, {"fenced": False}], ids=lambda state: next(iter(state))
)
def test_there_may_be_something_to_decide_in_any_case(
    inquiries: Inquiries, database: Database, runs: Runs, state: dict[str, Any]
) -> None:
    inquiries.look_in_turn(add(runs, "run", **state), 0.0)
    inquiries.ask(CHECK_AFTER)
    assert (database.asked, database.questions[0].in_turn) == ([["run"]], ())


def test_a_run_that_is_not_current_any_more_is_decided_about_whatever_its_row_shows(
    inquiries: Inquiries, database: Database, runs: Runs, run: Run
) -> None:
    newer = add(runs, "newer")
    newer.key = run.key
    runs.add(newer)
    inquiries.look_in_turn(run, 0.0)
    inquiries.ask(CHECK_AFTER)
    assert database.asked == [["run"]]


@pytest.mark.parametrize("live", [100, 10_000])
def test_what_a_heartbeat_costs_does_not_depend_on_how_many_runs_live(
    inquiries: Inquiries, database: Database, runs: Runs, live: int
) -> None:
    for number in range(live):
        inquiries.look_in_turn(add(runs, str(number)), float(number % 2))
    steps = 0

    def count(*_: object) -> None:
        nonlocal steps
        steps += 1

    sys.setprofile(count)
    try:
        inquiries.ask(1.0)  # none is due
        idle, steps = steps, 0
        inquiries.ask(CHECK_AFTER + 1.0)  # all are due
    finally:
        sys.setprofile(None)
    assert idle < 20
    assert steps < 20 * 10 * CHECKS_PER_SECOND
    assert len(database.questions[0].in_turn) == min(live, 10 * CHECKS_PER_SECOND)


def test_a_run_that_is_on_the_agenda_is_not_looked_at_in_turn(
    inquiries: Inquiries, database: Database, run: Run
) -> None:
    inquiries.look_in_turn(run, 0.0)
    inquiries.look_at(run, CHECK_AFTER)
    inquiries.look_in_turn(run, 0.0)
    inquiries.ask(CHECK_AFTER)
    assert database.asked == [["run"]]
    assert database.questions[0].in_turn == ()


def test_a_run_that_is_gone_is_not_looked_at_in_turn(
    inquiries: Inquiries, database: Database, runs: Runs, run: Run
) -> None:
    inquiries.look_in_turn(run, 0.0)
    inquiries.forget(run)
    runs.forget(run)
    inquiries.look_in_turn(run, 0.0)
    inquiries.ask(CHECK_AFTER)
    assert database.questions == []


def test_a_launch_is_shown_by_a_row_that_was_not_read_and_is_looked_at_in_turn_from_then_on(
    inquiries: Inquiries, database: Database, run: Run
) -> None:
    inquiries.look_in_turn(run, 0.0)
    run.launched, run.unshown = Launched("run", 1, "arn", "c", "airflow"), True
    inquiries.show_launch(run, instead_of="run")
    inquiries.ask(CHECK_AFTER)
    assert database.questions == [Question(shows=(Show("run", "run", 1, 7, "run", "arn"),))]
    database.answer(shown=frozenset({"run"}))
    assert heard(inquiries, CHECK_AFTER) == []
    assert not run.unshown
    inquiries.ask(2 * CHECK_AFTER)
    assert [look.expected for look in database.questions[-1].in_turn] == [Row("running", 1, "arn", 7)]


def test_a_launch_is_shown_with_the_next_question(inquiries: Inquiries, database: Database, run: Run) -> None:
    run.launched, run.unshown = Launched("run", 1, "arn", "c", "airflow"), True
    inquiries.show(run, ROW)
    inquiries.ask(0.0)
    assert database.questions == [Question(shows=(Show("run", "run", 1, 7, "run", "arn"),))]
    database.answer(shown=frozenset({"run"}))
    assert heard(inquiries, 0.0) == []
    assert not run.unshown


def test_launches_are_shown_together_a_few_times_a_second_or_with_what_is_asked_anyway(
    inquiries: Inquiries, database: Database, runs: Runs
) -> None:
    def show(name: str, now: float) -> None:
        run = add(runs, name)
        inquiries.show(run, replace(ROW, external_executor_id=name))
        inquiries.ask(now)
        if database.is_busy:
            database.answer(shown=frozenset(show.run_id for show in database.questions[-1].shows))
        heard(inquiries, now)

    show("one", 0.0)
    show("two", SHOW_AFTER / 2)
    show("three", SHOW_AFTER)
    inquiries.look_at(add(runs, "other"), SHOW_AFTER)
    show("four", SHOW_AFTER)
    assert [[show.run_id for show in question.shows] for question in database.questions] == [
        ["one"],
        ["two", "three"],
        ["four"],
    ]


def test_what_could_not_be_written_is_looked_at_again(
    inquiries: Inquiries, database: Database, run: Run
) -> None:
    run.launched, run.unshown = Launched("run", 1, "arn", "c", "airflow"), True
    inquiries.show(run, ROW)
    inquiries.ask(0.0)
    database.answer()
    assert heard(inquiries, 0.0) == []
    assert run.unshown
    inquiries.ask(LOOK_AGAIN_AFTER)
    assert database.asked == [[], ["run"]]


def test_a_row_that_was_read_with_the_writing_counts_whether_it_was_written_or_not(
    inquiries: Inquiries, database: Database, runs: Runs
) -> None:
    for name in ("shown", "not shown"):
        run = add(runs, name)
        inquiries.show(run, ROW)
        inquiries.look_at(run, 0.0)  # it has ended meanwhile
    inquiries.ask(0.0)
    database.answer(shown=frozenset({"shown"}))
    assert heard(inquiries, 0.0) == [("shown", ROW), ("not shown", ROW)]


def test_what_could_not_be_written_comes_no_earlier_than_it_is_due_anyway(
    inquiries: Inquiries, database: Database, run: Run
) -> None:
    inquiries.show(run, ROW)
    inquiries.look_at(run, 60.0)
    inquiries.ask(0.0)
    database.answer()
    assert heard(inquiries, 0.0) == []
    inquiries.ask(59.0)
    assert len(database.questions) == 1


def test_a_launch_that_is_shown_is_not_the_one_before_it(
    inquiries: Inquiries, database: Database, run: Run
) -> None:
    run.number = 2
    inquiries.show(run, ROW)
    inquiries.ask(0.0)
    run.launched, run.unshown = Launched("run", 2, "arn", "c", "airflow"), True
    inquiries.show_launch(run, instead_of="run-2")
    database.answer(shown=frozenset({"run"}))
    assert heard(inquiries, 0.0) == []
    assert run.unshown
    inquiries.ask(SHOW_AFTER)
    assert database.questions[1].shows == (Show("run", "run", 1, 7, "run-2", "arn"),)


def test_of_a_forgotten_run_nothing_is_written(inquiries: Inquiries, database: Database, run: Run) -> None:
    inquiries.show(run, ROW)
    inquiries.forget(run)
    inquiries.ask(0.0)
    assert database.questions == []


def test_many_launches_are_shown_in_parts(inquiries: Inquiries, database: Database, runs: Runs) -> None:
    names = [str(number) for number in range(SHOWS_PER_QUESTION + 1)]
    for name in names:
        inquiries.show(add(runs, name), ROW)
    for now in (0.0, SHOW_AFTER):
        inquiries.ask(now)
        database.answer(shown=frozenset(show.run_id for show in database.questions[-1].shows))
        assert heard(inquiries, now) == []
    assert [[show.run_id for show in question.shows] for question in database.questions] == [
        names[:-1],
        names[-1:],
    ]


def test_a_callback_is_never_looked_at_in_turn(inquiries: Inquiries, database: Database, runs: Runs) -> None:
    inquiries.look_in_turn(add(runs, "callback", ti_id=None), 0.0)
    inquiries.ask(2 * CHECK_AFTER)
    assert database.questions == []


def test_the_workload_is_read_only_for_what_may_be_launched_and_has_none(
    inquiries: Inquiries, database: Database, runs: Runs
) -> None:
    names = {"has one": False, "launched": False, "to launch": True}
    for name in names:
        run = add(runs, name)
        run.workload = object() if name == "has one" else None
        run.launched = Launched(name, 1, "arn", "c", "airflow") if name == "launched" else None
        inquiries.look_at(run, 0.0)
    inquiries.ask(0.0)
    assert {look.run_id: look.workload for look in database.questions[0].looks} == names
    database.answer(workloads={"to launch": "its workload"})
    heard(inquiries, 0.0)
    read = runs.get("to launch")
    assert read is not None
    assert read.workload == "its workload"


def test_a_callback_has_no_row_and_its_turn_comes_all_the_same(
    inquiries: Inquiries, database: Database, runs: Runs
) -> None:
    inquiries.look_at(add(runs, "callback", ti_id=None), 0.0)
    inquiries.ask(0.0)
    assert database.questions == [Question()]
    database.answer()
    assert heard(inquiries, 0.0) == [("callback", None)]
