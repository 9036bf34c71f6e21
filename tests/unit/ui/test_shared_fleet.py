"""One read for all users, and an API server that stays quick while the database is slow."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from ecs_async_executor.fleet.live import Fleet
from ecs_async_executor.ui import shared_fleet as module
from ecs_async_executor.ui.shared_fleet import FRESH_FOR, MAX_WAITING, STALE_AFTER, BusyError, SharedRead


class Database:
    """Each read gives a new fleet; while `slow` is set, it waits for `go`."""

    def __init__(self) -> None:
        self.now = 0.0
        self.reads = 0
        self.slow = False
        self.started, self.go = threading.Event(), threading.Event()

    def read(self) -> Fleet:
        self.reads += 1
        self.started.set()
        if self.slow:
            assert self.go.wait(60)
        return Fleet(float(self.reads))


@pytest.fixture
def database() -> Database:
    return Database()


@pytest.fixture
def shared(database: Database) -> SharedRead[Fleet]:
    return SharedRead(database.read, lambda: database.now)


def test_a_fresh_read_serves_everybody(database: Database, shared: SharedRead[Fleet]):
    assert shared.get() is shared.get()
    database.now = FRESH_FOR
    assert shared.get().at == 2.0


def test_while_one_request_reads_the_others_get_the_last_fleet(database: Database, shared: SharedRead[Fleet]):
    shared.get()
    database.now, database.slow = FRESH_FOR, True
    database.started.clear()
    with ThreadPoolExecutor() as pool:
        reading = pool.submit(shared.get)
        assert database.started.wait(60)
        assert [shared.get().at for _ in range(50)] == [1.0] * 50
        database.go.set()
        assert reading.result(10).at == 2.0
    assert database.reads == 2


def test_a_few_requests_wait_for_the_first_read_and_share_it(database: Database, shared: SharedRead[Fleet]):
    database.slow = True
    with ThreadPoolExecutor() as pool:
        requests = [pool.submit(shared.get) for _ in range(1 + MAX_WAITING)]
        assert database.started.wait(60)
        database.go.set()
        assert {request.result(10).at for request in requests} == {1.0}
    assert database.reads == 1


def test_no_more_requests_wait_than_the_api_server_can_spare(
    database: Database, shared: SharedRead[Fleet], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "WAIT_SECONDS", 0.05)
    database.slow = True
    with ThreadPoolExecutor(max_workers=40) as pool:
        reading = pool.submit(shared.get)
        assert database.started.wait(60)
        others = [pool.submit(shared.get) for _ in range(30)]
        assert all(isinstance(other.exception(10), BusyError) for other in others)
        database.go.set()
        assert reading.result(10).at == 1.0


def test_an_old_fleet_serves_nobody(
    database: Database, shared: SharedRead[Fleet], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "WAIT_SECONDS", 0.05)
    shared.get()
    database.now, database.slow = STALE_AFTER, True
    database.started.clear()
    with ThreadPoolExecutor() as pool:
        reading = pool.submit(shared.get)
        assert database.started.wait(60)
        with pytest.raises(BusyError):
            shared.get()
        database.go.set()
        reading.result(10)


def test_a_failed_read_is_raised_and_the_next_request_reads_again(database: Database):
    fails = [True]

    def read() -> Fleet:
        if fails.pop():
            raise RuntimeError("the database went away")
        return database.read()

    fails.insert(0, False)
    shared = SharedRead(read, lambda: database.now)
    with pytest.raises(RuntimeError):
        shared.get()
    assert shared.get().at == 1.0
