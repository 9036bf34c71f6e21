from __future__ import annotations

import threading
import time
from typing import Any, cast

import pytest

from ecs_async_executor.engine import thread as thread_module
from ecs_async_executor.engine.aws.client import Connection
from ecs_async_executor.engine.engine import Engine
from ecs_async_executor.engine.options import Rate
from ecs_async_executor.engine.thread import EngineThread
from ecs_async_executor.errors import EngineStartError
from ecs_async_executor.messages import Cancelled, EngineDied, EngineStatus, Order, Stop
from tests.support.engine import options, order


def never_asked() -> Connection:
    raise AssertionError("nothing here needs AWS")


def started(**changes: Any) -> EngineThread:
    thread = EngineThread(never_asked, options(**changes))
    thread.start()
    return thread


def killed(caplog: pytest.LogCaptureFixture) -> EngineThread:
    """Return a thread whose engine has died of an invalid order."""
    thread = started()
    thread.submit([cast("Order", "nonsense")])
    thread._thread.join(30)
    assert "The engine died." in caplog.text
    return thread


def test_it_is_alive_from_start_to_close():
    thread = EngineThread(never_asked, options())
    seen = [(thread.is_alive, repr(thread))]
    thread.start()
    seen.append((thread.is_alive, repr(thread)))
    thread.close(10)
    seen.append((thread.is_alive, repr(thread)))
    assert seen == [
        (False, "<EngineThread not alive>"),
        (True, "<EngineThread alive>"),
        (False, "<EngineThread not alive>"),
    ]
    assert list(thread.drain()) == []


def test_it_is_a_daemon_that_keeps_no_process_alive():
    assert EngineThread(never_asked, options())._thread.daemon


def test_start_raises_if_the_engine_cannot_start():
    thread = EngineThread(never_asked, options(concurrency=-1))
    with pytest.raises(EngineStartError, match="ValueError"):
        thread.start()
    thread._thread.join(30)
    thread.submit([order("run")])
    thread.close(10)
    assert not thread.is_alive
    assert [type(report) for report in thread.drain()] == [EngineDied]


def test_an_engine_that_is_slow_to_start_takes_its_orders_and_its_end_as_soon_as_it_runs(
    monkeypatch: pytest.MonkeyPatch,
):
    go = threading.Event()

    def slow_engine(*arguments: Any, **options: Any) -> Engine:
        assert go.wait(60)
        return Engine(*arguments, **options)

    monkeypatch.setattr(thread_module, "Engine", slow_engine)
    thread = EngineThread(never_asked, options())
    thread.begin()
    thread.submit([order("run"), Stop("run", "because")])
    assert list(thread.drain()) == []
    threading.Timer(0.2, go.set).start()
    thread.close(60)
    assert not thread.is_alive


def test_orders_submitted_before_and_after_the_start_are_taken():
    thread = EngineThread(never_asked, options())
    thread.submit([order("early"), Stop("early", "because")])
    thread.start()
    thread.submit([order("late"), Stop("late", "because")])
    thread.submit(
        [cast("Order", "nonsense")]
    )  # taken last: once the engine is dead, all reports have arrived
    thread._thread.join(30)
    reports = list(thread.drain())
    assert reports[:2] == [Cancelled("early"), Cancelled("late")]


def test_an_answer_wakes_the_engine_at_once(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(thread_module, "INBOX_INTERVAL", 3600.0)
    thread = started()
    thread.answer([order("run"), Stop("run", "because")])
    wait_for(thread)  # it has looked into its inbox, and won't do so again by itself
    thread.answer([cast("Order", "nonsense")])
    thread._thread.join(30)
    assert not thread.is_alive


def wait_for(thread: EngineThread) -> None:
    """Wait for a report."""
    deadline = time.monotonic() + 30
    while not list(thread.drain()):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_an_answer_to_no_engine_is_dropped(caplog: pytest.LogCaptureFixture):
    EngineThread(never_asked, options()).answer([order("early")])
    killed(caplog).answer([order("late")])


def test_drain_yields_at_most_limit_reports():
    thread = started()
    for number in range(5):
        thread.submit([order(str(number)), Stop(str(number), "because")])
    thread.submit([cast("Order", "nonsense")])
    thread._thread.join(30)
    assert len(list(thread.drain(limit=2))) == 2
    assert len(list(thread.drain())) == 4


def test_its_death_is_reported_and_logged(caplog: pytest.LogCaptureFixture):
    thread = killed(caplog)
    assert not thread.is_alive
    (report,) = thread.drain()
    assert isinstance(report, EngineDied)
    assert "nonsense" in report.error


def test_orders_after_its_death_are_dropped(caplog: pytest.LogCaptureFixture):
    thread = killed(caplog)
    list(thread.drain())
    thread.submit([order("run")])
    assert list(thread.drain()) == []
    thread.close(10)


def test_closing_without_a_start_is_harmless():
    EngineThread(never_asked, options()).close(10)


def test_closing_twice_is_harmless():
    thread = started()
    thread.close(10)
    thread.close(10)
    thread.submit([order("run")])


def test_it_reports_now_and_then_what_the_engine_is_doing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("ecs_async_executor.engine.thread.STATUS_INTERVAL", 0.01)
    thread = started(run_task_rate=Rate(8, 8))
    reports: list[Any] = []
    deadline = time.monotonic() + 60
    while len(reports) < 2:
        assert time.monotonic() < deadline
        reports += thread.drain()
        time.sleep(0.01)
    thread.close(10)
    idle = EngineStatus(waiting=0, sending=0, watched=0, rate=8.0, limit=8.0, launches=0, throttles=0)
    assert set(reports) == {idle}
