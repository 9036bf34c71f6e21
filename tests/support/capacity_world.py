"""A small world in virtual time around the real gates and launch queues: a cluster with little room, and who competes for it.

ECS accepts a launch if there is room when the call arrives; a task holds its slot while it starts, runs and stops. A scheduler
learns of an end only with a later poll, and queues a refused run again once its row shows the next launch.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from benchmarks.limits import LAUNCH_BURST, LAUNCH_RATE
from benchmarks.work_conserving import wall_time
from ecs_async_executor.engine.capacity.gates import Gates
from ecs_async_executor.engine.diagnosis.causes.cause import Shortage
from ecs_async_executor.engine.options import EngineOptions, Rate
from ecs_async_executor.engine.state.entry import Entry, State
from ecs_async_executor.engine.state.launch_queue import LaunchQueue
from ecs_async_executor.messages import Diagnosis, Room

CONCURRENCY = EngineOptions().concurrency
ROOM = Room("default", ("EC2",), "small")
NO_MEMORY = Diagnosis("No container instance has room for the task.")
LATENCY = (0.1, 0.3)
"""Of a RunTask call, in seconds."""
START = (1.0, 3.0)
"""Seconds from RunTask to RUNNING."""
POLL = 0.2
"""Of a DescribeTasks call, in seconds: there is one each second, and it shows all ends since the last."""
RELAUNCH = (1.5, 3.5)
"""Seconds from a refusal until the run's next launch is ordered: its row must show it."""


@dataclass(frozen=True)
class Launched:
    """A task that ECS has accepted."""

    scheduler: int
    at: float
    seconds: float
    """For which it holds its slot."""
    overtakes: bool
    """A run of a higher priority waited when it was sent."""


@dataclass
class World:
    """One cluster, some schedulers, and perhaps another client. Times are in seconds."""

    seed: int = 1
    room: Callable[[float], int] = lambda _: 50
    """How many tasks fit at a time."""
    runs_for: float = 10.0
    refused_at_random: float = 0.0
    """Share of the launches that ECS refuses though there is room."""
    now: float = 0.0
    used: int = 0
    """Slots that are taken."""
    ended: int = 0
    """Tasks that have ended."""
    launched: list[Launched] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    """When calls were refused."""
    taken: list[tuple[float, float]] = field(default_factory=list)
    """From when until when another client held a slot."""
    random: Random = field(init=False)
    _events: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = field(default_factory=list)
    _count: int = 0

    def __post_init__(self) -> None:
        self.random = Random(self.seed)  # noqa: S311  seeded, so that each test is repeatable

    def at(self, when: float, happens: Callable[..., None], *arguments: Any) -> None:
        """Let something happen later."""
        self._count += 1
        heapq.heappush(self._events, (when, self._count, happens, arguments))

    def after(self, seconds: tuple[float, float], happens: Callable[..., None], *arguments: Any) -> None:
        """Let something happen after a random time."""
        self.at(self.now + self.random.uniform(*seconds), happens, *arguments)

    def run(self, *, until_ended: int = 10**9, until: float = 3600.0) -> World:
        """Let time pass until so many tasks have ended, at most until a time."""
        while self._events and self._events[0][0] <= until and self.ended < until_ended:
            self.now, _, happens, arguments = heapq.heappop(self._events)
            happens(*arguments)
        return self

    @property
    def has_room(self) -> bool:
        """Whether one more task fits."""
        return self.used < self.room(self.now)

    def accepts(self) -> bool:
        """Decide a launch."""
        if not self.has_room or self.random.random() < self.refused_at_random:
            self.refused.append(self.now)
            return False
        self.used += 1
        return True

    @property
    def ratio(self) -> float:
        """How many times as long it took as with a scheduler that fills every slot at once."""
        return self.now / wall_time([each.seconds for each in self.launched], self.room(0.0), self.taken)

    @property
    def refused_share(self) -> float:
        """Refused calls by launches."""
        return len(self.refused) / len(self.launched)


class Scheduler:
    """An engine's gates and launch queue, with its share of AWS's rate, and at most so many calls in flight."""

    def __init__(self, world: World, number: int = 0, *, since: float = 0.0) -> None:
        """Begin to launch at a time."""
        self._world = world
        self._number = number
        self.gates = Gates()
        self.queue = LaunchQueue(Rate(0, 1), self.gates)
        self._in_flight = 0
        self._tokens, self._tokens_at = LAUNCH_BURST, since
        self._since = since
        self._wakes_at = math.inf

    def order(self, count: int, *, priorities: int = 1) -> Scheduler:
        """Order so many launches, of so many priorities in turn."""
        for index in range(count):
            self._add(f"{self._number}-{index}", 1, index % priorities)
        self._world.at(self._since, self._launch)
        return self

    def _add(self, run_id: str, number: int, priority: int) -> None:
        entry = Entry(run_id, run_id, number, State.WAITING, priority=priority, room=ROOM)
        self.queue.add(entry, not_before=self._world.now)

    def _launch(self) -> None:
        world = self._world
        while self._in_flight < CONCURRENCY:
            due = self.queue.next_at(world.now)
            if due is None:
                return
            self._tokens = min(LAUNCH_BURST, self._tokens + (world.now - self._tokens_at) * LAUNCH_RATE)
            self._tokens_at = world.now
            due = max(due, world.now + max(0.0, 1.0 - self._tokens) / LAUNCH_RATE)
            if due > world.now:
                self._wake_at(due + 1e-6)
                return
            entry = self.queue.pop(world.now)
            if entry is None:
                return
            self._tokens -= 1.0
            self._in_flight += 1
            overtakes = any(each.priority > entry.priority for each in self.queue)
            latency = world.random.uniform(*LATENCY)
            world.at(world.now + latency / 2, self._arrive, entry, latency / 2, overtakes)

    def _wake_at(self, due: float) -> None:
        if due < self._wakes_at:
            self._wakes_at = due
            self._world.at(due, self._wake)

    def _wake(self) -> None:
        if self._world.now >= self._wakes_at:
            self._wakes_at = math.inf
        self._launch()

    def _arrive(self, entry: Entry, latency: float, overtakes: bool) -> None:
        world = self._world
        accepted = world.accepts()
        if accepted:
            seconds = world.random.uniform(*START) + world.runs_for
            world.launched.append(Launched(self._number, world.now, seconds, overtakes))
            world.at(world.now + seconds, self._end)
        world.at(world.now + latency, self._answer, entry, accepted, world.now)

    def _answer(self, entry: Entry, accepted: bool, arrived_at: float) -> None:
        world = self._world
        self._in_flight -= 1
        if accepted:
            self.gates.accept(entry.passes, world.now, arrived_at)
        else:
            self.gates.refuse(ROOM, entry.passes, Shortage.ROOM, NO_MEMORY, world.now)
            self.queue.keep_position(entry, world.now)
            world.after(RELAUNCH, self._relaunch, entry)
        self.queue.discard(entry)
        self._launch()

    def _relaunch(self, entry: Entry) -> None:
        self._add(entry.run_id, entry.number + 1, entry.priority)
        self._launch()

    def _end(self) -> None:
        self._world.used -= 1
        self._world.ended += 1
        world = self._world
        world.at(max(math.ceil(world.now), world.now + POLL) + POLL, self._see, world.now)

    def _see(self, stopped_at: float) -> None:
        self.gates.end(ROOM, self._world.now, stopped_at)
        self._launch()


class OtherClient:
    """Takes up to so many slots for a while, as they become free, and leaves them all for as long."""

    def __init__(self, world: World, slots: int, seconds: float) -> None:
        self._world, self._slots, self._seconds = world, slots, seconds
        self._held: list[float] = []
        world.at(0.0, self._act)

    def _act(self) -> None:
        world = self._world
        if int(world.now / self._seconds) % 2:
            while len(self._held) < self._slots and world.has_room:
                world.used += 1
                self._held.append(world.now)
        else:
            world.used -= len(self._held)
            world.taken += [(since, world.now) for since in self._held]
            self._held.clear()
        world.at(world.now + 0.2, self._act)
