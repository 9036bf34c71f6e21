"""How long to wait before the next try."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

Random: TypeAlias = Callable[[], float]
"""Gives a number in [0, 1): `random.random`, or a fixed one in tests."""


def backoff(attempt: int, *, base: float, cap: float, random: Random) -> float:
    """Seconds to wait after the `attempt`-th failure (1 is the first): exponential, capped, jittered.

    Between half of the exponential step and the whole of it, so that many waiting tasks spread out
    and none comes back at once.
    """
    step = min(cap, base * 2.0 ** min(max(attempt, 1) - 1, 32))
    return step * (0.5 + random() / 2)
