"""How long tasks usually take to start."""

from __future__ import annotations

from ecs_async_executor.engine.responses import Task
from ecs_async_executor.engine.state.start_times import (
    FAMILIES,
    SLOW_FACTOR,
    SLOW_SECONDS,
    STARTS_KEPT,
    STARTS_NEEDED,
    StartTimes,
)


def started(seconds: float, family: str = "etl") -> Task:
    arn = f"arn:aws:ecs:eu-central-1:1:task-definition/{family}:7"
    return Task("arn", "RUNNING", task_definition_arn=arn, created_at=100.0, started_at=100.0 + seconds)


def test_the_usual_time_is_the_median_of_the_familys_last_starts():
    times = StartTimes()
    for seconds in (40.0, 30.0, 500.0):
        times.note(started(seconds))
    assert times.usual("etl") == 40.0
    for _ in range(STARTS_KEPT):
        times.note(started(7.0))
    assert times.usual("etl") == 7.0


def test_too_few_starts_are_no_usual_time():
    times = StartTimes()
    for _ in range(STARTS_NEEDED - 1):
        times.note(started(40.0))
    assert times.usual("etl") is None
    assert times.usual("unknown") is None


def test_a_start_is_slow_after_a_multiple_of_the_usual_time_but_never_soon():
    times = StartTimes()
    assert times.slow_after("etl") == SLOW_SECONDS
    for _ in range(STARTS_NEEDED):
        times.note(started(10.0))
        times.note(started(300.0, family="large"))
    assert times.slow_after("etl") == SLOW_SECONDS
    assert times.slow_after("large") == SLOW_FACTOR * 300.0


def test_a_task_without_times_says_nothing():
    times = StartTimes()
    for _ in range(STARTS_NEEDED):
        times.note(Task("arn", "RUNNING"))
    assert times.usual("") is None


def test_the_families_not_seen_for_longest_are_forgotten():
    times = StartTimes()
    for _ in range(STARTS_NEEDED):
        for number in range(FAMILIES + 1):
            times.note(started(10.0, family=f"family-{number}"))
    assert times.usual("family-0") is None
    assert times.usual(f"family-{FAMILIES}") is None, "a thousand others push it out before it is known"
    for _ in range(STARTS_NEEDED):
        times.note(started(10.0, family="last"))
    assert times.usual("last") == 10.0
