"""Counts the runs that wait in the scheduler's half, and logs one line a minute while something waits or lives.

Runs in a thread of its own. It reads the runs of the scheduler's thread, and changes none.
"""

from __future__ import annotations

import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence

from ecs_async_executor.executor.metrics.series import all_counts, all_gauges
from ecs_async_executor.executor.metrics.summary import has_work, summary
from ecs_async_executor.executor.order_factory import CALLBACKS
from ecs_async_executor.executor.run_state import RunState
from ecs_async_executor.executor.runs import Run
from ecs_async_executor.measurements import Measurements, Series
from ecs_async_executor.metrics import LAUNCHES, OLDEST_WAIT, STANDBY_TASKS, TASKS, THROTTLES, WAITING, WARM

log = logging.getLogger(__name__)

INTERVAL = 5.0
"""Seconds between two looks."""
LINE_INTERVAL = 60.0
"""Seconds between two lines in the log."""
SLICE = 500
"""Runs looked at before the interpreter may do something else."""
ADOPTION = "adoption"
"""The reason of a run that waits for its row to be read before anything else."""


class Observer:
    """Looks at what there is; `sources` are all threads' measurements, `own` is for this thread's."""

    def __init__(
        self,
        runs: Iterable[Run],
        sources: Sequence[Measurements],
        own: Measurements,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._runs = runs
        self._sources = sources
        self._own = own
        self._clock = clock
        self._line_at = clock() + LINE_INTERVAL
        self._minute: deque[tuple[int, ...]] = deque([(0, 0, 0, 0)], maxlen=int(LINE_INTERVAL / INTERVAL) + 1)
        """How many launches, throttles, warm and cold starts there had been, at each look of the last minute."""

    def look(self) -> None:
        """Count, and log the line if it is due."""
        self._own.gauges = count_waiting(self._runs, self._clock())
        self._minute.append(self._counts())
        if self._clock() >= self._line_at:
            self._line_at = self._clock() + LINE_INTERVAL
            if has_work(all_gauges(self._sources)):
                log.info("%s", self.summary())

    def summary(self) -> str:
        """Return what there is, in one line, as of the last look; any thread may call it."""
        new = (now - then for now, then in zip(self._counts(), self._minute[0], strict=True))
        return summary(all_gauges(self._sources), *new)

    def _counts(self) -> tuple[int, ...]:
        counts = all_counts(self._sources)
        launched = sum(count for (metric, _), count in counts.items() if metric is LAUNCHES)
        starts: Counter[bool] = Counter()
        for (metric, tags), count in counts.items():
            if metric is STANDBY_TASKS:
                starts[tags[0] == WARM] += count
        return launched, counts[THROTTLES, ("RunTask",)], starts[True], starts[False]


def count_waiting(runs: Iterable[Run], now: float) -> dict[Series, float]:
    """Count the runs that wait for their next launch, or for their row before it. The engine has none of them."""
    tasks: Counter[Series] = Counter()
    waiting_since = now
    for number, run in enumerate(tuple(runs), 1):
        if number % SLICE == 0:
            time.sleep(0)  # gives the scheduler's thread the interpreter
        if run.state is RunState.PENDING:
            tasks[TASKS, ("waiting", run.queue or CALLBACKS)] += 1
            tasks[WAITING, (run.relaunched_for or ADOPTION,)] += 1
            waiting_since = min(waiting_since, run.waits_since or now)
    return {**tasks, (OLDEST_WAIT, ()): now - waiting_since}
