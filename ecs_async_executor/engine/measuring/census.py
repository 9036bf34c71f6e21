"""Counts what the engine has in hand: by phase and queue, and what waits by reason. Sans-I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache

import anyio
import anyio.lowlevel

from ecs_async_executor.engine.admission.calls import Calls
from ecs_async_executor.engine.diagnosis.call_failures import Kind
from ecs_async_executor.engine.state.entry import Entry, Phase, State
from ecs_async_executor.engine.state.ledger import Ledger
from ecs_async_executor.measurements import Series
from ecs_async_executor.messages import Room
from ecs_async_executor.metrics import OLDEST_WAIT, PAUSED, RATE, RATE_LIMIT, TASKS, WAITING

SLICE = 500
"""Runs counted before the loop may do something else: less than a millisecond."""

PAUSE, THROTTLE, RATE_LIMIT_REACHED, SEARCH, UPLOAD = "pause", "throttle", "rate limit", "search", "upload"
"""Reasons for waiting besides a run's own, which are the failure classes."""

_PHASES = {Phase.STARTING: "starting", Phase.RUNNING: "running", Phase.ENDING: "ending"}


@dataclass(slots=True)
class Census:
    """The counts so far."""

    shared: str
    """Why launches wait that nothing else keeps from being sent."""
    is_shut: Callable[[Room], bool]
    """Whether launches of a room wait for it."""
    tasks: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By phase and queue."""
    waiting: Counter[str] = field(default_factory=Counter)
    """By reason."""
    oldest: float | None = None
    """When the launch was ordered that has been waiting for longest."""

    def add(self, entry: Entry) -> None:
        """Count one run; standbys have their own figures."""
        phase = phase_of(entry)
        if phase is None or entry.is_standby:
            return
        self.tasks[phase, entry.queue] += 1
        if phase == "waiting":
            self.waiting[self._reason(entry)] += 1
            ordered = entry.launch.ordered_at
            self.oldest = ordered if self.oldest is None else min(ordered, self.oldest)

    def _reason(self, entry: Entry) -> str:
        if entry.launch.last_waiting_kind is not None:
            return entry.launch.last_waiting_kind.value
        if entry.state is State.PREPARING:
            return SEARCH
        if entry.state is not State.WAITING:
            return UPLOAD
        return Kind.CAPACITY.value if entry.asks_for_room and self.is_shut(entry.room) else self.shared


def phase_of(entry: Entry) -> str | None:
    """Return how far a run has got, in the fleet page's words; None if it has ended."""
    if entry.state is State.WATCHING:
        return _PHASES[entry.task.phase]
    if entry.state in {State.SENDING, State.ASSIGNED, State.HANDING_OVER}:
        return "launching"
    return None if entry.state is State.ENDED else "waiting"


def shared_reason(*, paused: bool, rate: float | None, limit: float | None) -> str:
    """Return why launches wait that nothing else keeps from being sent."""
    if paused:
        return PAUSE
    return RATE_LIMIT_REACHED if rate == limit else THROTTLE


async def take_stock(ledger: Ledger, calls: Calls) -> Mapping[Series, float]:
    """Count everything, in slices, and return it as gauges."""
    rate, limit = calls.launch_rate()
    paused = calls.is_paused
    shared = shared_reason(paused=paused, rate=rate, limit=limit)
    now = anyio.current_time()
    census = Census(shared, cache(lambda room: ledger.gates.shut(room, now) is not None))
    entries = tuple(ledger)
    for start in range(0, len(entries), SLICE):
        await anyio.lowlevel.checkpoint()
        for entry in entries[start : start + SLICE]:
            census.add(entry)
    now = anyio.current_time()
    gauges: dict[Series, float] = {(TASKS, tags): count for tags, count in census.tasks.items()}
    gauges |= {(WAITING, (reason,)): count for reason, count in census.waiting.items()}
    gauges[OLDEST_WAIT, ()] = 0.0 if census.oldest is None else now - census.oldest
    gauges[PAUSED, ()] = float(paused)
    # Always there, as a gauge that is missing keeps its last value in StatsD. 0 means no limit, as for `run_task_rate`.
    gauges[RATE, ()] = rate or 0.0
    gauges[RATE_LIMIT, ()] = limit or 0.0
    return gauges
