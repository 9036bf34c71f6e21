from __future__ import annotations

import pytest

from ecs_async_executor.backoff import backoff


@pytest.mark.parametrize(
    ("attempt", "step"), [(0, 1.0), (1, 1.0), (2, 2.0), (3, 4.0), (6, 30.0), (100_000, 30.0)]
)
def test_the_wait_doubles_with_each_attempt_up_to_the_cap(attempt: int, step: float):
    assert backoff(attempt, base=1.0, cap=30.0, random=lambda: 1.0) == step


def test_jitter_takes_away_at_most_half_of_the_step():
    assert backoff(3, base=1.0, cap=30.0, random=lambda: 0.0) == 2.0
    assert backoff(3, base=1.0, cap=30.0, random=lambda: 0.5) == 3.0
