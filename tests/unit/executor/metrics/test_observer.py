from __future__ import annotations

import logging

import pytest

from ecs_async_executor.executor.metrics.observer import INTERVAL, LINE_INTERVAL, Observer, count_waiting
from ecs_async_executor.executor.run_state import RunState
from ecs_async_executor.executor.runs import Run
from ecs_async_executor.measurements import Measurements
from ecs_async_executor.metrics import (
    LAUNCHES,
    OLDEST_WAIT,
    PAUSED,
    STANDBY_TASKS,
    STANDBYS,
    TASKS,
    THROTTLES,
    WAITING,
    WARM,
)
from tests.support.reconciler import Clock


def run(state: RunState, queue: str = "default", why: str = "", waits_since: float | None = None) -> Run:
    return Run(
        "id", "key", "run", None, state=state, queue=queue, relaunched_for=why, waits_since=waits_since
    )


def test_only_runs_that_the_engine_does_not_have_are_counted():
    runs = [
        run(RunState.PENDING, why="capacity", waits_since=30.0),
        run(RunState.PENDING, queue="spot", why="spot"),
        run(RunState.PENDING),
        run(RunState.PENDING, queue=""),
        *(run(state) for state in RunState if state is not RunState.PENDING),
    ]
    assert count_waiting(runs, 100.0) == {
        (TASKS, ("waiting", "default")): 2,
        (TASKS, ("waiting", "spot")): 1,
        (TASKS, ("waiting", "callbacks")): 1,
        (WAITING, ("capacity",)): 1,
        (WAITING, ("spot",)): 1,
        (WAITING, ("adoption",)): 2,
        (OLDEST_WAIT, ()): 70.0,
    }


def test_thousands_of_runs_are_counted_in_slices():
    runs = [run(RunState.PENDING, why="capacity") for _ in range(10_000)]
    assert count_waiting(runs, 0.0)[WAITING, ("capacity",)] == 10_000


class Bench:
    def __init__(self, runs: list[Run]) -> None:
        self.clock = Clock()
        self.scheduler, self.own = Measurements(), Measurements()
        self.observer = Observer(runs, [self.scheduler, self.own], self.own, clock=self.clock)

    def look_for(self, seconds: float) -> None:
        for _ in range(int(seconds / INTERVAL)):
            self.clock.now += INTERVAL
            self.observer.look()


def test_a_line_a_minute_is_logged_while_something_waits_or_lives(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    runs = [run(RunState.PENDING, why="capacity")]
    bench = Bench(runs)
    bench.look_for(3 * LINE_INTERVAL)
    assert len(caplog.records) == 3
    assert caplog.messages[0].startswith("1 task waits for its launch (1 capacity;")
    runs.clear()
    bench.look_for(3 * LINE_INTERVAL)
    assert len(caplog.records) == 3


def test_the_summary_counts_the_launches_and_throttles_of_the_last_minute():
    bench = Bench([run(RunState.PENDING)])
    bench.own.gauges = {}
    for _ in range(7):
        bench.scheduler.count(LAUNCHES, "default")
    bench.look_for(2 * LINE_INTERVAL)
    bench.scheduler.count(LAUNCHES, "default")
    bench.scheduler.count(LAUNCHES, "spot")
    bench.scheduler.count(THROTTLES, "RunTask")
    bench.scheduler.count(THROTTLES, "DescribeTasks")
    bench.scheduler.gauges = {(PAUSED, ()): 0.0}
    bench.look_for(INTERVAL)
    assert "in the last minute 2 launched, 1 throttled" in bench.observer.summary()
    bench.look_for(LINE_INTERVAL)
    assert "in the last minute 0 launched, 0 throttled" in bench.observer.summary()


def test_the_summary_counts_the_warm_and_cold_starts_of_the_last_minute():
    bench = Bench([])
    bench.scheduler.gauges = {(PAUSED, ()): 0.0, (STANDBYS, ("ready", "default")): 2}
    bench.scheduler.count(STANDBY_TASKS, WARM, "default")
    bench.look_for(2 * LINE_INTERVAL)
    for start in (WARM, WARM, "none free", "executor_config"):
        bench.scheduler.count(STANDBY_TASKS, start, "default")
    bench.scheduler.count(STANDBY_TASKS, WARM, "spot")
    bench.look_for(INTERVAL)
    assert "in the last minute 3 warm starts, 2 cold." in bench.observer.summary()
