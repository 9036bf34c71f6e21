from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from aiobotocore.session import get_session

from ecs_async_executor.engine.aws.client import Connection
from ecs_async_executor.engine.options import EngineOptions
from ecs_async_executor.engine.thread import EngineThread
from ecs_async_executor.errors import EngineStartError
from ecs_async_executor.executor.engine_supervisor import STABLE_AFTER, EngineSupervisor
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
    """A keeper with a clock that only a test moves."""

    def __init__(self, ecs: Control) -> None:
        self.now = 0.0
        self.live: list[Launch] = []
        self.reports: list[Report] = []
        connect = lambda: Connection(get_session(), "us-east-1", ecs.endpoint_url)  # noqa: E731  one line
        self.keeper = EngineSupervisor(connect, EngineOptions(), lambda: self.live, clock=lambda: self.now)

    def until(self, done: Callable[[], Any]) -> None:
        deadline = time.monotonic() + 20
        while not done():
            assert time.monotonic() < deadline, self.reports
            self.reports += self.keeper.drain()

    def reported(self, kind: type[Report]) -> list[Any]:
        return [report for report in self.reports if isinstance(report, kind)]

    def kill(self, deaths: int = 1) -> None:
        self.keeper.submit([POISON])
        self.keeper._engine._thread.join(20)
        self.until(lambda: len(self.reported(EngineDied)) == deaths)


@pytest.fixture
def bench(ecs: Control) -> Iterator[Bench]:
    ecs.reset()
    bench = Bench(ecs)
    bench.keeper.start()
    yield bench
    bench.keeper.close(10)


def test_after_a_death_all_that_is_live_is_ordered_again_and_found(bench: Bench, ecs: Control) -> None:
    bench.live = [order("run-1")]
    bench.keeper.submit(bench.live)
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
    assert "The engine died (AttributeError" in caplog.text
    assert "No task is lost." in caplog.text
    assert repr(bench.keeper) == "<EngineSupervisor <EngineThread not alive>, 1 deaths>"


def test_the_engine_starts_again_only_when_its_time_has_come(bench: Bench) -> None:
    bench.kill()
    bench.keeper.drain()
    assert not bench.keeper._engine.is_alive
    bench.now += 1.0
    bench.keeper.drain()
    assert bench.keeper._engine.is_alive


def test_each_further_death_waits_for_longer(bench: Bench) -> None:
    for deaths, longest in enumerate((1, 2, 4), start=1):
        bench.kill(deaths)
        restart_at = bench.keeper._restart_at
        assert restart_at is not None
        assert longest / 2 <= restart_at - bench.now <= longest
        bench.now = restart_at
        bench.keeper.drain()
        assert bench.keeper._engine.is_alive


def test_orders_for_a_dead_engine_are_dropped_not_raised(bench: Bench, ecs: Control) -> None:
    bench.kill()
    bench.keeper.submit([order("run-1")])
    bench.now += 60
    bench.keeper.drain()
    bench.keeper.submit([order("run-2")])
    bench.until(lambda: bench.reported(Launched))
    assert [task["startedBy"] for task in ecs.tasks()] == ["airflow/default/run-2"]


def test_an_engine_that_does_not_start_again_is_tried_again_in_a_minute(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(_: EngineThread) -> None:
        raise EngineStartError("no more threads")

    bench.kill()
    with monkeypatch.context() as patch:
        patch.setattr(EngineThread, "start", refuse)
        bench.now += 60
        bench.keeper.drain()
    assert "could not be started again; next try in 60 s" in caplog.text
    bench.now += 59
    bench.keeper.drain()
    assert not bench.keeper._engine.is_alive
    bench.now += 1
    bench.keeper.drain()
    assert bench.keeper._engine.is_alive


def test_the_last_reports_come_with_close(ecs: Control) -> None:
    bench = Bench(ecs)
    bench.keeper.start()
    bench.keeper.submit([order("last")])
    bench.until(lambda: bench.keeper._engine._outbox.qsize() or bench.reports)
    bench.reports += bench.keeper.close(10)
    assert bench.reported(Launched)
    assert not bench.keeper._engine.is_alive


def test_closing_a_dead_engine_returns(bench: Bench) -> None:
    bench.kill()
    assert bench.keeper.close(10) == []


def test_an_engine_that_ran_for_long_is_restarted_soon_again(bench: Bench) -> None:
    for deaths in range(1, 4):
        bench.now += STABLE_AFTER + 1
        bench.kill(deaths)
        bench.now += 1.01
        bench.until(lambda: bench.keeper._engine.is_alive)


def test_an_engine_for_which_there_is_no_thread_is_tried_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_thread(_: object) -> None:
        raise RuntimeError("can't start new thread")

    bench.kill()
    with monkeypatch.context() as patch:
        patch.setattr("threading.Thread.start", no_thread)
        bench.now += 60
        bench.keeper.drain()
    assert not bench.keeper._engine.is_alive
    bench.now += 60
    bench.keeper.drain()
    assert bench.keeper._engine.is_alive
