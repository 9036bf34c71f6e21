"""The status's thread: it may fail or hang, and nobody waits for it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from ecs_async_executor.executor.status import thread as module
from ecs_async_executor.executor.status.thread import GIVE_UP_AFTER, StatusThread
from ecs_async_executor.scheduler_status import SchedulerStatus

STATUS = SchedulerStatus(7, 1.0, "1", 1, 1, 32, 0, None)


class Database:
    """Remembers what was written; fails while `error` is set, and hangs while `go` isn't."""

    def __init__(self) -> None:
        self.written: list[tuple[SchedulerStatus, int | None]] = []
        self.error: Exception | None = None
        self.go = threading.Event()
        self.go.set()
        self.tried = 0

    def write(self, status: SchedulerStatus, row_id: int | None) -> int:
        go = self.go
        self.tried += 1
        go.wait()
        if self.error is not None:
            raise self.error
        self.written.append((status, row_id))
        return 42


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> Database:
    database = Database()
    monkeypatch.setattr(module, "write_status", database.write)
    return database


class Clock:
    """A clock that the test sets."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def status_thread(database: Database, clock: Clock) -> Iterator[StatusThread]:
    status_thread = StatusThread(clock)
    yield status_thread
    database.go.set()
    status_thread.close(10)
    assert "ecs-status" not in {thread.name for thread in threading.enumerate()}


def until(done: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def publish(status_thread: StatusThread, database: Database, status: SchedulerStatus = STATUS) -> None:
    """Publish a status, and wait until the thread has tried to write it."""
    tried = database.tried
    status_thread.publish(status)
    until(lambda: database.tried > tried and not status_thread.is_busy)


def test_the_first_status_gets_a_row_and_the_next_ones_are_written_over_it(
    status_thread: StatusThread, database: Database
):
    publish(status_thread, database)
    publish(status_thread, database, replace(STATUS, at=2.0))
    assert database.written == [(STATUS, None), (replace(STATUS, at=2.0), 42)]


def test_there_is_no_thread_without_a_status(database: Database):
    status_thread = StatusThread()
    assert "ecs-status" not in {thread.name for thread in threading.enumerate()}
    status_thread.close(0)
    assert database.tried == 0


def test_while_one_status_is_being_written_the_next_ones_are_dropped(
    status_thread: StatusThread, database: Database
):
    database.go.clear()
    for _ in range(100):  # a call that waited for the database would wait for ever
        status_thread.publish(STATUS)
    database.go.set()
    until(lambda: not status_thread.is_busy)
    assert len(database.written) == 1


def test_a_database_that_fails_is_reported_once_until_it_works_again(
    status_thread: StatusThread, database: Database, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.WARNING)
    for error in (RuntimeError("down"), RuntimeError("down"), None, RuntimeError("down again")):
        database.error = error
        publish(status_thread, database)
    text = "The fleet page doesn't get this scheduler's status: RuntimeError: "
    assert [record.getMessage() for record in caplog.records] == [f"{text}down", f"{text}down again"]
    assert len(database.written) == 1


def test_a_hanging_database_delays_the_end_no_longer_than_allowed(
    status_thread: StatusThread, database: Database
):
    database.go.clear()
    status_thread.publish(STATUS)
    status_thread.close(0.05)
    assert database.written == []  # it is still hanging: nobody has waited for it


def test_a_thread_that_hangs_is_replaced_and_writes_a_row_of_its_own(
    status_thread: StatusThread, database: Database, clock: Clock
):
    publish(status_thread, database)
    database.go.clear()
    hangs, first = database.go, status_thread._thread
    status_thread.publish(replace(STATUS, at=2.0))
    until(lambda: database.tried == 2)
    clock.now += GIVE_UP_AFTER - 1.0
    status_thread.publish(replace(STATUS, at=3.0))
    assert (status_thread._thread, database.tried) == (first, 2), "it may still get an answer"
    database.go = threading.Event()
    database.go.set()
    clock.now += 1.0
    publish(status_thread, database, replace(STATUS, at=4.0))
    publish(status_thread, database, replace(STATUS, at=5.0))
    assert [(each.at, row_id) for each, row_id in database.written] == [(1.0, None), (4.0, None), (5.0, 42)]
    hangs.set()
    first.join(10)
    assert not first.is_alive(), "it ends as soon as it gets an answer"
    publish(status_thread, database, replace(STATUS, at=6.0))
    assert database.written[-1] == (replace(STATUS, at=6.0), 42)


def test_an_old_thread_that_wakes_up_says_nothing_about_its_replacement(
    status_thread: StatusThread, database: Database, clock: Clock
):
    database.go.clear()
    hangs, first = database.go, status_thread._thread
    status_thread.publish(STATUS)
    until(lambda: database.tried == 1)
    database.go = threading.Event()
    clock.now += GIVE_UP_AFTER
    status_thread.publish(STATUS)
    until(lambda: database.tried == 2)
    hangs.set()
    first.join(10)
    assert status_thread.is_busy, "the second one hangs, too"


def test_a_process_without_room_for_a_thread_runs_on(database: Database, monkeypatch: pytest.MonkeyPatch):
    status_thread = StatusThread()

    def fail() -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(status_thread._thread, "start", fail)
    status_thread.publish(STATUS)
    status_thread.close(0)
    assert database.tried == 0
