from __future__ import annotations

import threading
import tracemalloc

from ecs_async_executor.measurements import SAMPLES, STARTS, Measurements, Start
from ecs_async_executor.metrics import API_ERRORS, API_LATENCY, ENGINE_RESTARTS, LOOP_LAG, STANDBY_IDLE


def test_counts_go_on_and_are_kept_by_their_tags():
    measured = Measurements()
    for kind in ("denied", "denied", "capacity"):
        measured.count(API_ERRORS, "RunTask", kind)
    measured.count(ENGINE_RESTARTS)
    counts = measured.counts()
    measured.count(ENGINE_RESTARTS)
    assert counts == {
        (API_ERRORS, ("RunTask", "denied")): 2,
        (API_ERRORS, ("RunTask", "capacity")): 1,
        (ENGINE_RESTARTS, ()): 1,
    }
    assert measured.counts()[ENGINE_RESTARTS, ()] == 2


def test_a_count_may_grow_by_more_than_one():
    measured = Measurements()
    measured.count(STANDBY_IDLE, "default", amount=12)
    measured.count(STANDBY_IDLE, "default", amount=0)
    measured.count(STANDBY_IDLE, "default")
    assert measured.counts() == {(STANDBY_IDLE, ("default",)): 13}


def test_timings_are_collected_once_and_none_is_negative():
    measured = Measurements()
    measured.time(API_LATENCY, 0.25, "RunTask")
    measured.time(LOOP_LAG, -3.0)
    assert measured.take_samples() == [((API_LATENCY, ("RunTask",)), 0.25), ((LOOP_LAG, ()), 0.0)]
    assert measured.take_samples() == []


def test_if_nobody_collects_the_newest_timings_and_starts_are_kept_and_memory_is_bounded():
    measured = Measurements()
    tracemalloc.start()
    try:
        for number in range(20 * SAMPLES):
            measured.time(LOOP_LAG, float(number))
            measured.finish_start(Start({}, "default", number, ordered_at=0.0))
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert [seconds for _, seconds in measured.take_samples()] == [
        float(number) for number in range(19 * SAMPLES, 20 * SAMPLES)
    ]
    assert len(measured.take_starts()) == STARTS
    assert held < 2_000_000


def test_while_one_thread_measures_another_may_collect():
    measured, total, taken = Measurements(), 200_000, []

    def measure() -> None:
        for number in range(total):
            measured.time(LOOP_LAG, 1.0)
            measured.count(API_ERRORS, "RunTask", str(number % 50))

    thread = threading.Thread(target=measure)
    thread.start()
    while thread.is_alive():
        taken += measured.take_samples()
        assert sum(measured.counts().values()) <= total
    thread.join()
    taken += measured.take_samples()
    assert 0 < len(taken) <= total
    assert sum(measured.counts().values()) == total
