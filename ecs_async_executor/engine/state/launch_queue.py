"""The queue of runs to launch. Sans-I/O: the caller passes in the time."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import TypeAlias, TypeVar

from ecs_async_executor.engine.capacity.gates import Gates, Pass
from ecs_async_executor.engine.options import Rate
from ecs_async_executor.engine.state.entry import Entry
from ecs_async_executor.messages import RateShare, Room

_Key: TypeAlias = tuple[RateShare | None, Room | None, str | None]
"""Lane, room, and the pool whose standbys may serve a run instead."""
_Note = TypeVar("_Note")
_WHOLE = 1.0 - 1e-9
EXPECTED = 15.0
"""Seconds within which the next launch of a run comes that ECS has refused: three of Airflow's heartbeats, by default 5 s."""
KEPT = 60.0
"""Seconds that the position of a refused run is kept. Its next launch comes once its row shows it, in a few heartbeats."""


@dataclass(slots=True)
class _Line:
    """The ready runs of a lane that ask for the same room and the same standbys, by priority, and then by position."""

    lane: _Lane
    room: Room | None
    """None: they don't ask for any."""
    gates: Gates | None
    runs: list[tuple[int, int, int, Entry]] = field(default_factory=list)
    """Heap items: minus the priority, the position, a number that no other item has, and the run.

    A stale item may have the priority and position of a live one; and entries have no order."""

    def opens_at(self, now: float) -> float:
        """Return when its next run may be sent: `now` if it may be already."""
        lane = self.lane.opens_at(now)
        return (
            lane
            if self.gates is None or self.room is None
            else max(lane, self.gates.opens_at(self.room, now))
        )

    def is_full(self, now: float) -> bool:
        """Return whether its runs wait for room."""
        return self.gates is not None and self.room is not None and self.gates.opens_at(self.room, now) > now

    def take(self, now: float) -> tuple[Pass, ...]:
        """Take what a launch uses up; call this only if `opens_at` returned `now`."""
        self.lane.take()
        return () if self.gates is None or self.room is None else self.gates.take(self.room, now)


class LaunchQueue:
    """Runs waiting to be sent: delayed ones by time, ready ones by priority and then first come, first served.

    A run that comes back after a throttle keeps its position, and so does one whose next launch follows a refusal. The
    runs of a lane wait while the lane has used up its share of the rate, and those of a room while its gates are shut;
    others don't wait for them.
    """

    def __init__(self, rate: Rate, gates: Gates | None = None) -> None:
        """Queue runs for calls at this rate; without `gates`, the calls need no room."""
        self._rate = rate
        self._gates = gates
        self._positions: dict[Entry, int] = {}
        """Each run's position, assigned once."""
        self._waiting: dict[Entry, float | None] = {}
        """When each waiting run is due, or None once it is ready. A heap item that disagrees is stale."""
        self._lanes: dict[RateShare | None, _Lane] = {}
        self._lines: dict[_Key, _Line] = {}
        """The ready runs."""
        self._delayed: list[tuple[float, int, int, Entry]] = []
        """Heap items: when the run is due, its position, a number that no other item has, and the run."""
        self._item_numbers = count()
        self._kept: dict[str, tuple[int, float]] = {}
        """The positions of refused runs by run id, and until when they are kept; the oldest first."""
        self._refused: dict[str, tuple[Room, float]] = {}
        """What room runs were refused by ECS that aren't back yet, and until when they are expected; the oldest first."""
        self._next_position = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._waiting)

    def __contains__(self, entry: Entry) -> bool:
        return entry in self._waiting

    def add(self, entry: Entry, *, not_before: float) -> None:
        """Queue a run, to be sent no earlier than `not_before`."""
        position = self._positions.get(entry)
        self._refused.pop(entry.run_id, None)
        if position is None:
            kept = self._kept.pop(entry.run_id, None)
            position = self._positions[entry] = self._next_position if kept is None else kept[0]
            self._next_position += 1
        self._waiting[entry] = not_before
        heapq.heappush(self._delayed, (not_before, position, next(self._item_numbers), entry))

    def discard(self, entry: Entry) -> None:
        """Remove a run and forget its position; it needn't be waiting."""
        self._waiting.pop(entry, None)
        self._positions.pop(entry, None)

    def keep_position(self, entry: Entry, now: float) -> None:
        """Keep the position of a run that was refused, by ECS or by its standby, for its next launch."""
        _drop_expired(self._kept, now)
        self._kept.pop(entry.run_id, None)
        self._kept[entry.run_id] = self._positions[entry], now + KEPT

    def expect(self, run_id: str, room: Room, now: float) -> None:
        """Note that ECS has refused a run for lack of room, which will be back."""
        _drop_expired(self._refused, now)
        self._refused.pop(run_id, None)
        self._refused[run_id] = room, now + EXPECTED

    def expected(self, now: float) -> list[Room]:
        """Return the room of each run that ECS has refused, and that is about to be back."""
        _drop_expired(self._refused, now)
        return [room for room, _ in self._refused.values()]

    def make_ready(self, entry: Entry) -> None:
        """Make a waiting run ready now, outside its lane and asking for no room: it won't become a launch."""
        if entry in self._waiting:
            entry.lane = None
            self.add(entry, not_before=-math.inf)

    def pop(self, now: float) -> Entry | None:
        """Take the due run with the highest priority."""
        self._promote_due(now)
        open_lines = [line for line in self._lines.values() if line.opens_at(now) <= now]
        if not open_lines:
            return None
        line = min(open_lines, key=lambda each: each.runs[0][:2])
        *_, entry = heapq.heappop(line.runs)
        entry.passes = line.take(now)
        del self._waiting[entry]
        return entry

    def pools(self, now: float) -> list[str]:
        """Return the pools one of whose standbys may serve a ready run."""
        self._promote_due(now)
        return list(dict.fromkeys(pool for _, _, pool in self._lines if pool is not None))

    def pop_for(self, pool: str, now: float) -> Entry | None:
        """Take the run with the highest priority that a standby of this pool may serve: it needs neither room nor a turn."""
        self._promote_due(now)
        lines = [line for key, line in self._lines.items() if key[2] == pool]
        if not lines:
            return None
        *_, entry = heapq.heappop(min(lines, key=lambda each: each.runs[0][:2]).runs)
        del self._waiting[entry]
        return entry

    def held_back(self, now: float) -> int:
        """Return how many runs wait for room, about: some may be stale."""
        return sum(len(line.runs) for line in self._lines.values() if line.is_full(now))

    def by_room(self, now: float) -> dict[Room, list[Entry]]:
        """Return the ready runs of each room, in any order; those that have ceased to ask for room may be among them."""
        self._promote_due(now)
        found: dict[Room, list[Entry]] = {}
        for line in self._lines.values():
            if line.room is not None:
                ready = [entry for *_, entry in line.runs if self._waiting.get(entry, 0.0) is None]
                found.setdefault(line.room, []).extend(ready)
        return found

    def in_order(self, entries: Iterable[Entry]) -> list[Entry]:
        """Sort waiting runs: the first to go comes first."""
        return sorted(entries, key=lambda each: (-each.priority, self._positions[each]))

    def give_back(self, entry: Entry) -> None:
        """Return a popped run's token to its lane, because the run wasn't launched."""
        self._lanes[entry.lane].give_back()

    def next_at(self, now: float) -> float | None:
        """Return when the next run is due: `now` if one is ready, None if none is waiting, or all wait for answers."""
        self._promote_due(now)
        times = [line.opens_at(now) for line in self._lines.values()]
        times += [item[0] for item in self._delayed[:1]]
        return min((each for each in times if each < math.inf), default=None)

    def _promote_due(self, now: float) -> None:
        while self._delayed and (self._delayed[0][0] <= now or not self._is_live(self._delayed[0])):
            item = heapq.heappop(self._delayed)
            if self._is_live(item):
                _, position, number, entry = item
                self._waiting[entry] = None
                heapq.heappush(self._line(entry, now).runs, (-entry.priority, position, number, entry))
        for key, line in list(self._lines.items()):
            while line.runs and not self._is_ready(line.runs[0][-1], key):
                heapq.heappop(line.runs)
            if not line.runs:
                del self._lines[key]

    def _line(self, entry: Entry, now: float) -> _Line:
        if (line := self._lines.get(key := self._key(entry))) is None:
            if entry.lane not in self._lanes:
                self._lanes[entry.lane] = _Lane(entry.lane, self._rate, now)
            line = self._lines[key] = _Line(self._lanes[entry.lane], key[1], self._gates)
        return line

    def _key(self, entry: Entry) -> _Key:
        room = entry.room if self._gates is not None and entry.asks_for_room else None
        return entry.lane, room, entry.pool

    def _is_live(self, item: tuple[float, int, int, Entry]) -> bool:
        """Return whether a delayed item still holds its run's current due time."""
        return self._waiting.get(item[-1]) == item[0]

    def _is_ready(self, entry: Entry, key: _Key) -> bool:
        return entry in self._waiting and self._waiting[entry] is None and self._key(entry) == key


def _drop_expired(notes: dict[str, tuple[_Note, float]], now: float) -> None:
    """Drop the notes that are kept no longer; the oldest come first."""
    while notes and next(iter(notes.values()))[1] <= now:
        del notes[next(iter(notes))]


class _Lane:
    """A token bucket for a lane's share of the rate."""

    def __init__(self, lane: RateShare | None, rate: Rate, now: float) -> None:
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

    def take(self) -> None:
        """Take a token; call this only if `opens_at` returned `now`."""
        self._tokens -= 1.0

    def give_back(self) -> None:
        """Return the token that was taken."""
        self._tokens += 1.0
