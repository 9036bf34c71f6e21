"""The commands' calls keep to a rate."""

from __future__ import annotations

from ecs_async_executor.operate.pace import Pace


def test_a_burst_goes_at_once_and_the_rest_at_the_rate() -> None:
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    pace = Pace(5.0, 10.0, clock=lambda: now[0], sleep=sleep)
    times = []
    for _ in range(20):
        pace.wait()
        times.append(round(now[0], 6))
    assert times[:10] == [0.0] * 10
    assert times[10:] == [round(0.2 * (each + 1), 6) for each in range(10)]


def test_what_was_not_used_for_long_is_no_more_than_a_burst() -> None:
    now = [0.0]
    slept: list[float] = []
    pace = Pace(5.0, 2.0, clock=lambda: now[0], sleep=slept.append)
    now[0] = 1000.0
    for _ in range(3):
        pace.wait()
    assert [round(each, 6) for each in slept] == [0.2]
