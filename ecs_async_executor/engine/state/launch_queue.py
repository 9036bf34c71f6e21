"""The queue of runs to launch. Sans-I/O: the caller passes in the time."""

from __future__ import annotations

import heapq

from ecs_async_executor.engine.options import Rate
from ecs_async_executor.engine.state.entry import Entry
from ecs_async_executor.messages import RateShare

_WHOLE = 1.0 - 1e-9


class LaunchQueue:
    """Runs waiting to be sent: delayed ones by time, ready ones by priority and then first come, first served.

    A run that comes back after a throttle keeps its position. The runs of a lane wait while the lane has used up its
    share of the rate; runs outside the lane don't wait for them.
    """

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._positions: dict[Entry, int] = {}
        """Each run's position, assigned once."""
        self._waiting: dict[Entry, float | None] = {}
        """When each waiting run is due, or None once it is ready. A heap item that disagrees is stale."""
        self._lanes: dict[RateShare | None, _Lane] = {}
        """The ready runs."""
        self._delayed: list[tuple[float, int, Entry]] = []
        self._next_position = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, entry: Entry) -> bool:
        return entry in self._waiting

    def add(self, entry: Entry, *, not_before: float) -> None:
        """Queue a run, to be sent no earlier than `not_before`."""
        position = self._positions.get(entry)
        if position is None:
            position = self._positions[entry] = self._next_position
            self._next_position += 1
        self._waiting[entry] = not_before
        heapq.heappush(self._delayed, (not_before, position, entry))

    def discard(self, entry: Entry) -> None:
        """Remove a run and forget its position; it needn't be waiting."""
        self._waiting.pop(entry, None)
        self._positions.pop(entry, None)

    def leave_lane(self, entry: Entry) -> None:
        """Make a waiting run ready now, outside its lane: it won't become a launch."""
        if entry.lane is not None and entry in self._waiting:
            entry.lane = None
            self.add(entry, not_before=float("-inf"))

    def pop(self, now: float) -> Entry | None:
        """Take the due run with the highest priority."""
        self._promote_due(now)
        open_lanes = [lane for lane in self._lanes.values() if lane.ready and lane.opens_at(now) <= now]
        if not open_lanes:
            return None
        entry = min(open_lanes, key=lambda lane: lane.ready[0][:2]).pop()
        del self._waiting[entry]
        return entry

    def give_back(self, entry: Entry) -> None:
        """Return a popped run's token to its lane, because the run wasn't launched."""
        self._lanes[entry.lane].give_back()

    def next_at(self, now: float) -> float | None:
        """Return when the next run is due: `now` if one is ready, None if none is waiting."""
        self._promote_due(now)
        times = [lane.opens_at(now) for lane in self._lanes.values() if lane.ready]
        return min([*times, *(item[0] for item in self._delayed[:1])], default=None)

    def _promote_due(self, now: float) -> None:
        while self._delayed and (self._delayed[0][0] <= now or not self._is_live(self._delayed[0])):
            item = heapq.heappop(self._delayed)
            if self._is_live(item):
                _, position, entry = item
                self._waiting[entry] = None
                if entry.lane not in self._lanes:
                    self._lanes[entry.lane] = _Lane(entry.lane, self._rate, now)
                heapq.heappush(self._lanes[entry.lane].ready, (-entry.priority, position, entry))
        for name, lane in self._lanes.items():
            while lane.ready and not self._is_ready(lane.ready[0][2], name):
                heapq.heappop(lane.ready)

    def _is_live(self, item: tuple[float, int, Entry]) -> bool:
        """Return whether a delayed item still holds its run's current due time."""
        return self._waiting.get(item[2]) == item[0]

    def _is_ready(self, entry: Entry, lane: RateShare | None) -> bool:
        return entry in self._waiting and self._waiting[entry] is None and entry.lane == lane


class _Lane:
    """A lane's ready runs, and a token bucket for its share of the rate."""

    def __init__(self, lane: RateShare | None, rate: Rate, now: float) -> None:
        self.ready: list[tuple[int, int, Entry]] = []
        part = rate.part(lane.share) if lane is not None else Rate(0, 1)
        self._per_second, self._most = part.per_second, part.burst
        self._tokens, self._now = self._most, now

    def opens_at(self, now: float) -> float:
        """Return when its next run may be sent: `now` if it may be already."""
        if not self._per_second:
            return now
        self._tokens = min(self._most, self._tokens + max(0.0, now - self._now) * self._per_second)
        self._now = now
        return now if self._tokens >= _WHOLE else now + (1.0 - self._tokens) / self._per_second

    def pop(self) -> Entry:
        """Take its best run; call this only if `opens_at` returned `now`."""
        self._tokens -= 1.0
        return heapq.heappop(self.ready)[2]

    def give_back(self) -> None:
        """Return the token that `pop` took."""
        self._tokens += 1.0
