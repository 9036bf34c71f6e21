"""How long to wait before the next attempt."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

Random: TypeAlias = Callable[[], float]
"""Returns a number in [0, 1): `random.random`, or a constant in tests."""


def backoff(attempt: int, *, base: float, cap: float, random: Random) -> float:
    """Return the seconds to wait after the `attempt`-th failure (from 1): exponential, capped, jittered.

    The wait is between half of the exponential step and all of it, so that many waiting tasks spread out and
    none retries immediately.
    """
    step = min(cap, base * 2.0 ** min(max(attempt, 1) - 1, 32))
    return step * (0.5 + random() / 2)
