"""The two waiting lines of the ledger: runs to launch, and tasks to look at. Pure; time comes from the caller."""

from __future__ import annotations

import heapq

from ecs_async_executor.engine.options import Rate
from ecs_async_executor.engine.state.entry import Entry
from ecs_async_executor.messages import RateShare

_WHOLE = 1.0 - 1e-9


class LaunchQueue:
    """Runs that wait to be sent: delayed ones by time, ready ones by priority, then first come, first served.

    A run that comes back after a throttle keeps its place. Runs of a lane wait while the lane has used its part of the
    rate, and hold up no others.
    """

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._seats: dict[Entry, int] = {}
        """The place in the line, given once."""
        self._waiting: dict[Entry, float | None] = {}
        """When a run that waits is due; None: it is ready. Tells live heap items from stale ones."""
        self._lanes: dict[RateShare | None, _Lane] = {}
        """The ready ones."""
        self._delayed: list[tuple[float, int, Entry]] = []
        self._next_seat = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, entry: Entry) -> bool:
        return entry in self._waiting

    def add(self, entry: Entry, *, not_before: float) -> None:
        """Let a run wait, until `not_before` at least."""
        seat = self._seats.get(entry)
        if seat is None:
            seat = self._seats[entry] = self._next_seat
            self._next_seat += 1
        self._waiting[entry] = not_before
        heapq.heappush(self._delayed, (not_before, seat, entry))

    def discard(self, entry: Entry) -> None:
        """Forget a run, whether it waits or not."""
        self._waiting.pop(entry, None)
        self._seats.pop(entry, None)

    def leave_lane(self, entry: Entry) -> None:
        """Let a run that waits go on at once, without its lane: no launch will come of it."""
        if entry.lane is not None and entry in self._waiting:
            entry.lane = None
            self.add(entry, not_before=float("-inf"))

    def pop(self, now: float) -> Entry | None:
        """Take the best of the runs that are due."""
        self._ripen(now)
        open_lanes = [lane for lane in self._lanes.values() if lane.ready and lane.opens_at(now) <= now]
        if not open_lanes:
            return None
        entry = min(open_lanes, key=lambda lane: lane.ready[0][:2]).pop()
        del self._waiting[entry]
        return entry

    def give_back(self, entry: Entry) -> None:
        """Take back what a run that was popped has used of its lane: no launch has come of it yet."""
        self._lanes[entry.lane].give_back()

    def next_at(self, now: float) -> float | None:
        """When the next run is due: `now` if one is ready, None if none waits."""
        self._ripen(now)
        times = [lane.opens_at(now) for lane in self._lanes.values() if lane.ready]
        return min([*times, *(item[0] for item in self._delayed[:1])], default=None)

    def _ripen(self, now: float) -> None:
        while self._delayed and (self._delayed[0][0] <= now or not self._is_live(self._delayed[0])):
            item = heapq.heappop(self._delayed)
            if self._is_live(item):
                _, seat, entry = item
                self._waiting[entry] = None
                if entry.lane not in self._lanes:
                    self._lanes[entry.lane] = _Lane(entry.lane, self._rate, now)
                heapq.heappush(self._lanes[entry.lane].ready, (-entry.priority, seat, entry))
        for name, lane in self._lanes.items():
            while lane.ready and not self._is_ready(lane.ready[0][2], name):
                heapq.heappop(lane.ready)

    def _is_live(self, item: tuple[float, int, Entry]) -> bool:
        """Tell whether a run that is delayed has no other date meanwhile."""
        return self._waiting.get(item[2]) == item[0]

    def _is_ready(self, entry: Entry, lane: RateShare | None) -> bool:
        return entry in self._waiting and self._waiting[entry] is None and entry.lane == lane


class _Lane:
    """The ready runs of a lane, and a token bucket that holds its part of the rate."""

    def __init__(self, lane: RateShare | None, rate: Rate, now: float) -> None:
        self.ready: list[tuple[int, int, Entry]] = []
        part = rate.part(lane.share) if lane is not None else Rate(0, 1)
        self._per_second, self._most = part.per_second, part.burst
        self._tokens, self._now = self._most, now

    def opens_at(self, now: float) -> float:
        """When its next run may go: `now` if it may."""
        if not self._per_second:
            return now
        self._tokens = min(self._most, self._tokens + max(0.0, now - self._now) * self._per_second)
        self._now = now
        return now if self._tokens >= _WHOLE else now + (1.0 - self._tokens) / self._per_second

    def pop(self) -> Entry:
        """Take its best run; `opens_at` must have said now."""
        self._tokens -= 1.0
        return heapq.heappop(self.ready)[2]

    def give_back(self) -> None:
        """Take back what `pop` has used."""
        self._tokens += 1.0
