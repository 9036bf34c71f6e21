"""All measurements of one executor, from its start to its end."""

from __future__ import annotations

import time
from typing import Any

import pytest

from ecs_async_executor.executor.metrics import stats
from ecs_async_executor.executor.metrics.monitor import Monitor
from ecs_async_executor.metrics import TASKS


class Gauges:
    """A backend that keeps what each gauge was set to."""

    def __init__(self) -> None:
        self.values: dict[tuple[str, ...], list[float]] = {}

    def gauge(self, stat: str, value: float, *, tags: dict[str, str]) -> None:
        self.values.setdefault((stat, *tags.values()), []).append(value)

    def incr(self, *_: Any, **__: Any) -> None:
        """Count nothing."""

    timing = incr


def test_a_scheduler_that_ends_leaves_no_gauges_that_its_heir_would_double(monkeypatch: pytest.MonkeyPatch):
    sent = Gauges()
    monkeypatch.setattr(stats, "is_on", lambda: True)
    monkeypatch.setattr(stats, "airflow_stats", lambda: sent)
    monkeypatch.setattr(stats, "hostname", lambda: "host")
    monkeypatch.setattr("ecs_async_executor.executor.metrics.emitter.INTERVAL", 0.01)
    monitor = Monitor()
    monitor.engine.gauges = {(TASKS, ("running", "default")): 7}
    monitor.start([])
    series = "ecs_async.tasks", "running", "default", "host"
    try:
        deadline = time.monotonic() + 60
        while series not in sent.values:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        monitor.close()
    assert (sent.values[series][0], sent.values[series][-1]) == (7, 0)
    assert all(values[-1] == 0 for values in sent.values.values())


def test_a_monitor_that_was_not_started_can_be_closed():
    monitor = Monitor()
    monitor.close()
    assert monitor.summary() == "Not started."
