"""The database's thread: one answer to each query, whatever happens."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from sqlalchemy.exc import OperationalError

from ecs_async_executor.executor.decisions import ExpectedRow, Row
from ecs_async_executor.executor.rows import thread as module
from ecs_async_executor.executor.rows.statements import Publication, Read
from ecs_async_executor.executor.rows.thread import (
    GIVE_UP_AFTER,
    WARN_AFTER,
    RowAnswer,
    RowQuery,
    RowThread,
    answer,
)

ROW = Row("queued", 1, "run", 7)
EXPECTED = ExpectedRow(ROW.try_number, ROW.external_executor_id, ROW.queued_by_job_id)
READ = Read("run", "ti", "dag.task", frozenset({"run"}))
PUBLICATION = Publication("run", "ti", 1, 7, "run", "arn")


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replace the functions that reach the database; return their calls and the calling threads, in order."""
    calls: list[str] = []

    def note(name: str, result: object) -> Callable[[object], object]:
        def call(asked: object, *_: object) -> object:
            calls.append(f"{name} in {threading.current_thread().name}")
            return result if asked else type(result)()

        return call

    monkeypatch.setattr(module, "write_external_ids", note("write", frozenset({"run"})))
    monkeypatch.setattr(module, "read_rows", note("read", {"run": ROW}))
    monkeypatch.setattr(module, "read_workloads", note("workloads", {"run": "workload"}))
    return calls


@pytest.fixture
def database() -> Iterator[RowThread]:
    database = RowThread()
    yield database
    database.close(10)


def wait_for(database: RowThread) -> RowAnswer:
    deadline = time.monotonic() + 10
    while (given := database.take()) is None:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    return given


def fail(_: object) -> None:
    raise RuntimeError("the database went away")


def test_a_query_runs_in_its_own_thread_and_writes_before_it_reads(
    database: RowThread, reads: list[str]
) -> None:
    busy = [database.is_busy]
    database.ask(RowQuery((READ,), (PUBLICATION,)))
    busy.append(database.is_busy)
    assert wait_for(database) == RowAnswer({"run": ROW}, published=frozenset({"run"}))
    assert [*busy, database.is_busy] == [False, True, False]
    assert reads == [f"{what} in ecs-database" for what in ("write", "read", "workloads")]


def test_without_a_query_there_is_no_answer_and_no_thread(database: RowThread) -> None:
    assert database.take() is None
    assert not database.is_busy
    assert "ecs-database" not in {thread.name for thread in threading.enumerate()}


def test_workloads_are_read_for_runs_that_need_one(reads: list[str]) -> None:
    needs = Read("run", "ti", "dag.task", frozenset(), workload=True)
    assert answer(RowQuery((needs,))).workloads == {"run": "workload"}
    assert answer(RowQuery((READ,))).workloads == {}


@pytest.mark.parametrize(
    ("expected", "unexpected"),
    [
        (None, True),
        (EXPECTED, False),
        (replace(EXPECTED, try_number=2), True),
        (replace(EXPECTED, external_executor_id="another"), True),
        (replace(EXPECTED, queued_by_job_id=8), True),
    ],
)
def test_an_answer_names_the_rows_read_in_turn_that_are_not_as_expected(
    reads: list[str], expected: ExpectedRow | None, unexpected: bool
) -> None:
    given = answer(RowQuery(in_turn=(replace(READ, expected=expected),)))
    assert given == RowAnswer(unexpected=frozenset({"run"} if unexpected else ()))


def test_a_row_that_is_gone_is_not_as_expected(reads: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "read_rows", lambda _: {})
    assert answer(RowQuery(in_turn=(replace(READ, expected=EXPECTED),))) == RowAnswer(
        unexpected=frozenset({"run"})
    )


def test_a_database_error_is_an_answer_too(reads: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "read_rows", fail)
    assert answer(RowQuery((READ,), (PUBLICATION,))) == RowAnswer(published=frozenset({"run"}), failed=True)


def test_a_failed_write_does_not_prevent_the_read(reads: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "write_external_ids", fail)
    assert answer(RowQuery((READ,), (PUBLICATION,))) == RowAnswer({"run": ROW})


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_dies_is_replaced(
    database: RowThread, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(_: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(module, "answer", die)
        database.ask(RowQuery((READ,)))
        assert wait_for(database) == RowAnswer(failed=True)
    database.ask(RowQuery((READ,)))
    assert wait_for(database) == RowAnswer({"run": ROW})


def test_a_query_fails_if_no_thread_can_start(
    database: RowThread, reads: list[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        database.ask(RowQuery((READ,)))
        assert database.take() == RowAnswer(failed=True)
    assert "can't start new thread" in caplog.text
    database.ask(RowQuery((READ,)))
    assert wait_for(database) == RowAnswer({"run": ROW})


def test_a_missing_answer_is_logged_and_then_given_up(
    reads: list[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    now = [0.0]
    database, asked, released = RowThread(lambda: now[0]), threading.Event(), threading.Event()

    def hang(_: RowQuery, *__: object) -> RowAnswer:
        asked.set()
        released.wait(10)
        return RowAnswer({"too": ROW})

    with monkeypatch.context() as patch:
        patch.setattr(module, "answer", hang)
        database.ask(RowQuery((READ,)))
        assert asked.wait(10)
        for now[0] in (0.0, WARN_AFTER - 1, WARN_AFTER, WARN_AFTER + 1, GIVE_UP_AFTER - 1):
            assert database.take() is None
    assert caplog.text.count("The database has not answered") == 1
    now[0] = GIVE_UP_AFTER
    assert database.take() == RowAnswer(failed=True)
    database.ask(RowQuery((READ,)))
    released.set()
    assert wait_for(database) == RowAnswer({"run": ROW}), "the late answer is discarded"
    assert database.close(10)


def test_an_answer_given_right_before_the_thread_ends_counts(database: RowThread, reads: list[str]) -> None:
    database.ask(RowQuery((READ,)))
    assert database.close(10)
    assert wait_for(database) == RowAnswer({"run": ROW})


def test_a_database_that_is_down_is_logged_in_its_own_words_without_a_traceback(
    reads: list[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(_: object) -> None:
        raise OperationalError("SELECT everything", {"id": 1}, Exception("connection refused"))

    monkeypatch.setattr(module, "read_rows", away)
    answer(RowQuery((READ,)))
    assert "Can't read the rows of 1 tasks (OperationalError: connection refused)" in caplog.text
    assert "Traceback" not in caplog.text
    assert "SELECT" not in caplog.text
