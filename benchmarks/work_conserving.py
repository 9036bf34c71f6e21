"""How long do tasks take with a scheduler that never leaves a slot empty while a task waits? Pure."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence

from benchmarks.limits import LAUNCH_BURST, LAUNCH_RATE


def wall_time(tasks: Sequence[float], room: int, taken: Sequence[tuple[float, float]] = ()) -> float:
    """Return the seconds from the first launch to the last end.

    Each of `tasks` holds a slot for so many seconds; they are launched in this order, within AWS's rate. There are `room`
    slots; others hold one of them from and until the seconds in each of `taken`. It never ends if no slot is left.
    """
    ends: list[float] = []
    changes = sorted([(since, -1) for since, _ in taken] + [(until, 1) for _, until in taken])
    free, now, last, next_change = room, 0.0, 0.0, 0
    for number, seconds in enumerate(tasks):
        now = max(now, (number + 1 - LAUNCH_BURST) / LAUNCH_RATE)
        while True:
            while ends and ends[0] <= now:
                heapq.heappop(ends)
                free += 1
            while next_change < len(changes) and changes[next_change][0] <= now:
                free += changes[next_change][1]
                next_change += 1
            if free > 0:
                break
            now = min(
                [*ends[:1], *(at for at, _ in changes[next_change : next_change + 1])], default=math.inf
            )
            if now == math.inf:
                return math.inf
        free -= 1
        heapq.heappush(ends, now + seconds)
        last = max(last, now + seconds)
    return last
