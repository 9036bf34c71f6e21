from __future__ import annotations

from ecs_async_executor.engine.measuring.loop_lag import LoopLag
from ecs_async_executor.measurements import Measurements


def test_the_worst_of_each_second_is_measured():
    measured = Measurements()
    lag = LoopLag(measured)
    lag.note(due=0.1, now=0.1)
    for due, now in ((0.2, 0.25), (0.4, 0.9), (1.0, 1.0), (1.1, 1.2)):
        lag.note(due, now)
    lag.note(due=2.3, now=2.3)
    assert [round(seconds, 3) for _, seconds in measured.take_samples()] == [0.0, 0.5, 0.0]
