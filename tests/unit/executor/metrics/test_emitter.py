from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

import pytest

from ecs_async_executor.executor.metrics.emitter import Emitter
from ecs_async_executor.executor.metrics.repeating import Repeating
from ecs_async_executor.executor.metrics.stats import Naming
from ecs_async_executor.measurements import SAMPLES, Measurements, Start
from ecs_async_executor.metrics import API_ERRORS, API_LATENCY, ENGINE_RESTARTS, LOOP_LAG, OLDEST_WAIT, TASKS

HOST = {"scheduler": "host"}
ZEROS: list[Any] = [
    ("incr", "ecs_async.engine.restarts", 0, {}),
    ("incr", "ecs_async.payload.puts", 0, {}),
]
"""Sent first, so that the series exist."""


class Sent(list[Any]):
    """A backend that remembers its calls."""

    def incr(self, stat: str, count: int = 1, *, tags: Any = None) -> None:
        self.append(("incr", stat, count, tags))

    def gauge(self, stat: str, value: float, *, tags: Any = None) -> None:
        self.append(("gauge", stat, value, tags))

    def timing(self, stat: str, dt: float, *, tags: Any = None) -> None:
        self.append(("timing", stat, dt, tags))

    def take(self) -> list[Any]:
        taken, self[:] = [*self], []
        return taken


def emitter(stats: Any, *sources: Measurements, send_span: Callable[[Start], None] | None = None) -> Emitter:
    return Emitter(sources, stats, lambda: Naming("host"), send_span)


def test_timings_counts_and_gauges_of_all_threads_are_sent():
    one, two, sent = Measurements(), Measurements(), Sent()
    one.time(API_LATENCY, 0.25, "RunTask")
    one.count(API_ERRORS, "RunTask", "denied")
    two.count(API_ERRORS, "RunTask", "denied")
    one.gauges = {(TASKS, ("waiting", "default")): 2, (OLDEST_WAIT, ()): 7.0}
    two.gauges = {(TASKS, ("waiting", "default")): 3, (OLDEST_WAIT, ()): 5.0}
    emitter(sent, one, two).emit()
    assert [call for call in sent if call not in ZEROS] == [
        ("timing", "ecs_async.api.latency", 250.0, {"action": "RunTask"}),
        ("incr", "ecs_async.api.errors", 2, {"action": "RunTask", "class": "denied"}),
        *sorted(
            [
                ("gauge", "ecs_async.oldest_wait", 7.0, HOST),
                ("gauge", "ecs_async.tasks", 5, {"phase": "waiting", "queue": "default", **HOST}),
            ],
            key=sent.index,
        ),
    ]


def test_only_what_is_new_is_counted_again():
    measured, sent = Measurements(), Sent()
    emit = emitter(sent, measured).emit
    measured.count(ENGINE_RESTARTS)
    emit()
    assert ("incr", "ecs_async.engine.restarts", 1, {}) in sent.take()
    emit()
    assert sent.take() == []
    measured.count(ENGINE_RESTARTS)
    measured.count(ENGINE_RESTARTS)
    emit()
    assert sent.take() == [("incr", "ecs_async.engine.restarts", 2, {})]


def test_a_counter_without_tags_is_there_before_it_counts():
    sent = Sent()
    emitter(sent, Measurements()).emit()
    assert sent == ZEROS


def test_a_gauge_goes_to_zero_when_there_is_nothing_any_more():
    measured, sent = Measurements(), Sent()
    emit = emitter(sent, measured).emit
    measured.gauges = {(TASKS, ("running", "default")): 4}
    emit()
    sent.take()
    measured.gauges = {}
    emit()
    assert sent.take() == [
        ("gauge", "ecs_async.tasks", 0.0, {"phase": "running", "queue": "default", **HOST})
    ]


class Raising(Sent):
    """A backend that can be out of order."""

    broken = True

    def _call(self, *call: Any) -> None:
        if self.broken:
            raise OSError("no route to host")
        self.append(call)

    def incr(self, stat: str, count: int = 1, *, tags: Any = None) -> None:
        self._call("incr", stat, count, tags)

    def gauge(self, stat: str, value: float, *, tags: Any = None) -> None:
        self._call("gauge", stat, value, tags)

    def timing(self, stat: str, dt: float, *, tags: Any = None) -> None:
        self._call("timing", stat, dt, tags)


def test_a_backend_that_raises_loses_timings_but_no_counts_and_is_logged_once(
    caplog: pytest.LogCaptureFixture,
):
    measured, stats = Measurements(), Raising()
    emit = emitter(stats, measured).emit
    for _ in range(3):
        measured.time(LOOP_LAG, 1.0)
        measured.count(ENGINE_RESTARTS)
        emit()
    assert [record.getMessage() for record in caplog.records] == [
        "Airflow's metrics or traces can't be sent (OSError: no route to host); tasks run on."
    ]
    stats.broken = False
    emit()
    assert ("incr", "ecs_async.engine.restarts", 3, {}) in stats
    assert not [call for call in stats if call[0] == "timing"]


def test_a_backend_that_hangs_delays_nobody_and_memory_stays_bounded():
    released, measured = threading.Event(), Measurements()

    class Hanging(Sent):
        def timing(self, *_: Any, **__: Any) -> None:
            released.wait()  # whoever waited for it would wait for ever

    thread = Repeating("ecs-stats", 0.01, emitter(Hanging(), measured).emit)
    measured.time(LOOP_LAG, 1.0)
    thread.start()
    try:
        for _ in range(10 * SAMPLES):
            measured.time(LOOP_LAG, 1.0)
            measured.count(ENGINE_RESTARTS)
        thread.close(0.2)
        assert len(measured.take_samples()) <= SAMPLES
    finally:
        released.set()
        thread.close(10)


def test_spans_are_sent_without_metrics_and_metrics_without_spans():
    measured, sent, spans = Measurements(), Sent(), list[Start]()
    start = Start({}, "default", 1, ordered_at=0.0)
    measured.finish_start(start)
    emitter(None, measured, send_span=spans.append).emit()
    assert spans == [start]
    measured.finish_start(start)
    emitter(sent, measured).emit()
    assert sent == ZEROS
    assert measured.take_starts() == []


def test_a_function_that_raises_is_called_again(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.WARNING)
    calls = threading.Semaphore(0)

    def broken() -> None:
        calls.release()
        raise ValueError("odd")

    thread = Repeating("ecs-observer", 0.01, broken)
    thread.start()
    for _ in range(3):
        assert calls.acquire(timeout=60)
    thread.close(10)
    assert [record.getMessage() for record in caplog.records] == ["ecs-observer: ValueError: odd"]


def test_what_is_left_is_sent_at_the_end():
    measured, sent = Measurements(), Sent()
    thread = Repeating("ecs-stats", 3600, emitter(sent, measured).emit)
    thread.start()
    measured.count(ENGINE_RESTARTS)
    thread.close(10)
    assert ("incr", "ecs_async.engine.restarts", 1, {}) in sent
