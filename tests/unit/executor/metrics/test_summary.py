from __future__ import annotations

import pytest

from ecs_async_executor.executor.metrics.summary import has_work, summary
from ecs_async_executor.measurements import Series
from ecs_async_executor.metrics import OLDEST_WAIT, PAUSED, RATE, RATE_LIMIT, STANDBYS, TASKS, WAITING

ENGINE: dict[Series, float] = {
    (PAUSED, ()): 0.0,
    (RATE, ()): 4.24,
    (RATE_LIMIT, ()): 10.0,
    (OLDEST_WAIT, ()): 95.2,
}
WAITS: dict[Series, float] = {
    (TASKS, ("waiting", "default")): 10,
    (TASKS, ("waiting", "spot")): 2,
    (WAITING, ("throttle",)): 5,
    (WAITING, ("capacity",)): 7,
}
LIVES: dict[Series, float] = {
    (TASKS, ("running", "default")): 1400,
    (TASKS, ("running", "spot")): 5,
    (TASKS, ("starting", "spot")): 20,
}


@pytest.mark.parametrize(
    ("gauges", "expected"),
    [
        (
            {**ENGINE, **WAITS, **LIVES},
            (
                "12 tasks wait for their launch (7 capacity, 5 throttle; the oldest for 95 s). 1,425 live (20 starting, "
                "1,405 running). RunTask: 4.2 of 10 calls/s; in the last minute 250 launched, 31 throttled."
            ),
        ),
        (
            {**ENGINE, **LIVES},
            (
                "No task waits for its launch. 1,425 live (20 starting, 1,405 running). "
                "RunTask: 4.2 of 10 calls/s; in the last minute 250 launched, 31 throttled."
            ),
        ),
        (
            {
                (PAUSED, ()): 1.0,
                (RATE, ()): 0.0,
                (RATE_LIMIT, ()): 0.0,
                (TASKS, ("waiting", "default")): 1,
                (WAITING, ("pause",)): 1,
                (OLDEST_WAIT, ()): 4.0,
            },
            (
                "1 task waits for its launch (1 pause; the oldest for 4 s). 0 live. "
                "RunTask: no limit; in the last minute 250 launched, 31 throttled. AWS can't be used."
            ),
        ),
        (
            {(TASKS, ("waiting", "default")): 1, (WAITING, ("adoption",)): 1},
            "1 task waits for its launch (1 adoption; the oldest for 0 s). 0 live. The engine does not report.",
        ),
    ],
)
def test_one_line_says_what_waits_and_why_what_lives_and_how_fast_it_goes(
    gauges: dict[Series, float], expected: str
):
    assert summary(gauges, 250, 31) == expected


POOL: dict[Series, float] = {
    (STANDBYS, ("ready", "default")): 2,
    (STANDBYS, ("ready", "spot")): 1,
    (STANDBYS, ("starting", "default")): 0,
    (STANDBYS, ("leaving", "default")): 1,
}


@pytest.mark.parametrize(
    ("standbys", "warm", "cold", "said"),
    [
        (POOL, 40, 4, "Standbys: 3 ready, 0 starting; in the last minute 40 warm starts, 4 cold."),
        (
            dict.fromkeys(POOL, 0),
            1,
            0,
            "Standbys: 0 ready, 0 starting; in the last minute 1 warm start, 0 cold.",
        ),
    ],
)
def test_with_pools_of_standbys_the_line_says_how_tasks_have_started(
    standbys: dict[Series, float], warm: int, cold: int, said: str
):
    without = summary({**ENGINE, **LIVES}, 250, 31)
    assert summary({**ENGINE, **LIVES, **standbys}, 250, 31, warm, cold) == f"{without} {said}"


@pytest.mark.parametrize(
    ("gauges", "work"),
    [
        ({}, False),
        (ENGINE, False),
        ({(TASKS, ("running", "default")): 0.0}, False),
        (LIVES, True),
        (WAITS, True),
    ],
)
def test_work_is_what_waits_or_lives(gauges: dict[Series, float], work: bool):
    assert has_work(gauges) is work
