from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from aiobotocore.session import get_session

from ecs_async_executor.engine import thread as thread_module
from ecs_async_executor.engine.aws.client import Connection
from ecs_async_executor.engine.engine import Engine
from ecs_async_executor.engine.options import EngineOptions
from ecs_async_executor.engine.thread import EngineThread
from ecs_async_executor.errors import EngineStartError
from ecs_async_executor.executor.engine_supervisor import RESTART_AGAIN_AFTER, STABLE_AFTER, EngineSupervisor
from ecs_async_executor.local import Control, Options, serve_in_thread
from ecs_async_executor.messages import EngineDied, Launch, Launched, Report, Request, Stopped

POISON: Any = object()
BODY = {
    "taskDefinition": "airflow-task",
    "launchType": "EC2",
    "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"]}},
}


@pytest.fixture(scope="module")
def ecs() -> Iterator[Control]:
    with serve_in_thread(Options(runtime="simulated", plan={"defaults": {"duration": 3600}})) as ecs:
        yield ecs


def order(run_id: str) -> Launch:
    return Launch(run_id, f"label of {run_id}", lambda: Request(BODY, "airflow"))


class Bench:
    """A supervisor with a clock that only the test moves."""

    def __init__(self, ecs: Control) -> None:
        self.now = 0.0
        self.live: list[Launch] = []
        self.reports: list[Report] = []
        connect = lambda: Connection(get_session(), "us-east-1", ecs.endpoint_url)  # noqa: E731  one line
        self.supervisor = EngineSupervisor(
            connect, EngineOptions(), lambda: self.live, clock=lambda: self.now
        )

    def until(self, done: Callable[[], Any]) -> None:
        deadline = time.monotonic() + 20
        while not done():
            assert time.monotonic() < deadline, self.reports
            self.reports += self.supervisor.drain()

    def reported(self, kind: type[Report]) -> list[Any]:
        return [report for report in self.reports if isinstance(report, kind)]

    def kill(self, deaths: int = 1) -> None:
        self.supervisor.submit([POISON])
        self.supervisor._engine._thread.join(20)
        self.until(lambda: len(self.reported(EngineDied)) == deaths)


@pytest.fixture
def bench(ecs: Control) -> Iterator[Bench]:
    ecs.reset()
    bench = Bench(ecs)
    bench.supervisor.start()
    yield bench
    bench.supervisor.close(10)


def test_a_new_engine_gets_all_live_runs_and_finds_their_tasks(bench: Bench, ecs: Control) -> None:
    bench.live = [order("run-1")]
    bench.supervisor.submit(bench.live)
    bench.until(lambda: len(bench.reported(Launched)) == 1)
    bench.kill()
    bench.now += 60
    bench.until(lambda: len(bench.reported(Launched)) == 2)
    first, second = bench.reported(Launched)
    assert first.arn == second.arn
    assert len(ecs.tasks()) == 1
    assert not bench.reported(Stopped)


def test_a_death_is_logged_with_its_cause(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.kill()
    assert "The engine died (AssertionError" in caplog.text
    assert "No task is lost." in caplog.text
    assert repr(bench.supervisor) == "<EngineSupervisor <EngineThread not alive>, 1 deaths>"


def test_a_dead_engine_restarts_only_after_its_back_off(bench: Bench) -> None:
    bench.kill()
    bench.supervisor.drain()
    assert not bench.supervisor._engine.is_alive
    bench.now += 1.0
    bench.supervisor.drain()
    assert bench.supervisor._engine.is_alive


def test_the_back_off_grows_with_each_death(bench: Bench) -> None:
    for deaths, longest in enumerate((1, 2, 4), start=1):
        bench.kill(deaths)
        restart_at = bench.supervisor._restart_at
        assert restart_at is not None
        assert longest / 2 <= restart_at - bench.now <= longest
        bench.now = restart_at
        bench.supervisor.drain()
        assert bench.supervisor._engine.is_alive


def test_orders_for_a_dead_engine_are_dropped_not_raised(bench: Bench, ecs: Control) -> None:
    bench.kill()
    bench.supervisor.submit([order("run-1")])
    bench.now += 60
    bench.supervisor.drain()
    bench.supervisor.submit([order("run-2")])
    bench.until(lambda: bench.reported(Launched))
    assert [task["startedBy"] for task in ecs.tasks()] == ["airflow/default/run-2"]


def test_a_failed_restart_is_tried_again_after_a_minute(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(_: EngineThread) -> None:
        raise EngineStartError("no more threads")

    bench.kill()
    with monkeypatch.context() as patch:
        patch.setattr(EngineThread, "begin", refuse)
        bench.now += 60
        bench.supervisor.drain()
    assert "could not be started again; next try in 60 s" in caplog.text
    bench.now += 59
    bench.supervisor.drain()
    assert not bench.supervisor._engine.is_alive
    bench.now += 1
    bench.supervisor.drain()
    assert bench.supervisor._engine.is_alive


def test_a_restart_neither_waits_for_a_slow_engine_nor_makes_another_one_beside_it(
    bench: Bench, ecs: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = threading.Event()
    made: list[Engine] = []

    def slow_engine(*arguments: Any, **options: Any) -> Engine:
        assert go.wait(60)
        made.append(Engine(*arguments, **options))
        return made[-1]

    bench.live = [order("run-1")]
    bench.kill()
    monkeypatch.setattr(thread_module, "Engine", slow_engine)
    bench.now += 60
    bench.supervisor.drain()
    bench.now += 10 * RESTART_AGAIN_AFTER
    bench.supervisor.drain()
    assert made == []
    go.set()
    bench.until(lambda: bench.reported(Launched))
    assert len(made) == len(ecs.tasks()) == 1


def test_an_engine_that_cannot_be_made_again_counts_as_dead_and_is_made_after_a_back_off(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> Engine:
        raise ValueError("no file descriptors left")

    bench.kill()
    with monkeypatch.context() as patch:
        patch.setattr(thread_module, "Engine", broken)
        bench.now += 60
        bench.until(lambda: len(bench.reported(EngineDied)) == 2)
    bench.now += 60
    bench.supervisor.drain()
    assert bench.supervisor._engine.is_alive


def test_close_returns_the_last_reports(ecs: Control) -> None:
    bench = Bench(ecs)
    bench.supervisor.start()
    bench.supervisor.submit([order("last")])
    bench.until(lambda: bench.supervisor._engine._outbox.qsize() or bench.reports)
    bench.reports += bench.supervisor.close(10)
    assert bench.reported(Launched)
    assert not bench.supervisor._engine.is_alive


def test_closing_a_dead_engine_returns(bench: Bench) -> None:
    bench.kill()
    assert bench.supervisor.close(10) == []


def test_an_engine_that_ran_for_long_restarts_soon_after_its_death(bench: Bench) -> None:
    for deaths in range(1, 4):
        bench.now += STABLE_AFTER + 1
        bench.kill(deaths)
        bench.now += 1.01
        bench.until(lambda: bench.supervisor._engine.is_alive)


def test_a_restart_that_gets_no_thread_is_tried_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_thread(_: object) -> None:
        raise RuntimeError("can't start new thread")

    bench.kill()
    with monkeypatch.context() as patch:
        patch.setattr("threading.Thread.start", no_thread)
        bench.now += 60
        bench.supervisor.drain()
    assert not bench.supervisor._engine.is_alive
    bench.now += 60
    bench.supervisor.drain()
    assert bench.supervisor._engine.is_alive
