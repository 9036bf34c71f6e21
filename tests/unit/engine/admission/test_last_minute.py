"""Counting what happened in the last minute."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ecs_async_executor.engine.admission.last_minute import LastMinute


def test_what_is_older_than_a_minute_does_not_count():
    counter = LastMinute()
    for now in (0.0, 0.9, 30.0, 59.9):
        counter.note(now)
    assert [counter.count(now) for now in (59.9, 60.0, 90.0, 120.0)] == [4, 2, 1, 0]


def test_nothing_has_happened_yet():
    assert LastMinute().count(100.0) == 0


@given(st.lists(st.floats(0, 300), max_size=50), st.floats(300, 400))
def test_it_counts_to_the_second(times: list[float], now: float):
    counter = LastMinute()
    for time in sorted(times):
        counter.note(time)
    assert counter.count(now) == sum(int(time) > now - 60 for time in times)


def test_it_stays_small():
    counter = LastMinute()
    for tenth in range(10_000):
        counter.note(tenth / 10)
    assert len(counter._seconds) <= 61
